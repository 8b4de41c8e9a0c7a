"""RLHFlow's process reward models: a chat in which each step is a turn and the reply to it is + or -.

Source: Xiong et al. 2024, "An implementation of generative PRM", RLHFlow/RLHF-Reward-Modeling, and the cards of
RLHFlow/Llama3.1-8B-PRM-Mistral-Data and RLHFlow/Llama3.1-8B-PRM-Deepseek-Data.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

from inference_kit.errors import EngineError
from inference_kit.records import Problem, Role
from inference_kit.reward_models.beginnings import Reading
from inference_kit.reward_models.reader import Reader
from inference_kit.reward_models.transformer import CACHE_BYTES, TransformerRewardModel
from inference_kit.reward_models.verdicts import at_places

if TYPE_CHECKING:
    from torch import Tensor

GOOD, BAD = "+", "-"


class RLHFlowPRM(TransformerRewardModel):
    """A chat with a turn for each step, each answered by +; the score is the probability of that + against -.

    Args:
        dtype: auto, bfloat16, float16 or float32.
        device: auto, cuda, mps or cpu.
        device_map: How accelerate spreads the layers over GPUs, such as auto; none keeps them on one device.
        max_batch_size: Solutions in one forward pass at the most.
        cache_bytes: Memory for beginnings of solutions, so that one that grows is not read again; 0 is none.
    """

    kind = "rlhflow_prm"

    def __init__(
        self,
        model_path: str,
        *,
        dtype: str = "auto",
        device: str = "auto",
        device_map: str | None = None,
        max_batch_size: int = 16,
        cache_bytes: Annotated[int, 0] = CACHE_BYTES,
    ) -> None:
        super().__init__(
            model_path,
            dtype=dtype,
            device=device,
            device_map=device_map,
            max_batch_size=max_batch_size,
            cache_bytes=cache_bytes,
        )

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
        verdicts = self._verdicts

        def probabilities(logits: "Tensor") -> "Tensor":
            return logits[:, verdicts].softmax(-1)[:, 0]

        return Reader(self.load(), at_places(probabilities, keeps_logits=True), cache_bytes=self.cache_bytes)

    @cached_property
    def _verdicts(self) -> list[int]:
        return [self.single_id(sign) for sign in (GOOD, BAD)]
