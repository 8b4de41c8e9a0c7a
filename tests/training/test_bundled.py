"""The bundled folders are small, load with plain transformers, and solve a problem in the promised form."""

import re
from pathlib import Path

import pytest

from training.publish import POLICY, REWARD_MODEL
from training.validate import STATED, LanguageModel, read_exercises


@pytest.mark.parametrize("folder", [POLICY, REWARD_MODEL], ids=lambda folder: folder.name)
def test_a_bundled_model_is_small_and_has_a_card_that_states_its_accuracy(folder: Path) -> None:
    assert (folder / "model.safetensors").stat().st_size < 10_000_000
    assert STATED.search((folder / "CARD.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("folder", [POLICY, REWARD_MODEL], ids=lambda folder: folder.name)
def test_a_bundled_model_writes_steps_and_a_boxed_answer(folder: Path) -> None:
    questions = [item.question for item in read_exercises(from_benchmark=True, count=4)]
    for response in LanguageModel.load(folder).write(questions, 0.0):
        assert re.fullmatch(r"([^\n]+ = [^\n]+\.\n)+The answer is \\boxed\{\d+\}\.", response)


def test_the_likelihood_of_a_right_solution_is_above_that_of_a_wrong_one() -> None:
    question = "Ann has 12 apples. Ben has 5 more apples than Ann. How many apples do Ann and Ben have together?"
    right = "Ben has 12 + 5 = 17.\nTogether they have 12 + 17 = 29.\nThe answer is \\boxed{29}."
    wrong = "Ben has 12 - 5 = 7.\nTogether they have 12 + 7 = 19.\nThe answer is \\boxed{19}."
    scores = LanguageModel.load(REWARD_MODEL).compute_log_likelihoods([question] * 2, [right, wrong])
    assert scores[0] > scores[1]
