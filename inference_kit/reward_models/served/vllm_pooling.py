"""VllmPooling: process and outcome reward models with a classification head, run by vLLM's pooling runner.

Why: vLLM reads many solutions at once and shares their common beginnings; beside a policy on vLLM it saves a second
library on the device.
Promises: text and scores are those of `qwen_prm`, `token_prm` and `sequence_orm`, of which the weights say which it is;
vLLM starts in processes of its own at the first call.
"""

import asyncio
import math
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Annotated, Any

from inference_kit.errors import UserError
from inference_kit.flow import all_of
from inference_kit.models.local.devices import Dtype
from inference_kit.models.local.weights import Weights
from inference_kit.models.vllm.engine import read_engine_args
from inference_kit.models.vllm.process import VllmProcess, require_vllm
from inference_kit.records import StepScores
from inference_kit.reward_models.base import RewardModel, ScoreItem, TooLong
from inference_kit.reward_models.formats.qwen_prm import QwenPRM
from inference_kit.reward_models.formats.sequence_orm import SequenceORM
from inference_kit.reward_models.formats.token_prm import TokenPRM
from inference_kit.reward_models.local.prefix_cache import Reading
from inference_kit.reward_models.local.transformer import TransformerRewardModel

FLAG = "--reward-model vllm_pooling"

Score = Callable[[Sequence[float]], float]
"""Makes a score of the outputs at one place."""


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
        self._weights = Weights(model_path, flag="--reward-model-path")
        self._given_separator, self._dtype, self.max_batch_size = separator, dtype, max_batch_size
        self._good_labels, self._neutral_is_good = good_labels, neutral_is_good
        named = {
            "dtype": dtype,
            "gpu_memory_utilization": gpu_memory_utilization,
            "max_model_len": max_model_len,
            "tensor_parallel_size": tensor_parallel_size,
        }
        self._further = read_engine_args(engine_args, "--reward-engine-args")
        self._engine_arguments = {name: value for name, value in named.items() if value is not None} | self._further
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
        """Refuse weights of another kind, and say at once where vLLM is missing."""
        self._format.check()
        require_vllm(FLAG)

    def score_batch(self, items: Sequence[ScoreItem]) -> list[StepScores | TooLong]:
        """Hand all solutions to vLLM at once."""
        with self._lock:
            if self._started is None:
                self._started = VllmProcess(self._weights.name, FLAG, self._arguments())
            readings = [self._format.reading_or_error(problem, steps) for problem, steps in items]

        async def read_all() -> list[StepScores | TooLong]:
            return await all_of([self._read(process, each) for each in readings])

        process = self._started
        return asyncio.run(read_all())

    async def close(self) -> None:
        """End vLLM and all its processes."""
        await super().close()
        started, self._started = self._started, None
        if started is not None:
            await started.close()

    async def _read(self, process: VllmProcess, reading: Reading | TooLong) -> StepScores | TooLong:
        """Raw outputs are asked for, because each format has its own way from them to a score."""
        if isinstance(reading, TooLong):
            return reading
        pooling = {"task": self._task, "use_activation": False}
        wanted = list(reading.places) if self._task == "token_classify" else []
        request = {"ids": list(reading.ids), "pooling": pooling, "places": wanted}
        [reply] = [reply async for reply in process.ask(request)]
        rows = reply["rows"] if wanted else [reply["rows"]]
        return StepScores(tuple(self._score(row) for row in rows), tokens=len(reading.ids))

    def _arguments(self) -> dict[str, Any]:
        pooler = {"task": self._task} | ({"tok_pooling_type": "ALL"} if self._task == "token_classify" else {})
        own = {
            "model": str(self._weights.whole_folder()),
            "tokenizer": str(self._format.tokenizer.name_or_path),
            "runner": "pooling",
            "pooler_config": pooler,
            "disable_log_stats": True,
        }
        return own | self._engine_arguments

    @cached_property
    def _format(self) -> TransformerRewardModel:
        """The format of the weights, for its text, its checks and its name; it loads no weights."""
        path, architectures = self._weights.path, self._weights.architectures
        separator: Any = {} if self._given_separator is None else {"separator": self._given_separator}
        name = architectures[0] if architectures else ""
        if name.endswith("ForProcessRewardModel"):
            return QwenPRM(path, dtype=self._dtype)
        if name.endswith("ForTokenClassification"):
            labels: Any = {"good_labels": self._good_labels, "neutral_is_good": self._neutral_is_good}
            return TokenPRM(path, dtype=self._dtype, **separator, **labels)
        if name.endswith("ForSequenceClassification"):
            return SequenceORM(path, dtype=self._dtype, **separator)
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
    def _score(self) -> Score:
        if isinstance(self._format, TokenPRM):
            good = self._format.good_numbers()
            return lambda row: sum(_softmax(row)[number] for number in good)
        return lambda row: 1 / (1 + math.exp(-row[0])) if len(row) == 1 else _softmax(row)[1]


def _softmax(row: Sequence[float]) -> list[float]:
    largest = max(row)
    shares = [math.exp(value - largest) for value in row]
    return [share / sum(shares) for share in shares]
