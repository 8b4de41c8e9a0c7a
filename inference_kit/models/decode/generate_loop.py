"""Generate loop: sequences written by `generate` of `transformers`, in one batch after another.

Why: what keeps a state instead of keys and values, reads images or has an encoder is run by `transformers` alone; yet
each sequence samples by its own seed, with our sampler. It is slower than the decode loop: nobody joins a batch under
way, and each batch reads its prompts anew.
Promises: a sequence's tokens follow from its prompt, settings and seed alone, as in the decode loop; so which of the
two wrote a text is no part of a model's identity. The sequences of a batch have inputs of one shape, and nothing is
padded; each is handed on when it ends; where memory runs out, half as many are written at once.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from loguru import logger

from inference_kit.errors import EngineError, UserError, first_line, named
from inference_kit.models.decode.decode_loop import TOLERANCE
from inference_kit.models.decode.sequences import SequenceState, append_tokens
from inference_kit.models.local.devices import explain_no_memory, is_out_of_memory
from inference_kit.records import GenerationConfig

if TYPE_CHECKING:
    from torch import Tensor

TRIED_TOKENS = 3
"""Tokens that `check` writes: one from the prompts, the others from what the model keeps of them."""


@dataclass(frozen=True, slots=True)
class _Step:
    """What a step of a batch has ended; the last one of a batch has `ended`, and what went wrong."""

    finished: list[SequenceState]
    ended: bool = False
    shortage: str = ""
    error: Exception | None = None


class GenerateLoop:
    """Runs sequences through a model's own `generate`; `waiting` is the queue of those that no batch has yet.

    Args:
        model: A `transformers` model that can generate.
        slots: Sequences in one batch at the most.
        end_ids: Token ids that end a completion.
    """

    def __init__(self, model: Any, *, slots: int, end_ids: frozenset[int]) -> None:
        self.model, self.end_ids = model, end_ids
        self.waiting: deque[SequenceState] = deque()
        self._all_slots = self._slots = slots
        self._batch: list[SequenceState] = []
        self._steps: SimpleQueue[_Step] = SimpleQueue()
        self._first_id = _find_first_id(model) if model.config.is_encoder_decoder else None
        _forget_defaults(model)

    def check(self) -> None:
        """Compare logits behind what the model keeps of two prompts with those of a whole pass over each.

        Raises:
            UserError: where they differ, so that a model is refused, never misread.
        """
        import torch

        vocabulary = self.model.config.get_text_config().vocab_size
        prompts = [tuple((7 * at + shift) % vocabulary for at in range(1, 9)) for shift in (0, 5)][: self._slots]
        batch = [SequenceState(ids, GenerationConfig(temperature=0.0), 0, TRIED_TOKENS) for ids in prompts]
        seen: list[Tensor] = []
        try:
            self._generate(batch, lambda scores: seen.append(_append(batch, scores, frozenset())))
            expected = torch.stack([self._read_whole(each) for each in batch])
            off = ((seen[-1] - expected).norm() / (expected - expected.mean()).norm()).item()
            reason = "" if off < TOLERANCE else f"its logits are {off:.0%} off with what it keeps of a text"
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            if is_out_of_memory(error):
                raise explain_no_memory(error) from error
            reason = first_line(error) or type(error).__name__
        if reason:
            kind = self.model.config.get_text_config().model_type
            raise UserError(
                f"architecture {kind!r} runs neither by the decode loop nor by transformers' generate ({reason})",
                where=named("model_path"),
                fix="Use a server or vLLM.",
            )

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self.waiting or self._batch)

    def advance(self, steps: int) -> list[SequenceState]:
        """Wait for up to `steps` steps of the batch, and stop early once a sequence has ended; return those."""
        for _ in range(steps):
            if not self._batch and not self._begin_batch():
                break
            step = self._steps.get()
            finished = self._end_batch(step) if step.ended else step.finished
            if finished:
                return finished
        return []

    def _begin_batch(self) -> bool:
        """Let those that wait longest, and have inputs of one shape, be written on a thread."""
        self.waiting = deque(each for each in self.waiting if not each.cancelled)
        if not self.waiting:
            self._slots = self._all_slots  # what comes next may be shorter
            return False
        first = self.waiting[0]
        self._batch = [each for each in self.waiting if _read_alike(each, first)][: self._slots]
        chosen = set(self._batch)
        self.waiting = deque(each for each in self.waiting if each not in chosen)
        Thread(target=self._write, args=(self._batch,)).start()
        return True

    def _write(self, batch: Sequence[SequenceState]) -> None:
        """Write a batch to its end, and tell of each step."""

        def choose(scores: "Tensor") -> None:
            live = [each for each in batch if not each.ended]
            _append(batch, scores, self.end_ids)
            self._steps.put(_Step([each for each in live if each.ended]))

        last = _Step([], ended=True)
        try:
            self._generate(batch, choose)
        except Exception as error:  # noqa: BLE001 - raised where the batch ends
            if is_out_of_memory(error):
                last = _Step([], ended=True, shortage=first_line(error))
            else:
                last = _Step([], ended=True, error=error)
        self._steps.put(last)  # out here the exception, which holds on to what did not fit, is gone

    def _generate(self, batch: Sequence[SequenceState], choose: "Callable[[Tensor], object]") -> None:
        """Let `generate` run the model, while `choose` appends each next token from the logits."""
        import torch
        from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

        class Choose(LogitsProcessor):
            """Leaves each sequence one token to choose, which is the one that was appended."""

            def __call__(self, ids: Any, scores: Any) -> Any:
                choose(scores)
                chosen = torch.full_like(scores, -torch.inf)
                chosen[range(len(batch)), [each.last_id for each in batch]] = 0.0
                return chosen

        class Ended(StoppingCriteria):
            """Tells which sequences have ended, or are waited for by nobody."""

            def __call__(self, ids: Any, scores: Any, **_: Any) -> Any:
                return torch.tensor([each.cancelled or each.ended for each in batch], device=ids.device)

        with torch.inference_mode():
            self.model.generate(
                **{name: value.to(self.model.device) for name, value in self._build_inputs(batch).items()},
                do_sample=False,
                max_new_tokens=max(each.max_tokens for each in batch),
                pad_token_id=0,
                logits_processor=LogitsProcessorList([Choose()]),
                stopping_criteria=StoppingCriteriaList([Ended()]),
            )

    def _build_inputs(self, batch: Sequence[SequenceState]) -> "dict[str, Tensor]":
        """Build what `generate` reads; an encoder reads the prompt, and its decoder goes on from the partial answer."""
        import torch

        inputs = batch[0].inputs
        if inputs is not None:
            return {name: torch.cat([value] * len(batch)) for name, value in inputs.items()}
        ends = [len(each.prompt_ids) - (0 if self._first_id is None else each.n_prefix) for each in batch]
        ids = torch.tensor([each.prompt_ids[:end] for each, end in zip(batch, ends, strict=True)])
        read = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        if self._first_id is not None:
            written = [(self._first_id, *each.prompt_ids[end:]) for each, end in zip(batch, ends, strict=True)]
            read["decoder_input_ids"] = torch.tensor(written)
        return read

    def _read_whole(self, sequence: SequenceState) -> "Tensor":
        """Return the logits of a sequence's last token, from a pass over all that stands before it."""
        import torch

        written = torch.tensor([sequence.token_ids[:-1]])
        inputs = self._build_inputs([sequence])
        name = "input_ids" if self._first_id is None else "decoder_input_ids"
        inputs[name] = torch.cat((inputs[name], written), dim=1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        with torch.inference_mode():
            output = self.model(
                **{name: value.to(self.model.device) for name, value in inputs.items()}, use_cache=False
            )
        logits: Tensor = output.logits[0, -1].float()
        return logits

    def _end_batch(self, last: _Step) -> list[SequenceState]:
        """Forget the batch that has ended; where memory ran out, begin those not whole yet again in smaller ones."""
        batch, self._batch = self._batch, []
        if last.error:
            raise last.error
        rest = [each for each in batch if not each.ended]
        if not last.shortage or not rest:
            return []
        if len(batch) == 1:
            rest[0].error = EngineError(
                f"out of memory with a single completion ({last.shortage})",
                fix=f"Use a smaller {named('max_new_tokens')}, smaller images, or a smaller dtype.",
            )
            self._slots = self._all_slots
            return rest
        for each in rest:
            each.token_ids, each.logprob, each.details = [], 0.0, []
        self.waiting.extendleft(reversed(rest))
        self._slots = (len(batch) + 1) // 2
        logger.warning("out of memory; going on with {} completions at once ({})", self._slots, last.shortage)
        return []


def _append(batch: Sequence[SequenceState], scores: "Tensor", end_ids: frozenset[int]) -> "Tensor":
    """Append the next token to each sequence that wants one, from the logits of all, which are returned."""
    live = [at for at, each in enumerate(batch) if not each.ended and not each.cancelled]
    logits = scores.float()
    if live:
        append_tokens([batch[at] for at in live], logits[live], end_ids)
    return logits


def _read_alike(one: SequenceState, other: SequenceState) -> bool:
    """Tell whether two sequences can be read in one batch without padding."""
    if one.inputs is not None or other.inputs is not None:
        return one.inputs is other.inputs
    return (len(one.prompt_ids), one.n_prefix) == (len(other.prompt_ids), other.n_prefix)


def _find_first_id(model: Any) -> int:
    """Find the id that a decoder begins with.

    Raises:
        UserError: where none is named.
    """
    for source in (model.generation_config, model.config):
        for name in ("decoder_start_token_id", "bos_token_id"):
            if (found := getattr(source, name, None)) is not None:
                return int(found)
    raise UserError(
        "no file says which token the decoder begins with",
        where=named("model_path"),
        fix="Name it as decoder_start_token_id in config.json.",
    )


def _forget_defaults(model: Any) -> None:
    """Take a model's own generation settings out of it: what its file says has become our settings already."""
    from transformers import GenerationConfig as ModelDefaults

    kept: Mapping[str, Any] = {"decoder_start_token_id": getattr(model.config, "decoder_start_token_id", None)}
    model.generation_config = ModelDefaults(**kept)  # type: ignore[no-untyped-call]
