"""Opening and closing: whoever opens an engine closes it, and what is the same is opened once."""

import asyncio
from functools import partial
from typing import Any

import pytest
from fakes import Likes, SeededEngine

from inference_kit.config import Level
from inference_kit.errors import UserError
from inference_kit.setup.choose import choose
from inference_kit.setup.opener import Opener
from inference_kit.setup.parts import Parts
from inference_kit.setup.registries import Registries
from inference_kit.setup.request import Request


class Closing(SeededEngine):
    """Counts how often it is closed."""

    closed = 0

    async def close(self) -> None:
        """Count."""
        self.closed += 1


class ClosingLikes(Likes):
    """Counts how often it is closed."""

    closed = 0

    async def close(self) -> None:
        """Count."""
        self.closed += 1


NAMES = Registries({"toy": partial(Closing, "toy")}, {"likes": partial(ClosingLikes, "likes")})


def parts_of(opener: Opener, **told: Any) -> Parts:
    values = {"model": "toy", "reward_model": "likes"} | told
    return choose(Request((Level("test", values, told=True),)), NAMES, opener)


def test_equal_settings_are_one_engine_and_others_another() -> None:
    opener = Opener()
    first, again, other = (parts_of(opener, seed=seed, answers=answers) for seed, answers in ((0, 5), (1, 5), (0, 6)))
    assert first.engine is again.engine is not other.engine
    assert first.reward_model is again.reward_model is other.reward_model


def test_the_opener_closes_what_it_opened_once() -> None:
    opener = Opener()
    parts = parts_of(opener)
    parts_of(opener)
    asyncio.run(opener.close())
    asyncio.run(opener.close())
    assert (parts.engine.closed, parts.reward_model.closed) == (1, 1)  # type: ignore[attr-defined,union-attr]


def test_an_object_that_is_open_already_is_borrowed() -> None:
    engine, reward_model, opener = Closing("mine"), ClosingLikes("mine"), Opener()
    parts = parts_of(opener, model=engine, reward_model=reward_model)
    assert (parts.engine, parts.reward_model) == (engine, reward_model)
    assert parts.settings["model"].value == parts.model_name == "Closing"
    asyncio.run(opener.close())
    assert (engine.closed, reward_model.closed) == (0, 0)


@pytest.mark.parametrize("told", [{"model_path": "elsewhere"}, {"replicas": 2}])
def test_what_only_an_opening_could_honour_is_refused_for_an_open_engine(told: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="is open already"):
        parts_of(Opener(), model=Closing("mine"), **told)
