"""Opener: opens engines and reward models, each once, and closes them.

Why: weights are loaded by whoever is asked first and should be loaded once, however many runs ask for the same.
Promises: what is asked for twice with the same settings is one object; `close` closes what was opened here and nothing
that others opened.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from inference_kit.models.base import Engine
from inference_kit.reward_models.base import RewardModel

Part = TypeVar("Part", Engine, RewardModel)


class Opener:
    """Holds what it has opened until `close`; may be used again after that."""

    def __init__(self) -> None:
        self._opened: list[tuple[Any, Any]] = []

    def open(self, recipe: Any, build: Callable[[], Part]) -> Part:
        """Return what `build` builds, or what an equal `recipe` has built before.

        Args:
            recipe: All that decides what is built; compared by `==`.
            build: Builds it, without loading weights.
        """
        for known, opened in self._opened:
            if known == recipe:
                same: Part = opened
                return same
        part = build()
        self._opened.append((recipe, part))
        return part

    async def close(self) -> None:
        """Give back what the opened parts hold: weights, processes, connections; the first opened goes first."""
        while self._opened:
            _, part = self._opened.pop(0)
            await part.close()
