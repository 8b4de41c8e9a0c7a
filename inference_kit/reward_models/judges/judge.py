"""Judge: a chat model that is asked whether the solution is right; the score is how likely it says Yes.

Why: any chat model will do, here or behind an address, and nothing is trained.
Source: Zhang et al. 2024, "Generative Verifiers: Reward Modeling as Next-Token Prediction", arXiv:2408.15240: the
probability of Yes at the first token of the answer, or the share of Yes among verdicts with reasons (GenRM-CoT).
"""

import math
import re
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated

from inference_kit.errors import UserError, named
from inference_kit.models.base import Engine
from inference_kit.models.decode.huggingface import HuggingFace
from inference_kit.models.http.openai import OpenAI
from inference_kit.models.local.devices import Dtype, Placement
from inference_kit.records import GenerationConfig, Message, Problem, Prompt, StepScores
from inference_kit.reward_models.base import RewardModel, ScoreItem, TooLong
from inference_kit.reward_models.judges.local_judge import NO, YES, LocalJudge
from inference_kit.templates import fill, load_prompt

VERDICT = re.compile(rf"\b({YES}|{NO})\b", flags=re.IGNORECASE)
PLACEHOLDERS = ("question", "solution")


class Judge(RewardModel):
    """A chat model is asked whether the solution is right; one score, P(Yes) / (P(Yes) + P(No)).

    Args:
        template: What is asked: a name in templates/prompt, or a file with {question} and {solution}.
        separator: Text between the steps.
        n_verdicts: Verdicts to sample, of which the score is the share of Yes; 0 reads probabilities.
        verdict_tokens: Tokens of a sampled verdict at the most.
        api_model: The model's name where the path is an address; the first one served where it is not given.
        api_key_env: The environment variable that holds the key where the path is an address.
        dtype: auto, bfloat16, float16 or float32.
        device: auto, cuda, mps or cpu.
        max_batch_size: Solutions in one forward pass at the most.
    """

    def __init__(
        self,
        model_path: str,
        *,
        template: str = "judge",
        separator: str = "\n\n",
        n_verdicts: Annotated[int, 0] = 0,
        verdict_tokens: int = 1024,
        api_model: str | None = None,
        api_key_env: str = "OPENAI_API_KEY",
        dtype: Dtype = "auto",
        device: str = "auto",
        max_batch_size: int = 16,
    ) -> None:
        if n_verdicts < 0:
            raise UserError(f"n_verdicts must not be negative, got {n_verdicts}", where=named("reward_n_verdicts"))
        self.separator, self.max_batch_size = separator, max_batch_size
        self._path, self._template_name = model_path, template
        self._n_verdicts, self._verdict_tokens = n_verdicts, verdict_tokens
        self._api_model, self._api_key_env = api_model, api_key_env
        self._placement = Placement(dtype, device)

    @property
    def identity(self) -> str:  # type: ignore[override]
        """The model's identity, what it is asked, and how its answer is read."""
        sampled = f":{self._n_verdicts}:{self._verdict_tokens}" if self._n_verdicts else ""
        return f"judge:{self._model.identity}:{self._template!r}:{self.separator!r}{sampled}"

    def check(self) -> None:
        """Refuse a template without its placeholders, weights that are not here, and a server that does not answer."""
        _ = self._template
        if isinstance(self._model, LocalJudge):
            self._model.check()
        else:
            self._model.check(self._sampling if self._n_verdicts else GenerationConfig(max_new_tokens=1))

    def score_batch(self, items: Sequence[ScoreItem]) -> Sequence[StepScores | TooLong]:
        """Score many solutions by the probabilities of weights that are here; blocking."""
        return self.local.score_batch(items)

    async def scores(self, problem: Problem, steps: Sequence[str]) -> StepScores:
        """Ask about one solution, together with all that wait at the same time."""
        model = self._model
        if isinstance(model, LocalJudge):
            return await super().scores(problem, steps)
        solution = self.separator.join(step for step in steps if step.strip())
        asked = fill(self._template, {"question": problem.question, "solution": solution})
        message = Message("user", asked)
        if self._n_verdicts:
            share, tokens = await self._sample_verdicts(model, message)
        else:
            assert isinstance(model, OpenAI)
            first = await model.ask_first_tokens(Prompt((message,)))
            yes, no = (_sum_probability(first.top, word) for word in (YES, NO))
            share, tokens = (yes / (yes + no) if yes + no else math.nan), first.prompt_tokens
        return StepScores((self._clip(share),), tokens)

    async def close(self) -> None:
        """Report how many scores were not numbers, and close the model."""
        await super().close()
        await self._model.close()

    @cached_property
    def local(self) -> LocalJudge:
        """The judge whose weights are here."""
        return LocalJudge(
            self._path,
            template=self._template,
            separator=self.separator,
            placement=self._placement,
            max_batch_size=self.max_batch_size,
        )

    async def _sample_verdicts(self, engine: Engine, message: Message) -> tuple[float, int]:
        """Return the share of Yes among sampled verdicts, NaN where none says either, and the tokens generated."""
        prompt = Prompt((message,), seeds=tuple(range(self._n_verdicts)))
        written = [completion async for _, completion in engine.generate(prompt, self._sampling)]
        verdicts = [found[-1].lower() for each in written if (found := VERDICT.findall(each.text))]
        share = verdicts.count(YES.lower()) / len(verdicts) if verdicts else math.nan
        return share, sum(each.tokens for each in written)

    @property
    def _sampling(self) -> GenerationConfig:
        return GenerationConfig(max_new_tokens=self._verdict_tokens, temperature=0.7, logprobs=False)

    @cached_property
    def _model(self) -> "LocalJudge | Engine":
        if "://" in self._path:
            keys = {"api_model": self._api_model, "api_key_env": self._api_key_env}
            return OpenAI(self._path, setting="reward_model_path", **keys)
        if self._n_verdicts:
            return HuggingFace(self._path, placement=self._placement, max_batch_size=self.max_batch_size)
        return self.local

    @cached_property
    def _template(self) -> str:
        text = load_prompt(self._template_name, where=named("reward_template"))
        for name in PLACEHOLDERS:
            if f"{{{name}}}" not in text:
                raise UserError(
                    f"the template has no {{{name}}}",
                    where=self._template_name,
                    fix=f"Write {{{name}}} where it belongs.",
                )
        return text


def _sum_probability(tops: Sequence[tuple[str, float]], word: str) -> float:
    """Sum the probabilities of `word` as first token with and without a space before it."""
    return sum(math.exp(logprob) for token, logprob in tops if token.strip() == word)
