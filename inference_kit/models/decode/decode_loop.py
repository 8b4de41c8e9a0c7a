"""The decode loop: continuous batching over a slot cache, one step after another, with no thread and no event loop.

Why: candidates end at different lengths; one that ends must make room for the next at once, and the sixteen candidates
of one problem should read their prompt once. A sequence reads the last token of its prompt in its first step, not in
the prefill, so a sequence that goes on from a finished step finds all it needs in the prefix cache.
Promises: a sequence's tokens follow from its prompt, settings and seed alone (as far as floating-point sums do); live
sequence i is in slot i; when memory runs out the batch is halved, the sequences that lost their slot begin again, and
the loop goes on.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from loguru import logger

from inference_kit.errors import EngineError, UserError, first_line, named
from inference_kit.models.decode.kv_cache import Layers, SlotCache
from inference_kit.models.decode.masks import build_mask
from inference_kit.models.decode.prefix_cache import Ids, PrefixCache
from inference_kit.models.decode.sequences import NOT_NUMBERS, NOT_NUMBERS_FIX, SequenceState, append_tokens
from inference_kit.models.local.architecture import read_windows, refuse_architecture
from inference_kit.models.local.devices import explain_no_memory, is_out_of_memory
from inference_kit.models.local.rope import LengthRope
from inference_kit.records import GenerationConfig

if TYPE_CHECKING:
    from torch import Tensor

PREFILL_TOKENS = 4096
"""Prompt tokens of one forward pass, padding included."""
CHUNK_TOKENS = 1024
"""Tokens of one prompt in one forward pass; longer prompts take several."""
PROMPTS_AT_ONCE, LOOKAHEAD = 8, 256
"""Prompts read together, and how far down the queue they are looked for."""
CACHED_TOKENS, CACHED_TOKENS_A_SLOT = 8192, 128
"""Room of the prefix cache, in tokens: the larger of the two."""
TOLERANCE = 0.05
"""How far our logits may be off those without a cache, as a share of their spread; bfloat16 takes about 0.01."""


class DecodeLoop:
    """Runs sequences through a causal language model; `waiting` is the queue of those without a slot.

    Args:
        model: A `transformers` causal language model.
        slots: Sequences in one batch at the most.
        end_ids: Token ids that end a completion.
    """

    def __init__(self, model: Any, *, slots: int, end_ids: frozenset[int]) -> None:
        self.model, self.end_ids = model, end_ids
        self.waiting: deque[SequenceState] = deque()
        self.live: list[SequenceState] = []
        self._all_slots = slots
        self.prefixes = PrefixCache(max(CACHED_TOKENS, CACHED_TOKENS_A_SLOT * slots))
        self._windows = read_windows(model.config)
        self._rope = LengthRope(model)
        self._reset()

    def _reset(self) -> None:
        """Begin with all slots, empty."""
        self.slots, self._tokens_at_once = self._all_slots, PREFILL_TOKENS
        self._cache = SlotCache(self.slots)

    def check(self) -> None:
        """Compare the model's logits with our cache and without one, for prompts of unequal length.

        Raises:
            UserError: where they differ, so that an architecture nobody thought of is refused, never misread; and where
                they are not numbers.
        """
        import torch

        vocabulary = self.model.config.get_text_config().vocab_size
        prompts = [tuple((7 * at + length) % vocabulary for at in range(length)) for length in (8, 4)][: self.slots]
        self._cache = SlotCache(len(prompts))
        try:
            with torch.inference_mode():
                plain = [
                    self.model(input_ids=torch.tensor([ids], device=self.model.device), use_cache=False)
                    for ids in prompts
                ]
                self.waiting.extend(SequenceState(ids, GenerationConfig(), 0, 1) for ids in prompts)
                self._admit()
                ours = self._forward()
            expected = torch.stack([output.logits[0, -1].float() for output in plain])
            if expected.isnan().any() or ours.isnan().any():
                raise UserError(NOT_NUMBERS, where=named("model_path"), fix=NOT_NUMBERS_FIX)
            off = ((ours - expected).norm() / (expected - expected.mean()).norm()).item()
            reason = "" if off < TOLERANCE else f"its logits are {off:.0%} off"
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            if is_out_of_memory(error):
                raise explain_no_memory(error) from error
            reason = first_line(error) or type(error).__name__
        if reason:
            refuse_architecture(self.model.config, reason)
        self.live = []
        self.prefixes.clear()
        self._reset()

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self.waiting or self.live)

    def advance(self, steps: int) -> list[SequenceState]:
        """Take up to `steps` steps, and stop early once a sequence has ended; return those that have."""
        import torch

        with torch.inference_mode():
            for _ in range(steps):
                if finished := self._guarded_step():
                    return finished
                if not self.busy:
                    break
        return []

    def _guarded_step(self) -> list[SequenceState]:
        """Take a step; where memory runs out, go on with half the batch."""
        try:
            return self._step()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            reason = first_line(error)
        return self._halve(reason)  # out here the exception, which holds on to what did not fit, is gone

    def _step(self) -> list[SequenceState]:
        """Write one token for every live sequence; return those that have ended."""
        for sequence in [each for each in self.live if each.cancelled]:
            self._remove(sequence)
        self._admit()
        if not self.live:
            return []
        self._read_crossing()
        append_tokens(self.live, self._forward(), self.end_ids)
        ended = [each for each in self.live if each.ended]
        for sequence in ended:
            if sequence.finish_reason in ("boundary", "length"):
                self._cache_prefix(sequence)
        for sequence in ended:
            self._remove(sequence)
        self.prefixes.trim()
        return ended

    def _forward(self) -> "Tensor":
        """Read each live sequence's last token; return the logits that follow, (sequences, vocabulary)."""
        import torch

        device = self.model.device
        lengths = [each.n_cached for each in self.live]
        positions = torch.tensor(lengths, device=device)[:, None]
        tokens = torch.tensor([each.last_id for each in self.live], device=device)[:, None]
        longest = max(lengths) + 1
        self._cache.set_positions(positions, longest)
        with self._rope.given_lengths([length + 1 for length in lengths]):
            return self._logits(tokens, positions, self._cache, longest)

    def _read_crossing(self) -> None:
        """Read those sequences again whose positions have other frequencies from this step on."""
        for slot, sequence in enumerate(self.live):
            if sequence.token_ids and self._rope.crosses(sequence.n_cached + 1):
                ids = (*sequence.prompt_ids, *sequence.token_ids[:-1])
                if ids not in self.prefixes:
                    self._prefill_batch([_Unread(ids, 0, None)])
                self._cache.copy_in([slot], self.prefixes.get(ids))

    def _logits(self, tokens: "Tensor", positions: "Tensor", cache: SlotCache, length: int) -> "Tensor":
        """Run (sequences, new tokens) through the model; return the logits after each sequence's last one."""
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

    def _cache_prefix(self, sequence: SequenceState) -> None:
        """Keep the keys and values of a finished step, for those that go on from it.

        Its last token was not read yet, and neither was its prompt's in the prefill. Where the prompt is in the prefix
        cache, only what stands behind it is copied. Nothing is kept that a longer text would be read otherwise for.
        """
        end = self._rope.find_range(sequence.n_cached)
        if end != self._rope.find_range(sequence.n_cached + 1):
            return
        same = self._rope.find_range(len(sequence.prompt_ids)) == end
        parent = sequence.prefill_ids if same and sequence.prefill_ids in self.prefixes else None
        start = len(sequence.prefill_ids) if parent is not None else 0
        layers = self._cache.copy_out(self.live.index(sequence), start, sequence.n_cached)
        self.prefixes.add((*sequence.prompt_ids, *sequence.token_ids[:-1]), layers, parent)

    def _remove(self, sequence: SequenceState) -> None:
        """Free a sequence's slot; the last live sequence moves into it."""
        place = self.live.index(sequence)
        last = self.live.pop()
        if last is not sequence:
            self._cache.move(len(self.live), place, last.n_cached)
            self.live[place] = last

    def _admit(self) -> None:
        """Fill the free slots from the queue, in order; equal prompts are read once."""
        self.waiting = deque(each for each in self.waiting if not each.cancelled)
        chosen = list(islice(self.waiting, self.slots - len(self.live)))
        if not chosen:
            return
        self._prefill(chosen)
        slots_of: dict[Ids, list[int]] = {}
        for slot, sequence in enumerate(chosen, start=len(self.live)):
            slots_of.setdefault(sequence.prefill_ids, []).append(slot)
        for ids, slots in slots_of.items():
            if ids:
                self._cache.copy_in(slots, self.prefixes.get(ids))
        self.prefixes.trim()
        for sequence in chosen:  # only now, so that none is lost or counted as read where memory ran out above
            self.waiting.popleft()
            self.live.append(sequence)

    def _prefill(self, chosen: Sequence[SequenceState]) -> None:
        """Read the prompts of `chosen` that are not cached, together with those that come next in the queue."""
        wanted_ids = [each.prefill_ids for each in chosen if each.prefill_ids]
        missing = dict.fromkeys(ids for ids in wanted_ids if ids not in self.prefixes)
        if not missing:
            return
        wanted = PROMPTS_AT_ONCE if self.slots > 1 else 1
        for next_one in islice(self.waiting, len(chosen), len(chosen) + LOOKAHEAD):
            if len(missing) >= wanted:
                break
            if next_one.prefill_ids and next_one.prefill_ids not in self.prefixes:
                missing[next_one.prefill_ids] = None
        batch: list[_Unread] = []
        for ids in sorted(missing, key=len):
            each = _Unread(ids, *self.prefixes.find_shared(ids[:-1], partial(self._shares_range, len(ids))))
            if batch and len(each.rest) * (len(batch) + 1) > self._tokens_at_once:
                self._prefill_batch(batch)
                batch = []
            batch.append(each)
        self._prefill_batch(batch)

    def _shares_range(self, length: int, other: int) -> bool:
        """Tell whether prompts of so many tokens before their last one are read with the same positions."""
        return self._rope.find_range(length + 1) == self._rope.find_range(other + 1)

    def _prefill_batch(self, batch: Sequence["_Unread"]) -> None:
        """Run prompts through the model, padded on the left, in chunks; cache their keys and values.

        Padding is written to the place behind the longest prompt, which no query sees, and its outputs are not used.
        """
        import torch

        device = self.model.device
        width, longest = max(len(each.rest) for each in batch), max(len(each.ids) for each in batch)
        cache = SlotCache(len(batch))
        for slot, each in enumerate(batch):
            if each.layers:
                cache.copy_in([slot], each.layers)
        tokens = torch.tensor([[0] * (width - len(each.rest)) + list(each.rest) for each in batch], device=device)
        numbers = [[longest] * (width - len(each.rest)) + list(range(each.start, len(each.ids))) for each in batch]
        places = torch.tensor(numbers, device=device)
        positions = places.masked_fill(places == longest, 0)
        with self._rope.given_lengths([len(each.ids) + 1 for each in batch]):
            for start in range(0, width, CHUNK_TOKENS):
                part = slice(start, start + CHUNK_TOKENS)
                cache.set_positions(places[:, part], longest + 1)
                self._logits(tokens[:, part], positions[:, part], cache, longest + 1)
        for slot, each in enumerate(batch):
            self.prefixes.add(each.ids, cache.copy_out(slot, 0, len(each.ids)))

    def _halve(self, reason: str) -> list[SequenceState]:
        """Go on with half the slots; a single sequence that does not fit fails, and the others get all slots back."""
        self.prefixes.clear()
        if self.slots == self._tokens_at_once == 1:
            misfit = self.live.pop() if self.live else self.waiting.popleft()
            misfit.error = EngineError(
                f"out of memory with a single row of {len(misfit.prompt_ids)} prompt tokens",
                fix=f"Use a smaller {named('max_new_tokens')} or a smaller dtype.",
            )
            self._reset()
            return [misfit]
        self._tokens_at_once = self._tokens_at_once // 2 if self.slots > 1 else 1
        self.slots = max(1, self.slots // 2)
        kept = self.live[: self.slots] if self._shrink_cache() else []
        lost, self.live = self.live[len(kept) :], kept
        for sequence in lost:
            sequence.token_ids, sequence.logprob, sequence.details = [], 0.0, []
        self.waiting.extendleft(reversed(lost))
        logger.warning("out of memory; going on with {} rows at once ({})", self.slots, reason)
        return []

    def _shrink_cache(self) -> bool:
        """Keep the slots that are left; where even that takes too much memory, begin with an empty cache instead."""
        try:
            self._cache.shrink(self.slots)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        else:
            return True
        self._cache = SlotCache(self.slots)
        return False


@dataclass(frozen=True, slots=True)
class _Unread:
    """A prompt to read from token `start` on; `layers` hold what stands before it."""

    ids: Ids
    start: int
    layers: Layers | None

    @property
    def rest(self) -> Ids:
        """The tokens to read."""
        return self.ids[self.start :]
