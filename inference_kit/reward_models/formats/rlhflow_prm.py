"""RLHFlow's process reward models: a chat in which each step is a turn and the reply to it is + or -.

Source: Xiong et al. 2024, "An implementation of generative PRM", RLHFlow/RLHF-Reward-Modeling, and the cards of
RLHFlow/Llama3.1-8B-PRM-Mistral-Data and RLHFlow/Llama3.1-8B-PRM-Deepseek-Data.
"""

from collections.abc import Sequence
from functools import cached_property

from inference_kit.errors import EngineError
from inference_kit.records import Problem, Role
from inference_kit.reward_models.local.forward import Reader
from inference_kit.reward_models.local.prefix_cache import Reading
from inference_kit.reward_models.local.transformer import TransformerRewardModel
from inference_kit.reward_models.local.verdicts import first_of

GOOD, BAD = "+", "-"


class RLHFlowPRM(TransformerRewardModel):
    """A chat with a turn for each step, each answered by +; the score is the probability of that + against -."""

    kind = "rlhflow_prm"

    def check_tokens(self) -> None:
        """Both verdicts are one token each, and there is a chat template."""
        assert self._verdicts and self.chat([("user", "?")])

    def reading(self, problem: Problem, steps: Sequence[str]) -> Reading:
        """The published chat; the output before each + predicts it."""
        question = self.plain(problem.question)
        turns: list[tuple[Role, str]] = []
        begins: list[int] = []
        for number, step in enumerate(steps):
            turns.append(("user", step if number else f"{question} {step}"))
            begins.append(len(self.chat(turns)))
            turns.append(("assistant", GOOD))
        encoded = self.tokenizer(self.chat(turns), add_special_tokens=False, return_offsets_mapping=True)
        token_at = {begin: place for place, (begin, _) in enumerate(encoded["offset_mapping"])}
        replies = [token_at.get(begin, 0) for begin in begins]
        if any(encoded["input_ids"][reply] != self._verdicts[0] for reply in replies):
            raise EngineError(
                "the chat template does not put a reply of + as a token of its own behind each step",
                fix="Use the tokenizer that came with the reward model.",
            )
        return Reading(tuple(encoded["input_ids"]), tuple(reply - 1 for reply in replies))

    def reader(self) -> Reader:
        """Compare the logits of + and - only."""
        return Reader(self.load(), first_of(self._verdicts), cache_bytes=self.cache_bytes)

    @cached_property
    def _verdicts(self) -> list[int]:
        return [self.single_id(sign) for sign in (GOOD, BAD)]
