"""VllmPooling: process and outcome reward models with a classification head, run by vLLM's pooling runner.

Why: vLLM reads many solutions at once and shares their common prefixes; beside a policy on vLLM it saves a second
library on the device.
Promises: text and scores are those of `qwen_prm`, `token_prm` or `sequence_orm`, whichever format the weights have.
vLLM starts in processes of its own at the first call.
"""

import asyncio
import math
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Annotated, Any

from inference_kit.errors import UserError, named
from inference_kit.flow import all_of
from inference_kit.models.local.devices import Dtype, Placement
from inference_kit.models.local.weights import Weights
from inference_kit.models.vllm.engine import read_engine_args
from inference_kit.models.vllm.messages import Pool
from inference_kit.models.vllm.process import VllmProcess, require_vllm
from inference_kit.records import StepScores
from inference_kit.reward_models.base import RewardModel, ScoreItem, TooLong
from inference_kit.reward_models.formats.qwen_prm import QwenPRM
from inference_kit.reward_models.formats.sequence_orm import SequenceORM
from inference_kit.reward_models.formats.token_prm import TokenPRM
from inference_kit.reward_models.local.encoded_text import EncodedText
from inference_kit.reward_models.local.readout import squash
from inference_kit.reward_models.local.transformer import TransformerRewardModel

FLAG = f"{named('reward_model')} vllm_pooling"

ToScore = Callable[[Sequence[float]], float]
"""Turns the head's raw outputs at one position into a score in [0, 1]."""


class VllmPooling(RewardModel):
    """A reward model that vLLM can pool: Qwen2.5-Math-PRM, token classification or sequence classification.

    Args:
        separator: Text between the steps, or behind each; by default that of the weights' format.
        good_labels: Of token classification, the labels that count as good; the last one where none is given.
        neutral_is_good: With three labels (-1, 0, +1), the one in the middle is good too.
        dtype: auto, bfloat16, float16 or float32; auto is float32 on a CPU and the model's own elsewhere.
        gpu_memory_utilization: The share of the device's memory that it may use; vLLM's own choice where not given.
        max_model_len: The longest text, in tokens; the model's own where not given.
        tensor_parallel_size: GPUs that share each layer.
        engine_args: Further engine arguments as key=value, by vLLM's names, several with commas.
        max_batch_size: Solutions that are handed over at once.
    """

    def __init__(
        self,
        model_path: str,
        *,
        separator: str | None = None,
        good_labels: tuple[str, ...] = (),
        neutral_is_good: bool = False,
        dtype: Dtype = "auto",
        gpu_memory_utilization: Annotated[float | None, 0, 1] = None,
        max_model_len: int | None = None,
        tensor_parallel_size: int = 1,
        engine_args: tuple[str, ...] = (),
        max_batch_size: int = 256,
    ) -> None:
        self._weights = Weights(model_path, setting="reward_model_path")
        self._given_separator, self._dtype, self.max_batch_size = separator, dtype, max_batch_size
        self._good_labels, self._neutral_is_good = good_labels, neutral_is_good
        given = {
            "dtype": dtype,
            "gpu_memory_utilization": gpu_memory_utilization,
            "max_model_len": max_model_len,
            "tensor_parallel_size": tensor_parallel_size,
        }
        self._further = read_engine_args(engine_args, "reward_engine_args")
        self._engine_arguments = {name: value for name, value in given.items() if value is not None} | self._further
        self._started: VllmProcess | None = None
        self._lock = threading.Lock()

    @cached_property
    def identity(self) -> str:  # type: ignore[override]
        """The identity of the same weights in `transformers`, and the further engine arguments."""
        further = "".join(f":{name}={value}" for name, value in sorted(self._further.items()))
        return f"vllm_pooling:{self._format.identity}{further}"

    @property
    def separator(self) -> str:  # type: ignore[override]
        """What stands between steps in the text that is read."""
        return self._format.separator

    def check(self) -> None:
        """Refuse weights that vLLM cannot pool, and a Python without vLLM.

        Raises:
            UserError: saying which.
        """
        self._format.check()
        require_vllm(FLAG)

    def score_batch(self, items: Sequence[ScoreItem]) -> list[StepScores | TooLong]:
        """Score all solutions at once; vLLM batches them. The first call starts it."""
        with self._lock:
            if self._started is None:
                self._started = VllmProcess(self._weights.name, FLAG, self._build_arguments())
            texts = [self._format.try_encoding(problem, steps) for problem, steps in items]

        async def score_all() -> list[StepScores | TooLong]:
            """Ask for all texts at the same time."""
            return await all_of([self._pool(process, text) for text in texts])

        process = self._started
        return asyncio.run(score_all())

    async def close(self) -> None:
        """End vLLM and all its processes."""
        await super().close()
        started, self._started = self._started, None
        if started is not None:
            await started.close()

    async def _pool(self, process: VllmProcess, text: EncodedText | TooLong) -> StepScores | TooLong:
        """Ask vLLM for the raw outputs of one text, because each format turns them into a score in its own way."""
        if isinstance(text, TooLong):
            return text
        pooling = {"task": self._task, "use_activation": False}
        wanted = tuple(text.positions) if self._task == "token_classify" else ()
        request = Pool(tuple(text.ids), pooling, wanted)
        [reply] = [reply async for reply in process.ask(request)]
        rows = reply.rows if wanted else [reply.rows]
        return StepScores(tuple(self._to_score(row) for row in rows), tokens=len(text.ids))

    def _build_arguments(self) -> dict[str, Any]:
        pooler = {"task": self._task} | ({"tok_pooling_type": "ALL"} if self._task == "token_classify" else {})
        own = {
            "model": str(self._weights.fetch_all()),
            "tokenizer": str(self._format.tokenizer.name_or_path),
            "runner": "pooling",
            "pooler_config": pooler,
            "disable_log_stats": True,
        }
        return own | self._engine_arguments

    @cached_property
    def _format(self) -> TransformerRewardModel:
        """The format of the weights, for its text, its checks and its name; it loads no weights."""
        placement = Placement(self._dtype)
        path, architectures = self._weights.path, self._weights.architectures
        separator: Any = {} if self._given_separator is None else {"separator": self._given_separator}
        name = architectures[0] if architectures else ""
        if name.endswith("ForProcessRewardModel"):
            return QwenPRM(path, placement=placement)
        if name.endswith("ForTokenClassification"):
            labels: Any = {"good_labels": self._good_labels, "neutral_is_good": self._neutral_is_good}
            return TokenPRM(path, placement=placement, **separator, **labels)
        if name.endswith("ForSequenceClassification"):
            return SequenceORM(path, placement=placement, **separator)
        raise UserError(
            f"vLLM cannot pool a {name or 'model without a named architecture'}",
            where=path,
            fix="It takes ForProcessRewardModel, ForTokenClassification and ForSequenceClassification; for others name "
            "the format that the weights were made for, such as math_shepherd.",
        )

    @property
    def _task(self) -> str:
        return "classify" if isinstance(self._format, SequenceORM) else "token_classify"

    @cached_property
    def _to_score(self) -> ToScore:
        if isinstance(self._format, TokenPRM):
            good = self._format.find_good_labels()
            return lambda row: sum(_softmax(row)[label] for label in good)
        return squash


def _softmax(row: Sequence[float]) -> list[float]:
    largest = max(row)  # keeps exp from overflowing
    weights = [math.exp(logit - largest) for logit in row]
    return [weight / sum(weights) for weight in weights]
