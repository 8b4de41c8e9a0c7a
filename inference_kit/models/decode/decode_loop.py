"""The decode loop: continuous batching over a slot cache, one step after another, with no thread and no event loop.

Why: candidates end at different lengths; a row that ends must make room for the next at once, and the sixteen
candidates of one problem should read their prompt once. A row reads the last token of its prompt in its first step, so
a step that goes on from another finds all it needs stored.
Promises: a row's tokens follow from its prompt, settings and seed alone (as far as floating-point sums do); live rows
are always the first slots; when memory runs out the batch is halved, the rows that lost their place begin again, and
the loop goes on.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from loguru import logger

from inference_kit.errors import EngineError, first_line
from inference_kit.models.decode.kv_cache import Layers, SlotCache
from inference_kit.models.decode.masks import build_mask
from inference_kit.models.decode.prefix_cache import Ids, PrefixCache
from inference_kit.models.decode.sequences import Row, choose
from inference_kit.models.local.architecture import read_windows, refuse_architecture
from inference_kit.models.local.devices import is_out_of_memory
from inference_kit.records import GenerationConfig

if TYPE_CHECKING:
    from torch import Tensor

PREFILL_TOKENS = 4096
"""Prompt tokens of one forward pass, padding included."""
CHUNK_TOKENS = 1024
"""Tokens of one prompt in one forward pass; longer prompts take several."""
PROMPTS_AT_ONCE, ROWS_AHEAD = 8, 256
"""Prompts read together, and how far down the queue they are looked for."""
STORED_TOKENS, STORED_TOKENS_A_SLOT = 8192, 128
"""Tokens of prompts and steps whose keys and values are kept for candidates to come: the larger of the two."""
TOLERANCE = 0.05
"""How far our logits may be off those without a cache, as a share of their spread; bfloat16 takes about 0.01."""


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
        self.prefixes = PrefixCache(max(STORED_TOKENS, STORED_TOKENS_A_SLOT * slots))
        self._windows = read_windows(model.config)
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
                self.waiting.extend(Row(ids, GenerationConfig(), 0, 1) for ids in prompts)
                self._admit()
                ours = self._forward()
            expected = torch.stack([output.logits[0, -1].float() for output in plain])
            off = ((ours - expected).norm() / (expected - expected.mean()).norm()).item()
            reason = "" if off < TOLERANCE else f"its logits are {off:.0%} off"
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            reason = first_line(error) or type(error).__name__
        if reason:
            refuse_architecture(self.model.config, reason)
        self.live = []
        self.prefixes.clear()
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
            if not is_out_of_memory(error):
                raise
            reason = first_line(error)
        return self._halve(reason)  # out here the exception, which holds on to what did not fit, is gone

    def _step(self) -> list[Row]:
        for row in [row for row in self.live if row.cancelled]:
            self._remove(row)
        self._admit()
        if not self.live:
            return []
        choose(self.live, self._forward(), self.eos)
        ended = [row for row in self.live if row.finish_reason or row.error]
        for row in ended:
            if row.finish_reason in ("boundary", "length"):
                self._remember(row)
        for row in ended:
            self._remove(row)
        self.prefixes.trim()
        return ended

    def _forward(self) -> "Tensor":
        """Read each live row's newest token; return the logits that follow, (rows, vocabulary)."""
        import torch

        device = self.model.device
        lengths = [row.length for row in self.live]
        positions = torch.tensor(lengths, device=device)[:, None]
        tokens = torch.tensor([row.newest for row in self.live], device=device)[:, None]
        longest = max(lengths) + 1
        self._cache.set_positions(positions, longest)
        return self._logits(tokens, positions, self._cache, longest)

    def _logits(self, tokens: "Tensor", positions: "Tensor", cache: SlotCache, length: int) -> "Tensor":
        """Run (rows, new tokens) through the model; return the logits after each row's last one."""
        masks = {
            window: build_mask(positions, length, window, self.model.dtype) for window in set(self._windows.values())
        }
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

    def _remember(self, row: Row) -> None:
        """Keep what a step has computed, for those that go on from it."""
        parent = row.read if row.read in self.prefixes else None
        start = len(row.read) if parent is not None else 0
        layers = self._cache.copy_out(self.live.index(row), start, row.length)
        self.prefixes.add((*row.prompt, *row.written[:-1]), layers, parent)

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
        families: dict[Ids, list[int]] = {}
        for slot, row in enumerate(chosen, start=len(self.live)):
            families.setdefault(row.read, []).append(slot)
        for ids, slots in families.items():
            if ids:
                self._cache.copy_in(slots, self.prefixes.get(ids))
        self.prefixes.trim()
        for row in chosen:  # only now, so that none is lost or counted as read where memory ran out above
            self.waiting.popleft()
            self.live.append(row)

    def _read_prompts(self, chosen: Sequence[Row]) -> None:
        """Read the prompts of `chosen` that are not stored, together with those that come next in the queue."""
        missing = dict.fromkeys(row.read for row in chosen if row.read and row.read not in self.prefixes)
        if not missing:
            return
        wanted = PROMPTS_AT_ONCE if self.slots > 1 else 1
        for row in islice(self.waiting, len(chosen), len(chosen) + ROWS_AHEAD):
            if len(missing) >= wanted:
                break
            if row.read and row.read not in self.prefixes:
                missing[row.read] = None
        batch: list[_ToRead] = []
        for ids in sorted(missing, key=len):
            each = _ToRead(ids, *self.prefixes.find_shared(ids[:-1]))
            if batch and len(each.rest) * (len(batch) + 1) > self._tokens_at_once:
                self._read_batch(batch)
                batch = []
            batch.append(each)
        self._read_batch(batch)

    def _read_batch(self, batch: Sequence["_ToRead"]) -> None:
        """Run prompts through the model, padded on the left, in chunks; store their keys and values."""
        import torch

        device = self.model.device
        width, longest = max(len(each.rest) for each in batch), max(len(each.ids) for each in batch)
        cache = SlotCache(len(batch))
        for slot, each in enumerate(batch):
            if each.layers:
                cache.copy_in([slot], each.layers)
        tokens = torch.tensor([[0] * (width - len(each.rest)) + list(each.rest) for each in batch], device=device)
        places = [[longest] * (width - len(each.rest)) + list(range(each.start, len(each.ids))) for each in batch]
        written_to = torch.tensor(places, device=device)
        positions = written_to.masked_fill(written_to == longest, 0)
        for start in range(0, width, CHUNK_TOKENS):
            part = slice(start, start + CHUNK_TOKENS)
            cache.set_positions(written_to[:, part], longest + 1)
            self._logits(tokens[:, part], positions[:, part], cache, longest + 1)
        for slot, each in enumerate(batch):
            self.prefixes.add(each.ids, cache.copy_out(slot, 0, len(each.ids)))

    def _halve(self, reason: str) -> list[Row]:
        """Go on with half the rows; a single one that does not fit fails, and the others get all slots back."""
        self.prefixes.clear()
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
        lost, self.live = self.live[self.slots :], self.live[: self.slots]
        for row in lost:
            row.written, row.logprob, row.sureness = [], 0.0, []
        self.waiting.extendleft(reversed(lost))
        self._cache.shrink(self.slots)
        logger.warning("out of memory; going on with {} rows at once ({})", self.slots, reason)
        return []


@dataclass(frozen=True, slots=True)
class _ToRead:
    """A sequence to read from token `start` on; `layers` hold what stands before it."""

    ids: Ids
    start: int
    layers: Layers | None

    @property
    def rest(self) -> Ids:
        return self.ids[self.start :]
