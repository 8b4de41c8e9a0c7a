"""InferenceBase: a model and a way to ask it, behind `forward`, `batch_forward` and `stream`.

Why: a program that wants answers, not benchmarks, should need one object and one call; it gets the methods, engines and
accounting of a run.
Promises: making a decoder checks its hyperparameters and loads nothing; the same input gets the same answer unless
`seed` is changed; a batch is in flight at once and one failing input fails alone; an overridden `score` decides.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self
from weakref import finalize

from inference_kit.context import Method
from inference_kit.decoders.choosing import BY_SCORE, Choice, choose
from inference_kit.decoders.inputs import check_template, make_problem
from inference_kit.decoders.loop_thread import LoopThread, share_loop_thread
from inference_kit.decoders.own_score import OwnScore
from inference_kit.decoders.settings import (
    BadArgument,
    read_hyperparameters,
    speak_of_hyperparameters,
    spell_hyperparameter,
)
from inference_kit.decoders.sources import MODELS, REWARD_NAMES, choose_for, find_source, name_model
from inference_kit.errors import EngineError, UserError
from inference_kit.flow import all_of
from inference_kit.grader import GraderPool
from inference_kit.models.base import Engine
from inference_kit.records import Problem, Solution
from inference_kit.registry import Entry
from inference_kit.reward_models.base import RewardModel
from inference_kit.search import BEST, METHODS
from inference_kit.setup.opener import Opener
from inference_kit.setup.parts import Parts
from inference_kit.setup.registries import Registries
from inference_kit.solver import Solver
from inference_kit.store.call_log import Cache
from inference_kit.voting import VOTES

Answer = tuple[str, dict[str, Any]]
"""A text, and how it came about."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """What a decoder works with once it is used."""

    parts: Parts
    solver: Solver
    own_score: OwnScore | None
    model_name: str


class InferenceBase:
    """Asks a model; on its own, for one plain reply. Subclasses name another method or write their own `forward`.

    Args:
        model_name_or_path: A registered name, a server's address, a folder or a hub id; or an engine, which stays open.
        sampling_method: A label for the metadata; the decoder's own where it is empty.
        hyperparameters: Generation settings, settings of method and engine, and the options of docs/decoders.md.
        models, reward_models: Registries besides the bundled ones, such as those of model_config.py.
    """

    method: str = "vanilla"
    label: str = "custom"
    defaults: ClassVar[Mapping[str, Any]] = {}
    """Told that differ from those of the method."""

    def __init__(
        self,
        model_name_or_path: str | Engine,
        sampling_method: str = "",
        hyperparameters: Mapping[str, Any] | None = None,
        *,
        models: Mapping[str, Entry] = MODELS,
        reward_models: Mapping[str, Entry] = REWARD_NAMES,
    ) -> None:
        if not isinstance(sampling_method, str):
            fix = "Give the settings as hyperparameters={...}."
            raise BadArgument(f"must be a text, got {type(sampling_method).__name__}", where="sampling_method", fix=fix)
        self.model_name_or_path, self.sampling_method = model_name_or_path, sampling_method or self.label
        self._told = read_hyperparameters(hyperparameters, self.method, self.defaults)
        self.hyperparameters = dict(hyperparameters or {})
        self._names = Registries({**MODELS, **models}, {**REWARD_NAMES, **reward_models})
        self._source = find_source(model_name_or_path, self._told, self._names.models)
        shares = isinstance(model_name_or_path, Engine) or isinstance(self._told.options.reward_model, RewardModel)
        self._loop = share_loop_thread() if shares else LoopThread()

    def forward(self, input_text: str, prompt_template: str | None = None) -> Answer:
        """Answer one text.

        Raises:
            BadArgument: a `ValueError`, for an input that is no text or a template without `{input}`.
            UserError: for a model that is not there, and for what an engine or server refuses.
        """
        problem = make_problem(input_text, prompt_template, self._told.options.answer_kind)
        ready, began = self._ready, time.perf_counter()
        with speak_of_hyperparameters():
            solution = self._loop.run(ready.solver.solve(problem))
        return self._answer(problem, solution, time.perf_counter() - began)

    def batch_forward(self, input_texts: Sequence[str], prompt_template: str | None = None) -> list[Answer]:
        """Answer many texts, all in flight at once; one that fails is `("", {"error": ...})` in its place."""
        if isinstance(input_texts, str) or not isinstance(input_texts, Sequence):
            raise BadArgument(f"must be a list of texts, got {input_texts!r:.80}", where="input_texts")
        check_template(prompt_template)
        if not input_texts:
            return []
        ready = self._ready

        async def solved(text: str) -> tuple[Problem, Solution, float] | Exception:
            began = time.perf_counter()
            try:
                problem = make_problem(text, prompt_template, self._told.options.answer_kind)
                return problem, await ready.solver.solve(problem), time.perf_counter() - began
            except UserError as error:
                if isinstance(error, EngineError | BadArgument):
                    return error
                raise
            except Exception as error:  # noqa: BLE001 - one input's failure must not end the others
                return error

        async def all_solved() -> list[tuple[Problem, Solution, float] | Exception]:
            return await all_of([solved(text) for text in input_texts])

        return [self._answer_or_error(found) for found in self._loop.run(all_solved())]

    def stream(self, input_text: str, prompt_template: str | None = None) -> Iterator[str]:
        """Answer one text piece by piece; what is searched or improved comes in one piece at the end."""
        problem = make_problem(input_text, prompt_template, self._told.options.answer_kind)
        if METHODS[self.method].one_solution:
            return self._stream_pieces(self._ready.solver.stream(problem))
        return iter([self.forward(input_text, prompt_template)[0]])

    def score(self, candidate: str, context: dict[str, Any] | None = None) -> float:
        """Say how good a candidate is; override it to decide which one wins.

        Args:
            candidate: The text of one candidate; of a method that searches in steps, also of its beginning.
            context: `input`, `prompt`, `candidates` (all texts), `index`, and `default_score`, which is the reward
                model's, else the mean log-probability of a token, else the share of candidates with the same answer.
        """
        if context is None:
            raise BadArgument("this score needs the context that a decoder gives it", where="context")
        return float(context["default_score"])

    def close(self) -> None:
        """Give weights, processes and connections back; the decoder may be used again."""
        if "_ready" in self.__dict__:
            self._finalizer()
            del self._ready

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _scores_itself(self) -> bool:
        return type(self).score is not InferenceBase.score

    @cached_property
    def _ready(self) -> "_Ready":
        """Parts and solver, chosen and opened at the first use."""
        options = self._told.options
        own = OwnScore(self.score) if self._scores_itself else None
        opener = Opener()
        with speak_of_hyperparameters():
            parts = choose_for(self._source, self._told, self._list_choices(own), self._names, opener)
            model_name = name_model(self._source, parts)
        if own:
            own.separator = parts.engine.separator
        call_log = Cache(Path(options.cache_dir).expanduser(), secrets.token_hex(4)) if options.cache_dir else None
        solver = Solver(
            parts.engine,
            self._wrap_method(parts.method),
            parts.generation,
            GraderPool(),
            parts.reward_model,
            call_log,
            parts.rules,
            keep_trees=self.method == "self_improve",
        )
        self._finalizer = finalize(self, _close, self._loop, solver, opener)
        return _Ready(parts, solver, own, model_name)

    def _list_choices(self, own: OwnScore | None) -> dict[str, Any]:
        """List what this decoder chooses itself: method, reward model and vote, as settings of a run."""
        needs_reward_model = METHODS[self.method].needs.reward_model
        steers = own is not None and (needs_reward_model or self.method == "self_improve")
        reward_model = own if steers else self._told.options.reward_model
        beside = f"{self._source.name}_prm"
        if reward_model is None and needs_reward_model and beside in self._names.reward_models:
            reward_model = beside
        chosen: dict[str, Any] = {"method": self.method}
        if reward_model is not None:
            chosen["reward_model"] = reward_model
        if self._vote in VOTES:
            chosen["vote"] = (self._vote,)
        return chosen

    def _wrap_method(self, method: Method) -> Method:
        """Return what is run in the place of the method that was chosen; by default the method."""
        return method

    @property
    def _vote(self) -> str | None:
        """What chooses among candidates: scores, a vote, or None where the first is the method's own choice."""
        if self.method == "self_improve":
            return None
        if self._scores_itself:
            return BY_SCORE
        own = METHODS[self.method].vote
        return self._told.options.vote or (BY_SCORE if own == BEST else own)

    def _answer_or_error(self, found: tuple[Problem, Solution, float] | Exception) -> Answer:
        if isinstance(found, UserError):
            found.spell = spell_hyperparameter
        if isinstance(found, Exception):
            return "", {"error": str(found) or repr(found)}
        try:
            return self._answer(*found)
        except Exception as error:  # noqa: BLE001 - likewise: all scores of this input have raised
            return "", {"error": str(error) or repr(error)}

    def _answer(self, problem: Problem, solution: Solution, seconds: float) -> Answer:
        choice = choose(self._vote, self.score if self._scores_itself else None, problem, solution.candidates)
        chosen = solution.candidates[choice.best]
        metadata = {
            "model": self._ready.model_name,
            "backend": self._ready.parts.settings["engine"].value,
            "sampling_method": self.sampling_method,
            "usage": solution.usage.to_json(),
            "seconds": seconds,
            "finish_reason": chosen.finish_reason,
        }
        return chosen.text, metadata | self._describe_choice(problem, solution, choice)

    def _describe_choice(self, problem: Problem, solution: Solution, choice: Choice) -> dict[str, Any]:
        """Return what the metadata says besides, by the method."""
        if METHODS[self.method].one_solution:
            return {}
        return {"candidates": choice.list_candidates(solution.candidates), "best_index": choice.best}

    def _stream_pieces(self, stream: AsyncIterator[str]) -> Iterator[str]:
        async def next_piece() -> str | None:
            return await anext(stream, None)

        async def close() -> None:
            await stream.aclose()  # type: ignore[attr-defined]

        try:
            while (piece := self._loop.run(next_piece())) is not None:
                yield piece
        finally:
            self._loop.run(close())


def _close(loop: LoopThread, solver: Solver, opener: Opener) -> None:
    """Close what the decoder has opened; what it was given as an object stays as it is."""

    async def close_opened() -> None:
        await opener.close()
        if solver.call_log:
            solver.call_log.close()

    solver.grader.close()
    with suppress(asyncio.CancelledError):
        loop.close(close_opened())
