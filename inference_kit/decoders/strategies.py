"""Strategies: the decoders that come with the house; each names a method.

Why: most programs want one of three ways to answer, by its name; whoever wants another names its method.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from loguru import logger

from inference_kit.context import Context, Method
from inference_kit.decoders.choosing import Choice
from inference_kit.decoders.interface import InferenceBase
from inference_kit.decoders.settings import BadArgument
from inference_kit.decoders.sources import MODELS, REWARD_NAMES
from inference_kit.errors import EngineError, UserError
from inference_kit.models.base import Engine
from inference_kit.records import Node, Problem, Solution
from inference_kit.registry import Entry, lookup, read_settings
from inference_kit.search import ALIASES, METHODS
from inference_kit.search.self_improve import self_improve


class Greedy(InferenceBase):
    """Writes the likeliest reply; the same input gets the same one."""

    method = label = "greedy"


class BestOfN(InferenceBase):
    """Writes `n` candidates and returns the one with the highest `score`."""

    method = label = "best_of_n"
    defaults = {"n": 5}  # noqa: RUF012 - a constant, read only


class Decoder(InferenceBase):
    """Any method by its name, with the method's settings among the hyperparameters."""

    def __init__(
        self,
        method: str,
        model_name_or_path: str | Engine,
        sampling_method: str = "",
        hyperparameters: Mapping[str, Any] | None = None,
        *,
        models: Mapping[str, Entry] = MODELS,
        reward_models: Mapping[str, Entry] = REWARD_NAMES,
    ) -> None:
        self.method = self.label = ALIASES.get(method, method)
        try:
            lookup(METHODS, self.method, "method", where="method")
        except UserError as error:
            raise BadArgument(error.what, where=error.where, fix=error.fix) from error
        super().__init__(
            model_name_or_path, sampling_method, hyperparameters, models=models, reward_models=reward_models
        )


class SelfImprove(InferenceBase):
    """Writes a draft, then lets the model criticise and improve it; returns the version with the highest score.

    Scores are an overridden `score`'s, a named reward model's, or the rating out of 10 that the critique ends with.
    """

    method = label = "self_improve"

    def _wrap_method(self, method: Method) -> Method:
        return partial(_improve, method)

    def _describe_choice(self, problem: Problem, solution: Solution, choice: Choice) -> dict[str, Any]:
        versions = sorted((node for node in solution.tree if node.candidate >= 0), key=lambda node: len(node.path))
        text_at = {node.path: node.text for node in solution.tree}
        written = [solution.candidates[node.candidate] for node in versions]
        own = self._ready.own_score
        errors = [own.errors.get((problem.index, each.steps)) if own else None for each in written]
        if all(errors) and errors[0]:
            raise errors[0]
        scores = [
            None if error else node.notes.get("score", candidate.score)
            for node, candidate, error in zip(versions, written, errors, strict=True)
        ]
        iterations = [
            {"text": candidate.text, "critique": text_at.get((*node.path, 0, 0)), "score": score}
            | ({"error": str(error) or repr(error)} if error else {})
            for node, candidate, score, error in zip(versions, written, scores, errors, strict=True)
        ]
        broken = any(errors) or any("broken" in node.notes for node in versions)
        return {"iterations": iterations, "stopped": "error" if broken else self._explain_stop(scores)}

    def _explain_stop(self, scores: list[float | None]) -> str:
        """Say why there is no further version, where nothing went wrong."""
        default = read_settings(self_improve)["max_iterations"].default
        if len(scores) > self._told.settings.get("max_iterations", default):
            return "max_iterations"
        return "threshold" if len(scores) > 1 and None not in scores[-2:] else "budget"


async def _improve(method: Method, context: Context) -> list[Node]:
    """Run `method`; where the engine fails on a later version, return those of before, the best first."""
    try:
        return await method(context)
    except EngineError as error:
        versions = context.whole_solutions()
        if not versions:
            raise
        logger.warning("no further version: {}", error)
        context.note(versions[-1], broken=1.0)
        return sorted(versions, key=context.score_of, reverse=True)
