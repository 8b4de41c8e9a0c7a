"""RLHFlow: a turn for each step, and the probability of + against - where the reply to it begins."""

from pathlib import Path

import pytest
import tiny_models
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from inference_kit.errors import EngineError, UserError
from inference_kit.records import Message, Problem
from inference_kit.reward_models.formats.rlhflow_prm import RLHFlowPRM

PROBLEM = Problem("1", (Message("user", "How many?"),))
SOLUTIONS = [("So the sum is 12.", "The answer is 42."), ("Ada + 1",), ("Ada has", "12 + 30", "= 42")]


def straightforward(folder: Path, steps: tuple[str, ...]) -> list[float]:
    """As published: for each step a chat that ends with its turn, and what the model would reply."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    verdicts = [tokenizer.encode(sign)[-1] for sign in "+-"]
    turns: list[dict[str, str]] = []
    scores = []
    for number, step in enumerate(steps):
        turns.append({"role": "user", "content": step if number else f"How many? {step}"})
        ids = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
        scores.append(model(torch.tensor([ids])).logits[0, -1, verdicts].softmax(-1)[0].item())
        turns.append({"role": "assistant", "content": "+"})
    return scores


@torch.inference_mode()
def test_scores_are_those_of_a_straightforward_computation(folder: Path) -> None:
    """Xiong et al. 2024."""
    scorer = RLHFlowPRM(str(folder))
    for steps, found in zip(SOLUTIONS, scorer.score_batch([(PROBLEM, each) for each in SOLUTIONS]), strict=True):
        assert found.scores == pytest.approx(straightforward(folder, steps), abs=1e-4)


def test_a_tokenizer_without_a_chat_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no chat template, and rlhflow_prm shows a chat"):
        RLHFlowPRM(str(tiny_models.write(tmp_path, chat=False))).check()


def test_a_template_that_hides_the_replies_is_refused(tmp_path: Path) -> None:
    folder = tiny_models.write(tmp_path)
    (folder / "chat_template.jinja").write_text("{% for message in messages %}{{ message.content }}.{% endfor %}")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["+.", "."])
    tokenizer.save_pretrained(folder)
    with pytest.raises(EngineError, match=r"does not put a reply of \+ as a token of its own"):
        RLHFlowPRM(str(folder)).score(PROBLEM, ("Ada", "Bob"))
