"""Rule: a Python function of your own as reward model.

Why: what can be checked (units, a format, a calculation) needs no model, and a function is the shortest way to try it.
Promises: the file runs once, at the first call, with the user's rights; its digest is part of the identity.
"""

import hashlib
import importlib.util
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from inference_kit.errors import EngineError, UserError, named
from inference_kit.records import Problem
from inference_kit.reward_models.base import RewardModel


class Rule(RewardModel):
    """A function `(problem, steps) -> scores` in a file of your own: `--reward-model-path path/to/file.py:function`."""

    def __init__(self, model_path: str) -> None:
        path, _, self._name = model_path.rpartition(":")
        if not path.endswith(".py") or not self._name:
            raise UserError(
                f"{model_path!r} names no function",
                where=named("reward_model_path"),
                fix="Write path/to/file.py:function.",
            )
        self._path = Path(path).expanduser()

    @cached_property
    def identity(self) -> str:  # type: ignore[override]
        """The function's name and the digest of its file."""
        return f"rule:{self._name}:{hashlib.sha256(self._read_bytes()).hexdigest()[:16]}"

    def check(self) -> None:
        """Refuse a file that does not load or has no such function.

        Raises:
            UserError: naming the file and its functions.
        """
        _ = self._function

    def score(self, problem: Problem, steps: Sequence[str]) -> list[float]:
        """Call the function.

        Raises:
            EngineError: where it does not return a list of numbers.
        """
        found = self._function(problem, list(steps))
        if not isinstance(found, Sequence) or not all(isinstance(score, (int, float)) for score in found):
            raise EngineError(
                f"{self._name} returned {type(found).__name__}, not a list of numbers", where=str(self._path)
            )
        return [float(score) for score in found]

    @cached_property
    def _function(self) -> Callable[[Problem, list[str]], Sequence[float]]:
        self._read_bytes()  # a file that cannot be read is said in one line
        spec = importlib.util.spec_from_file_location(f"rule_{self._path.stem}", self._path)
        assert spec and spec.loader, "a .py file has a loader"
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise UserError(f"the file does not load: {error!r}", where=str(self._path)) from error
        function: Callable[[Problem, list[str]], Sequence[float]] | None = getattr(module, self._name, None)
        if not callable(function):
            known = ", ".join(name for name, each in vars(module).items() if callable(each)) or "none"
            raise UserError(f"no function {self._name!r}", where=str(self._path), fix=f"It has {known}.")
        return function

    def _read_bytes(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError as error:
            raise UserError(
                f"cannot be read: {error.strerror}",
                where=str(self._path),
                fix=f"Set {named('reward_model_path')} to your file.",
            ) from error
