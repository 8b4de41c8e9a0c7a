"""Greedy, BestOfN, SelfImprove, and Decoder for every other method: faces over the solver.

Promises: `batch_forward` has all texts in flight at once and keeps their order; one that fails has its error in its
place; metadata always hold model, backend, sampling_method, usage, seconds and finish_reason.
"""

import asyncio
import queue
import time
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import cached_property, partial
from hashlib import sha256
from math import exp
from statistics import fmean
from typing import Any

from loguru import logger

from inference_kit.context import Context, Rules
from inference_kit.decoders.base import Answer, InferenceBase, OwnLoop
from inference_kit.decoders.hyperparameters import Parts, parts_of, shown_name
from inference_kit.errors import EngineError
from inference_kit.flow import all_of
from inference_kit.grader import GraderPool
from inference_kit.models.base import Engine
from inference_kit.records import Candidate, GenerationConfig, Message, Node, Problem, Solution, StepScores
from inference_kit.registry import lookup
from inference_kit.reward_models.base import RewardModel
from inference_kit.search import METHODS, OWN_VOTE
from inference_kit.solver import Solver
from inference_kit.store.call_log import CallLog
from inference_kit.voting import VOTES

DEFAULTS = GenerationConfig(max_new_tokens=512, temperature=0.7)


class Decoder(InferenceBase):
    """Any search method by its name, with the method's settings among the hyperparameters.

    Args:
        method: A key of `METHODS`.
        model_name_or_path: A bundled model's name, an address, a folder or a hub id.
        hyperparameters: Settings by name.
    """

    defaults = DEFAULTS

    def __init__(
        self,
        method: str,
        model_name_or_path: str,
        hyperparameters: dict[str, Any] | None = None,
        *,
        sampling_method: str | None = None,
    ) -> None:
        super().__init__(model_name_or_path, sampling_method or method, hyperparameters)
        self.method = method
        self._parts = self._checked_parts()
        self._own_loop = OwnLoop()

    def forward(self, input_text: str, prompt_template: str | None = None) -> Answer:
        """Answer one text.

        Raises:
            ValueError: where the text is no text, or the template has no `{input}`.
            UserError: where the engine cannot answer.
        """
        return self._own_loop.wait_for(self._answered(input_text, self._prompt(input_text, prompt_template)))

    def batch_forward(self, input_texts: list[str], prompt_template: str | None = None) -> list[Answer]:
        """Answer many texts at once, in their order; one that fails is `("", {"error": ...})` in its place."""
        prompts = [self._prompt(text, prompt_template) for text in input_texts]

        async def each(text: str, prompt: str) -> Answer:
            try:
                return await self._answered(text, prompt)
            except EngineError as error:
                return "", {"error": str(error)}

        async def all_texts() -> list[Answer]:
            return await all_of([each(text, prompt) for text, prompt in zip(input_texts, prompts, strict=True)])

        return self._own_loop.wait_for(all_texts()) if prompts else []

    def stream(self, input_text: str, prompt_template: str | None = None) -> Iterator[str]:
        """Write one plain reply and yield its pieces as they come."""
        problem = self._problem(self._prompt(input_text, prompt_template))
        pieces: queue.Queue[str | BaseException | None] = queue.Queue()

        async def pump() -> None:
            try:
                async with aclosing(self._stream(problem)) as stream:
                    async for piece in stream:
                        pieces.put(piece)
                pieces.put(None)
            except BaseException as error:
                pieces.put(error)
                raise

        running = asyncio.run_coroutine_threadsafe(pump(), self._own_loop._loop)
        try:
            while (piece := pieces.get()) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            running.cancel()

    async def _stream(self, problem: Problem) -> Any:
        async for piece in self._solver.stream(problem):
            yield piece

    @property
    def engine(self) -> Engine:
        """The engine that answers."""
        return self._parts.engine

    def _checked_parts(self) -> Parts:
        return parts_of(
            self.model_name_or_path, self.hyperparameters, lookup(METHODS, self.method, "method"), self.defaults
        )

    @cached_property
    def _solver(self) -> Solver:
        parts = self._parts
        log = CallLog(parts.cache_dir, "decoder") if parts.cache_dir else None
        method = partial(METHODS[self.method], **parts.method_settings)
        return Solver(
            parts.engine,
            method,
            parts.generation,
            GraderPool(),
            parts.reward_model,
            log,
            Rules(seed=parts.seed),
            keep_trees=True,
        )

    def _prompt(self, text: str, template: str | None) -> str:
        if not isinstance(text, str):
            raise ValueError(f"input_text must be a text, got {type(text).__name__}")
        if template is not None and "{input}" not in template:
            raise ValueError("prompt_template has no {input}, so the text would be lost")
        return text if template is None else template.replace("{input}", text)

    def _problem(self, prompt: str) -> Problem:
        index = sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return Problem(index, (Message("user", prompt),))

    async def _answered(self, text: str, prompt: str) -> Answer:
        started = time.perf_counter()
        solution = await self._solver.solve(self._problem(prompt))
        best, more = self._chosen(solution, {"input": text, "prompt": prompt})
        return solution.candidates[best].text, {
            "model": shown_name(self.model_name_or_path, self.hyperparameters),
            "backend": self._parts.backend,
            "sampling_method": self.sampling_method,
            "usage": solution.usage.to_json(),
            "seconds": time.perf_counter() - started,
            "finish_reason": solution.candidates[best].finish_reason,
            **more,
        }

    def _chosen(self, solution: Solution, context: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The place of the best candidate, and further metadata."""
        scored = self._parts.reward_model is not None
        vote = OWN_VOTE.get(self.method, "best_last" if scored else "majority_vote")
        best = VOTES[vote].choose(solution.candidates) if vote else 0
        shown = [{"text": each.text, "score": each.score} for each in solution.candidates]
        return best, {"candidates": shown, "best_index": best} if len(shown) > 1 else {}


class Greedy(Decoder):
    """One reply at temperature 0."""

    defaults = replace(DEFAULTS, temperature=0.0)

    def __init__(
        self,
        model_name_or_path: str,
        sampling_method: str = "greedy",
        hyperparameters: dict[str, Any] | None = None,
    ) -> None:
        given = dict(hyperparameters or {})
        if given.get("temperature"):
            logger.warning("Greedy takes temperature 0, not {}", given["temperature"])
            given["temperature"] = 0.0
        super().__init__("greedy", model_name_or_path, given, sampling_method=sampling_method)


class BestOfN(Decoder):
    """`n` replies, of which the one with the highest `score` is the answer."""

    def __init__(
        self,
        model_name_or_path: str,
        sampling_method: str = "best_of_n",
        hyperparameters: dict[str, Any] | None = None,
    ) -> None:
        given = {"n": 5, **(hyperparameters or {})}
        super().__init__("best_of_n", model_name_or_path, given, sampling_method=sampling_method)

    def score(self, candidate: str, context: dict[str, Any] | None = None) -> float:
        """Say how good a reply is; a subclass may say it otherwise.

        Here it is the reward model's score, else the mean probability of a token, else the share of candidates with the
        same answer.

        Args:
            candidate: The reply.
            context: `input`, `prompt`, all `candidates` with text, score, likelihood and agreement, and this one's
                `index`.
        """
        own = (context or {})["candidates"][(context or {})["index"]]
        return float(next(own[name] for name in ("score", "likelihood", "agreement") if own[name] is not None))

    def _chosen(self, solution: Solution, context: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        known = [_known_of(each, solution.candidates) for each in solution.candidates]
        scores: list[float | None] = []
        errors: list[Exception] = []
        for index, each in enumerate(solution.candidates):
            try:
                scores.append(float(self.score(each.text, {**context, "candidates": known, "index": index})))
            except Exception as error:  # noqa: BLE001 - a score of the caller's own; it is recorded, or raised below
                scores.append(None)
                errors.append(error)
        if len(errors) == len(scores):
            raise errors[0]
        best = max(range(len(scores)), key=lambda place: -float("inf") if (s := scores[place]) is None else s)
        shown = [{"text": each["text"], "score": score} for each, score in zip(known, scores, strict=True)]
        return best, {"candidates": shown, "best_index": best} | (
            {"score_errors": [f"{type(error).__name__}: {error}" for error in errors]} if errors else {}
        )


class SelfImprove(Decoder):
    """A draft, then rounds of critique and improvement; the version with the highest score is the answer."""

    def __init__(
        self,
        model_name_or_path: str,
        sampling_method: str = "self_improve",
        hyperparameters: dict[str, Any] | None = None,
    ) -> None:
        super().__init__("self_improve", model_name_or_path, hyperparameters, sampling_method=sampling_method)

    def score(self, candidate: str, context: dict[str, Any] | None = None) -> float | None:
        """Say how good a version is; None, as here, leaves it to the reward model or to the rating in the critique."""
        return None

    @cached_property
    def _solver(self) -> Solver:
        solver = super()._solver
        if type(self).score is not SelfImprove.score:
            self._parts.engine.separator = ""  # a version is scored whole
            solver = replace(solver, reward_model=_OwnScore(self))
        return replace(solver, method=partial(_until_an_error, method=solver.method))

    def _chosen(self, solution: Solution, context: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        replies = [node for node in solution.tree if node.finish_reason != "boundary"]
        versions, critiques = replies[::2], replies[1::2]
        rounds = [
            {
                "text": version.text,
                "critique": critiques[place].text if place < len(critiques) else None,
                "score": version.notes.get("score", version.step_scores[-1] if version.step_scores else None),
            }
            for place, version in enumerate(versions)
        ]
        most = self._parts.method_settings.get("max_iterations", 3)
        failed = any("error" in node.notes for node in solution.tree)
        return 0, {
            "iterations": rounds,
            "stopped": "error" if failed else "max_iterations" if len(versions) > most else "threshold",
        }


@dataclass
class _OwnScore(RewardModel):
    """A decoder's own `score` as a reward model; any number, not only those in [0, 1]."""

    decoder: SelfImprove
    identity: str = "own score"

    async def scores(self, problem: Problem, steps: Any) -> StepScores:
        """Ask the decoder."""
        prompt = problem.messages[-1].content
        score = self.decoder.score(steps[0], {"input": prompt, "prompt": prompt, "candidates": [], "index": 0})
        return StepScores((float(score or 0.0),))


async def _until_an_error(context: Context, *, method: Any) -> list[Node]:
    """Run `method`; where the engine fails after the first version, keep what there is."""
    try:
        nodes: list[Node] = await method(context)
    except EngineError:
        nodes = context.whole_solutions()
        if not nodes:
            raise
        context.note(nodes[0], error=1.0)
    return nodes


def _known_of(candidate: Candidate, candidates: tuple[Candidate, ...]) -> dict[str, Any]:
    """What a default score may look at."""
    likelihood = None if candidate.logprob is None else exp(candidate.logprob / max(1, candidate.tokens))
    agreement = fmean(other.group == candidate.group for other in candidates) if candidate.group >= 0 else 0.0
    return {"text": candidate.text, "score": candidate.score, "likelihood": likelihood, "agreement": agreement}
