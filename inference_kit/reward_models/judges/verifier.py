"""Verifier: the base of generative reward models, which write about a solution before they judge it.

Why: GenPRM and ThinkPRM differ in what they are shown and in where their verdicts stand. That chains of thought are
sampled, bounded, counted and averaged is the same.
Promises: chains follow from the solution, the settings and fixed seeds alone. A solution that leaves no room in the
context counts 0. A solution for which no chain holds a verdict counts 0 and is reported, as a score that is no number.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, ClassVar

from inference_kit.errors import NoRoom, UserError, named
from inference_kit.flow import all_of
from inference_kit.models.base import Engine
from inference_kit.models.http.openai import OpenAI
from inference_kit.models.local.devices import Placement
from inference_kit.records import Completion, GenerationConfig, Problem, Prompt, StepScores
from inference_kit.registry import flatten_settings
from inference_kit.reward_models.base import RewardModel, TooLong
from inference_kit.reward_models.judges.verdict_engine import VerdictEngine


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """How the chains of thought before a verdict are written, and by whom.

    Args:
        n_verdicts: Chains for each verdict, of which the score is the mean.
        verdict_tokens: Tokens of a chain at the most; a longer one is cut, and judged by what there is of it.
        temperature: That of the chains; 0 writes the likeliest one.
        api_model: The model's name where the path is an address; the first one served where it is not given.
        api_key_env: The environment variable that holds the key where the path is an address.
        max_batch_size: Chains in one forward pass at the most.
    """

    n_verdicts: Annotated[int, 1] = 1
    verdict_tokens: Annotated[int, 1] = 2048
    temperature: Annotated[float, 0] = 0.6
    api_model: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    max_batch_size: int = 16


class Verifier(RewardModel):
    """Writes chains of thought about a solution; `kind` is the format's name, `words` its good and its bad verdict.

    Weights on this machine are read for the probability of a verdict behind each chain; behind an address, where no
    probabilities are known, the verdicts themselves count, 1 or 0.
    """

    kind: ClassVar[str]
    words: ClassVar[tuple[str, str]]
    top_p: ClassVar[float] = 1.0
    top_k: ClassVar[int] = 0

    @flatten_settings
    def __init__(
        self,
        model_path: str,
        *,
        chains: ChainSettings = ChainSettings(),
        placement: Placement = Placement(),
    ) -> None:
        if chains.n_verdicts > 1 and not chains.temperature:
            raise UserError(
                f"{chains.n_verdicts} chains are wanted, and at temperature 0 all are the same",
                where=named("reward_temperature"),
                fix=f"Give {named('reward_temperature')} 0.6, or {named('reward_n_verdicts')} 1.",
            )
        self.max_batch_size = chains.max_batch_size
        self._path, self._n_verdicts, self._placement = model_path, chains.n_verdicts, placement
        self._api_model, self._api_key_env = chains.api_model, chains.api_key_env
        self._sampling = GenerationConfig(
            max_new_tokens=chains.verdict_tokens,
            temperature=chains.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            logprobs=False,
        )

    @property
    def identity(self) -> str:  # type: ignore[override]
        """The model's identity, and how its chains are written."""
        sampling = self._sampling
        chains = f"{self._n_verdicts}:{sampling.max_new_tokens}:{sampling.temperature}"
        return f"{self.kind}:{self._engine.identity}:{chains}"

    def check(self) -> None:
        """Refuse weights that are not here or cannot write, verdicts that are no tokens, a server without an answer."""
        self._engine.check(self._sampling)
        if self.local and self.local.weights.is_local:
            for word in self.words:
                self.local.find_token(word)

    async def scores(self, problem: Problem, steps: Sequence[str]) -> StepScores:
        """Write about one solution, together with all that wait at the same time, and score it."""
        escape = self.local.escape if self.local else str
        shown = [escape(step) for step in steps if step.strip()]
        if not shown:
            return StepScores(())
        try:
            found = await self.judge(escape(problem.question), shown)
        except NoRoom as error:
            return self._score_too_long(TooLong(str(error)))
        return StepScores(tuple(self._clip(score) for score in found.scores), found.tokens)

    @abstractmethod
    async def judge(self, question: str, steps: Sequence[str]) -> StepScores:
        """Score one solution; NaN stands for a score without any verdict.

        Args:
            question: What is solved, without special tokens.
            steps: None of them blank; without special tokens.
        """

    async def write(self, prompt: Prompt, stop: tuple[str, ...] = ()) -> list[Completion]:
        """Write the chains of one prompt, in the order of their seeds, each up to a stop text."""
        asked = replace(prompt, seeds=tuple(range(self._n_verdicts)))
        config = replace(self._sampling, stop=stop)
        found = {place: each async for place, each in self._engine.generate(asked, config)}
        return [found[place] for place in sorted(found)]

    async def compare(self, prompt: Prompt, replies: Sequence[str]) -> list[float]:
        """Return the probability of the good verdict behind each reply, where only the two verdicts are compared."""
        assert self.local
        asked = [self.local.compare(replace(prompt, prefix=reply), self.words) for reply in replies]
        return await all_of(asked)

    @property
    def local(self) -> VerdictEngine | None:
        """The engine, where its weights are on this machine."""
        return self._engine if isinstance(self._engine, VerdictEngine) else None

    async def close(self) -> None:
        """Report how many scores were not numbers, and close the model."""
        await super().close()
        await self._engine.close()

    @cached_property
    def _engine(self) -> Engine:
        if "://" in self._path:
            keys = {"api_model": self._api_model, "api_key_env": self._api_key_env}
            return OpenAI(self._path, setting="reward_model_path", **keys)
        return VerdictEngine(self._path, placement=self._placement, max_batch_size=self.max_batch_size)


def average(verdicts: Sequence[float | None]) -> float:
    """Return the mean of those verdicts that there are; NaN where there is none."""
    given = [each for each in verdicts if each is not None]
    return sum(given) / len(given) if given else math.nan
