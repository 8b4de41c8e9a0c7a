"""The decode loop: continuous batching over a slot cache, one step after another, with no thread and no event loop.

Why: candidates end at different lengths; a row that ends must make room for the next at once, and the sixteen
candidates of one problem should read their prompt once.
Promises: a row's tokens follow from its prompt, settings and seed alone (as far as floating-point sums do); live rows
are always the first slots; when memory runs out the batch is halved, the rows that lost their place begin again, and
the loop goes on.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from loguru import logger

from inference_kit.errors import EngineError, UserError
from inference_kit.models.kv_cache import Layers, SlotCache
from inference_kit.models.sampling import History, has_penalty, sample, uniforms
from inference_kit.records import FinishReason, GenerationConfig

if TYPE_CHECKING:
    from torch import Tensor

PREFILL_TOKENS = 4096
"""Prompt tokens of one forward pass, padding included."""
CHUNK_TOKENS = 1024
"""Tokens of one prompt in one forward pass; longer prompts take several."""
PROMPTS_AT_ONCE, ROWS_AHEAD = 8, 256
"""Prompts read together, and how far down the queue they are looked for."""
STORED_TOKENS = 8192
"""Tokens of prompts whose keys and values are kept for candidates to come."""
SHORTEST_SHARED_PREFIX = 16
TOLERANCE = 0.05
"""How far our logits may be off those without a cache, as a share of their spread; bfloat16 takes about 0.01."""


@dataclass(slots=True, eq=False)
class Row:
    """One completion in the making.

    `prompt` are the ids of the whole prompt with the partial answer; `ends` tells from the written ids whether a stop
    text or a step boundary has come, and is None where there is none to look for.
    """

    prompt: tuple[int, ...]
    config: GenerationConfig
    seed: int
    room: int
    ends: Callable[[Sequence[int]], FinishReason | None] | None = None
    written: list[int] = field(default_factory=list)
    logprob: float = 0.0
    finish_reason: FinishReason | None = None
    cancelled: bool = False
    error: EngineError | None = None
    next_logits: "Tensor | None" = None

    @property
    def length(self) -> int:
        """Tokens in the cache: all but the newest, which the next step reads."""
        return len(self.prompt) + len(self.written) - 1


class DecodeLoop:
    """Runs rows through a causal language model.

    Args:
        model: A `transformers` causal language model.
        slots: Rows in one batch at the most.
        eos: Token ids that end a completion.
    """

    def __init__(self, model: Any, *, slots: int, eos: frozenset[int]) -> None:
        self.model, self.eos = model, eos
        self.waiting: deque[Row] = deque()
        self.live: list[Row] = []
        self._all_slots = slots
        self._read: OrderedDict[tuple[int, ...], _Read] = OrderedDict()
        self._windows = sliding_windows(model.config)
        self._begin()

    def _begin(self) -> None:
        """Take all slots, empty."""
        self.slots, self._tokens_at_once = self._all_slots, PREFILL_TOKENS
        self._cache = SlotCache(self.slots)

    def check(self) -> None:
        """See that the model says the same by way of our cache as without one, for prompts of unequal length.

        Raises:
            UserError: where it does not, so that an architecture nobody thought of is refused, never misread.
        """
        import torch

        vocabulary = self.model.config.get_text_config().vocab_size
        prompts = [tuple((7 * at + length) % vocabulary for at in range(length)) for length in (8, 4)][: self.slots]
        try:
            with torch.inference_mode():
                plain = [self.model(torch.tensor([ids], device=self.model.device), use_cache=False) for ids in prompts]
                self.waiting.extend(Row(ids[:-1], GenerationConfig(), 0, 2) for ids in prompts)
                self._admit()
                for row, ids in zip(self.live, prompts, strict=True):
                    row.written.append(ids[-1])
                ours = self._forward()
            expected = torch.stack([output.logits[0, -1].float() for output in plain])
            off = ((ours - expected).norm() / (expected - expected.mean()).norm()).item()
            reason = "" if off < TOLERANCE else f"its logits are {off:.0%} off"
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            reason = str(error).split("\n", 1)[0] or type(error).__name__
        if reason:
            raise _refused(self.model.config, reason)
        self.live, self._read = [], OrderedDict()
        self._begin()

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self.waiting or self.live)

    def advance(self, steps: int) -> list[Row]:
        """Take up to `steps` steps, and stop early once a row has finished; return the finished rows."""
        import torch

        with torch.inference_mode():
            for _ in range(steps):
                if finished := self._guarded_step():
                    return finished
                if not self.busy:
                    break
        return []

    def _guarded_step(self) -> list[Row]:
        try:
            return self._step()
        except (RuntimeError, MemoryError) as error:
            if not _out_of_memory(error):
                raise
            reason = str(error).split("\n", 1)[0]
        return self._halve(reason)  # out here the exception, which holds on to what did not fit, is gone

    def _step(self) -> list[Row]:
        for row in [row for row in self.live if row.cancelled]:
            self._remove(row)
        self._admit()
        if not self.live:
            return []
        fresh = [row for row in self.live if row.next_logits is not None]
        if fresh:
            self._choose(fresh, self._stacked(fresh))
            for row in fresh:
                row.next_logits = None
        else:
            self._choose(self.live, self._forward())
        ended = [row for row in self.live if row.finish_reason or row.error]
        for row in ended:
            self._remove(row)
        return ended

    def _stacked(self, rows: Sequence[Row]) -> "Tensor":
        import torch

        return torch.stack([row.next_logits for row in rows if row.next_logits is not None])

    def _forward(self) -> "Tensor":
        """Read each live row's newest token; return the logits that follow, (rows, vocabulary)."""
        import torch

        device = self.model.device
        lengths = [row.length for row in self.live]
        positions = torch.tensor(lengths, device=device)[:, None]
        tokens = torch.tensor([row.written[-1] for row in self.live], device=device)[:, None]
        longest = max(lengths) + 1
        self._cache.aim(positions, longest)
        return self._logits(tokens, positions, self._cache, longest)

    def _logits(self, tokens: "Tensor", positions: "Tensor", cache: SlotCache, length: int) -> "Tensor":
        """Run (rows, new tokens) through the model; return the logits after each row's last one."""
        masks = {window: _mask(positions, length, window, self.model.dtype) for window in set(self._windows.values())}
        named = {name: masks[window] for name, window in self._windows.items()}
        mask = named if len(named) > 1 else next(iter(named.values()))
        output = self.model(
            input_ids=tokens,
            position_ids=positions,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = output.logits[:, -1].float()
        return logits

    def _choose(self, rows: Sequence[Row], logits: "Tensor") -> None:
        """Sample each row's next token and see whether it ends the row."""
        configs = [row.config for row in rows]
        draws = uniforms([row.seed for row in rows], [len(row.written) for row in rows])
        history = None
        if any(has_penalty(config) for config in configs):
            prompts, written = [row.prompt for row in rows], [row.written for row in rows]
            history = History(prompts, written, logits.shape[-1], str(logits.device))
        tokens, logprobs = sample(logits, configs, draws, history)
        for row, token, logprob in zip(rows, tokens.tolist(), logprobs.tolist(), strict=True):
            row.written.append(token)
            row.logprob += logprob
            if math.isnan(logprob):
                row.error = EngineError(
                    "the model's logits are not numbers",
                    fix="Its number format overflows: use --dtype bfloat16 or float32.",
                )
            elif token in self.eos:
                row.finish_reason = "stop"
            elif row.ends and (reason := row.ends(row.written)):
                row.finish_reason = reason
            elif len(row.written) >= row.room:
                row.finish_reason = "length"

    def _remove(self, row: Row) -> None:
        """Free a row's slot; the last live row moves into it."""
        place = self.live.index(row)
        last = self.live.pop()
        if last is not row:
            self._cache.move(len(self.live), place, last.length)
            self.live[place] = last

    def _admit(self) -> None:
        """Fill the free slots from the queue, in order; equal prompts are read once."""
        self.waiting = deque(row for row in self.waiting if not row.cancelled)
        chosen = list(islice(self.waiting, self.slots - len(self.live)))
        if not chosen:
            return
        self._read_prompts(chosen)
        families: dict[tuple[int, ...], list[int]] = {}
        for row in chosen:
            self.waiting.popleft()
            families.setdefault(row.prompt, []).append(len(self.live))
            row.next_logits = self._read[row.prompt].logits
            self.live.append(row)
        for prompt, slots in families.items():
            self._read.move_to_end(prompt)
            self._cache.write(slots, self._read[prompt].layers)
        while len(self._read) > 1 and sum(map(len, self._read)) > STORED_TOKENS:
            self._read.popitem(last=False)

    def _read_prompts(self, chosen: Sequence[Row]) -> None:
        """Read the prompts of `chosen` that are not stored, together with those that come next in the queue."""
        missing = dict.fromkeys(row.prompt for row in chosen if row.prompt not in self._read)
        if not missing:
            return
        wanted = PROMPTS_AT_ONCE if self.slots > 1 else 1
        for row in islice(self.waiting, len(chosen), len(chosen) + ROWS_AHEAD):
            if len(missing) >= wanted:
                break
            if row.prompt not in self._read:
                missing[row.prompt] = None
        batch: list[_ToRead] = []
        for prompt in sorted(missing, key=len):
            each = self._shared_prefix(prompt)
            if batch and len(each.rest) * (len(batch) + 1) > self._tokens_at_once:
                self._read_batch(batch)
                batch = []
            batch.append(each)
        self._read_batch(batch)

    def _shared_prefix(self, prompt: tuple[int, ...]) -> "_ToRead":
        """What of `prompt` has been read already as the beginning of another one, where that is worth a copy."""
        longest, source = 0, None
        for other, stored in self._read.items():
            shared = _common_prefix(prompt[:-1], other)
            if shared > longest:
                longest, source = shared, stored
        if source is None or longest < SHORTEST_SHARED_PREFIX:
            return _ToRead(prompt, 0, None)
        return _ToRead(prompt, longest, [(keys[:, :longest], values[:, :longest]) for keys, values in source.layers])

    def _read_batch(self, batch: Sequence["_ToRead"]) -> None:
        """Run prompts through the model, padded on the left, in chunks; store their keys, values and last logits."""
        import torch

        device = self.model.device
        width, longest = max(len(each.rest) for each in batch), max(len(each.prompt) for each in batch)
        cache = SlotCache(len(batch))
        for slot, each in enumerate(batch):
            if each.layers:
                cache.write([slot], each.layers)
        tokens = torch.tensor([[0] * (width - len(each.rest)) + list(each.rest) for each in batch], device=device)
        places = [[longest] * (width - len(each.rest)) + list(range(each.start, len(each.prompt))) for each in batch]
        written_to = torch.tensor(places, device=device)
        positions = written_to.masked_fill(written_to == longest, 0)
        logits = None
        for start in range(0, width, CHUNK_TOKENS):
            part = slice(start, start + CHUNK_TOKENS)
            cache.aim(written_to[:, part], longest + 1)
            logits = self._logits(tokens[:, part], positions[:, part], cache, longest + 1)
        assert logits is not None
        for slot, each in enumerate(batch):
            self._read[each.prompt] = _Read(cache.read(slot, len(each.prompt)), logits[slot])

    def _halve(self, reason: str) -> list[Row]:
        """Go on with half the rows; a single one that does not fit fails, and the others get all slots back."""
        self._read.clear()
        if self.slots == self._tokens_at_once == 1:
            row = self.live.pop() if self.live else self.waiting.popleft()
            row.error = EngineError(
                f"out of memory with a single row of {len(row.prompt)} prompt tokens",
                fix="Use a smaller --max-new-tokens or a smaller dtype.",
            )
            self._begin()
            return [row]
        self._tokens_at_once = self._tokens_at_once // 2 if self.slots > 1 else 1
        self.slots = max(1, self.slots // 2)
        kept = [row for row in self.live[: self.slots] if row.next_logits is None]  # new ones may not be written yet
        lost, self.live = self.live[len(kept) :], kept
        for row in lost:
            row.written, row.logprob, row.next_logits = [], 0.0, None
        self.waiting.extendleft(reversed(lost))
        self._cache.shrink(self.slots)
        logger.warning("out of memory; going on with {} rows at once ({})", self.slots, reason)
        return []


@dataclass(frozen=True, slots=True)
class _Read:
    """A prompt that was read: its keys and values, and the logits after its last token."""

    layers: Layers
    logits: "Tensor"


@dataclass(frozen=True, slots=True)
class _ToRead:
    """A prompt to read from token `start` on; `layers` hold what stands before it."""

    prompt: tuple[int, ...]
    start: int
    layers: Layers | None

    @property
    def rest(self) -> tuple[int, ...]:
        return self.prompt[self.start :]


def sliding_windows(config: Any) -> dict[str, int | None]:
    """The kinds of attention layers and their windows, None for full attention.

    Raises:
        UserError: for an architecture that keeps something else than keys and values.
    """
    config = config.get_text_config()
    window = getattr(config, "sliding_window", None)
    kinds = set(getattr(config, "layer_types", None) or ["sliding_attention" if window else "full_attention"])
    known = {"full_attention": None, "sliding_attention": window}
    if not kinds <= set(known) or config.model_type in NOT_KEYS_AND_VALUES:
        raise _refused(config, "it has another kind of state")
    return {kind: known[kind] for kind in sorted(kinds)}


def _refused(config: Any, reason: str) -> UserError:
    return UserError(
        f"architecture {config.model_type!r} does not keep plain keys and values for each token ({reason})",
        where="--model-path",
        fix="This engine cannot run it; use a server or vLLM.",
    )


NOT_KEYS_AND_VALUES = ("mamba", "mamba2", "rwkv", "falcon_mamba", "recurrent_gemma", "bloom", "mpt", "xlstm")
"""Architectures with a recurrent state, or with positions that only a two-dimensional mask can tell (ALiBi)."""


def _mask(positions: "Tensor", length: int, window: int | None, dtype: Any) -> "Tensor":
    """(rows, 1, queries, length), to be added to attention scores: 0 where a query may look, else very negative."""
    import torch

    places = torch.arange(length, device=positions.device)
    seen = places <= positions[:, :, None]
    if window is not None:
        seen &= places > positions[:, :, None] - window
    hidden = torch.finfo(dtype).min
    return torch.zeros(seen.shape, dtype=dtype, device=positions.device).masked_fill_(~seen, hidden)[:, None]


def _common_prefix(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _out_of_memory(error: BaseException) -> bool:
    import torch

    words = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(word in str(error).lower() for word in words)
