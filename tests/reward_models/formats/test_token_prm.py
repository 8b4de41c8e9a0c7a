"""Token classification: the probability of the good labels at the last token behind each step."""

from pathlib import Path

import pytest
import tiny_models
import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer

from inference_kit.errors import UserError
from inference_kit.records import Message, Problem
from inference_kit.reward_models.formats.token_prm import TokenPRM

PROBLEM = Problem("1", (Message("user", "How many?"),))
SOLUTIONS = [("So the sum is 12.", "The answer is 42."), ("Ada",), ("Ada has", "12 + 30", "= 42")]


def straightforward(folder: Path, steps: tuple[str, ...], good: list[int], behind: str = "") -> list[float]:
    """As TRL's `tokenize_row`: question, steps and separators each by itself, and nothing `behind` the question."""
    model, tokenizer = AutoModelForTokenClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    ids, scores = [tokenizer.bos_token_id, *tokenizer.encode("How many?"), *tokenizer.encode(behind)], []
    for step in steps:
        ids += [*tokenizer.encode(step), *tokenizer.encode("\n")]
        scores.append(model(torch.tensor([ids])).logits[0, -1].softmax(-1)[good].sum().item())
    return scores


@torch.inference_mode()
def test_scores_are_those_of_a_straightforward_computation(folders: dict[str, Path]) -> None:
    """Lightman et al. 2023: P(+1), or P(+1) + P(0) where neutral counts as good."""
    folder = folders["token"]
    for neutral, good in ((False, [2]), (True, [1, 2])):
        scorer = TokenPRM(str(folder), neutral_is_good=neutral)
        for steps, found in zip(SOLUTIONS, scorer.score_batch([(PROBLEM, each) for each in SOLUTIONS]), strict=True):
            assert found.scores == pytest.approx(straightforward(folder, steps, good), abs=1e-4)
    named = TokenPRM(str(folder), good_labels=("0", "LABEL_1"))
    assert named.score(PROBLEM, ("Ada",)) == pytest.approx(straightforward(folder, ("Ada",), [0, 1]), abs=1e-4)


@torch.inference_mode()
def test_a_separator_behind_the_question_is_a_setting(folders: dict[str, Path]) -> None:
    """Issue 13, F15: it used to be written, which TRL does not; who trained so says so, and the identity is that of
    before.
    """
    folder = folders["token"]
    scorer = TokenPRM(str(folder), question_separator="\n")
    assert scorer.score(PROBLEM, SOLUTIONS[0]) == pytest.approx(
        straightforward(folder, SOLUTIONS[0], [2], "\n"), abs=1e-4
    )
    assert scorer.identity.endswith(":'\\n':():False")
    assert TokenPRM(str(folder)).identity == scorer.identity + ":''"


def test_labels_that_the_head_has_not_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the head has no label 'good'.*It has LABEL_0, LABEL_1, LABEL_2"):
        TokenPRM(str(folders["token"]), good_labels=("good",)).check()
    with pytest.raises(UserError, match="good labels are named, and neutral ones are to count too"):
        TokenPRM(str(folders["token"]), good_labels=("2",), neutral_is_good=True)
    auto_class = "AutoModelForTokenClassification"
    two = tiny_models.write(tmp_path, auto_class=auto_class, num_labels=2)
    TokenPRM(str(two)).check()
    with pytest.raises(UserError, match="has the labels LABEL_0, LABEL_1, and token_prm needs three"):
        TokenPRM(str(two), neutral_is_good=True).check()


def test_a_model_without_a_head_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match=r"are a Qwen3ForCausalLM, and token_prm reads one whose name ends in"):
        TokenPRM(str(folder)).check()
