"""RLHFlow's process reward models: a chat in which each step is a turn and the reply to it is + or -.

Why: it needs no head: the verdict on a step is what the model would reply to it.
Source: Xiong et al. 2024, "An implementation of generative PRM", RLHFlow/RLHF-Reward-Modeling, and the cards of
RLHFlow/Llama3.1-8B-PRM-Mistral-Data and RLHFlow/Llama3.1-8B-PRM-Deepseek-Data.
"""

from collections.abc import Sequence
from functools import cached_property

from inference_kit.errors import EngineError
from inference_kit.records import Problem, Role
from inference_kit.reward_models.local.encoded_text import EncodedText
from inference_kit.reward_models.local.forward import BatchedForward
from inference_kit.reward_models.local.readout import compare_tokens
from inference_kit.reward_models.local.transformer import TransformerRewardModel

GOOD, BAD = "+", "-"


class RLHFlowPRM(TransformerRewardModel):
    """A chat with a turn for each step, each answered by +; the score is the probability of that + against -."""

    kind = "rlhflow_prm"

    def check_tokens(self) -> None:
        """Refuse a tokenizer in which a verdict is more than one token, or that has no chat template."""
        _ = self._verdict_ids, self.render_chat([("user", "?")])

    def encode_solution(self, problem: Problem, steps: Sequence[str]) -> EncodedText:
        """Encode the published chat; the output at the token before each + predicts it."""
        question = self.escape(problem.question)
        turns: list[tuple[Role, str]] = []
        reply_offsets: list[int] = []  # where each + begins, in characters of the chat's text
        for number, step in enumerate(steps):
            turns.append(("user", step if number else f"{question} {step}"))
            reply_offsets.append(len(self.render_chat(turns)))
            turns.append(("assistant", GOOD))
        encoded = self.tokenizer(self.render_chat(turns), add_special_tokens=False, return_offsets_mapping=True)
        token_at = {start: position for position, (start, _) in enumerate(encoded["offset_mapping"])}
        replies = [token_at.get(offset, 0) for offset in reply_offsets]
        if any(encoded["input_ids"][reply] != self._verdict_ids[0] for reply in replies):
            raise EngineError(
                "the chat template does not put a reply of + as a token of its own behind each step",
                fix="Use the tokenizer that came with the reward model.",
            )
        return EncodedText(tuple(encoded["input_ids"]), tuple(reply - 1 for reply in replies))

    def build_forward(self) -> BatchedForward:
        """Compare the logits of + and - only."""
        return BatchedForward(self.load(), compare_tokens(self._verdict_ids), cache_bytes=self.cache_bytes)

    @cached_property
    def _verdict_ids(self) -> list[int]:
        return [self.find_token(sign) for sign in (GOOD, BAD)]
