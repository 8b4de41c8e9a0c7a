"""`vllm_pooling` as far as it can be seen without vLLM, by a stand-in for its process."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from inference_kit.models.vllm.messages import Pool, Pooled
from inference_kit.records import Message, Problem, StepScores
from inference_kit.reward_models.base import TooLong
from inference_kit.reward_models.served import vllm_pooling
from inference_kit.reward_models.served.vllm_pooling import VllmPooling

PROBLEM = Problem("1", (Message("user", "How many?"),))


class Even:
    """Finds every place as likely good as bad."""

    def __init__(self, *_: Any) -> None:
        """Start nothing."""

    async def ask(self, request: Pool) -> AsyncIterator[Pooled]:
        """Answer at once."""
        yield Pooled([[0.0, 0.0] for _ in request.places])


def test_a_solution_that_does_not_fit_leaves_the_others_of_its_batch_alone(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vllm_pooling, "VllmProcess", Even)
    pooled = VllmPooling(str(folders["qwen"]))
    items = [(PROBLEM, steps) for steps in (("Ada", "has 12"), ("x" * 900,), ("So",))]
    before, refused, after = pooled.score_batch(items)
    assert isinstance(before, StepScores) and before.scores == (0.5, 0.5)
    assert isinstance(refused, TooLong)
    assert isinstance(after, StepScores) and after.scores == (0.5,)
    with pytest.raises(TooLong, match=r"would read \d+ tokens and its context is 400"):
        pooled.score(PROBLEM, ("x" * 900,))
