"""Judge: the probability of Yes against No, here and behind an address."""

import asyncio
import math
from pathlib import Path

import pytest
import torch
from mock_server import Body, MockServer
from transformers import AutoModelForCausalLM, AutoTokenizer
from verdict_server import answering, verdicts

from inference_kit.errors import UserError
from inference_kit.records import Message, Problem
from inference_kit.reward_models.judges.judge import Judge

PROBLEM = Problem("1", (Message("user", "How many?"),))
STEPS = ("Ada has 12.", "So \\boxed{12}.")
ASKED = (
    "Problem:\nHow many?\n\nSolution:\nAda has 12.\n\nSo \\boxed{12}.\n\nIs the final answer of this solution right?"
)


@torch.inference_mode()
def test_the_score_is_the_probability_of_yes_against_no(folders: dict[str, Path]) -> None:
    """Zhang et al. 2024."""
    folder = folders["judge"]
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    text = f"<|user|>{ASKED} Answer with one word, Yes or No.<|assistant|>"
    probabilities = model(torch.tensor([tokenizer.encode(text)])).logits[0, -1].softmax(-1)
    yes, no = (probabilities[tokenizer.convert_tokens_to_ids(word)].item() for word in ("Yes", "No"))
    judge = Judge(str(folder))
    judge.check()
    found = asyncio.run(judge.scores(PROBLEM, STEPS))
    assert found.scores == pytest.approx([yes / (yes + no)], abs=1e-4)


def test_the_template_may_be_replaced_and_has_to_have_its_places(folders: dict[str, Path], tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("{question}? {solution}! Yes or No?")
    own = Judge(str(folders["judge"]), template=str(mine))
    own.check()
    assert own.identity != Judge(str(folders["judge"])).identity
    mine.write_text("{question}?")
    with pytest.raises(UserError, match=r"mine\.txt: the template has no \{solution\}"):
        Judge(str(folders["judge"]), template=str(mine)).check()


def test_a_model_whose_verdicts_are_no_tokens_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="'Yes' is not one token of this model"):
        Judge(str(folder)).check()


def first_token(probabilities: dict[str, float]) -> Body:
    """A reply of one token, with the likeliest ones in its place."""
    top = [{"token": token, "logprob": math.log(each)} for token, each in probabilities.items()]
    message = {"role": "assistant", "content": top[0]["token"]}
    return {"index": 0, "message": message, "finish_reason": "length"} | {
        "logprobs": {"content": [{**top[0], "top_logprobs": top}]}
    }


def ask(judge: Judge) -> tuple[tuple[float, ...], int]:
    async def once() -> tuple[tuple[float, ...], int]:
        try:
            found = await judge.scores(PROBLEM, STEPS)
            return found.scores, found.tokens
        finally:
            await judge.close()

    return asyncio.run(once())


def test_a_server_is_asked_for_the_likeliest_first_tokens() -> None:
    asked: list[Body] = []
    with answering(first_token({"Yes": 0.6, " No": 0.15, "no": 0.1, "Maybe": 0.1}), asked=asked) as server:
        judge = Judge(server.url)
        judge.check()
        scores, tokens = ask(judge)
    assert scores == pytest.approx([0.8])
    assert tokens == 9
    assert asked[0]["messages"][0]["content"].startswith(ASKED)
    assert asked[0]["top_logprobs"] == 20


def test_a_server_that_is_not_there_or_lacks_the_model_names_the_judges_own_flags() -> None:
    with pytest.raises(UserError, match="change --reward-model-path"):
        Judge("http://127.0.0.1:9/v1").check()
    with MockServer() as server, pytest.raises(UserError, match="choose with --reward-api-model"):
        Judge(server.url, api_model="huge").check()


def test_a_server_that_names_neither_verdict_counts_nothing() -> None:
    with answering(first_token({"Maybe": 0.9}), asked=[]) as server:
        assert ask(Judge(server.url))[0] == (0.0,)


def test_sampled_verdicts_are_averaged_and_the_last_word_of_each_counts() -> None:
    """GenRM-CoT: the share of Yes among those that say either."""
    asked: list[Body] = []
    said = verdicts("No doubt. Is it right? Yes", "It is wrong: no.", "I cannot tell", "YES")
    with answering(*said, asked=asked) as server:
        scores, tokens = ask(Judge(server.url, template="judge_thinking", n_verdicts=4))
    assert scores == pytest.approx([2 / 3])
    assert tokens == 20
    assert {body["temperature"] for body in asked} == {0.7}
