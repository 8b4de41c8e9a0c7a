"""The decode loop: rows come and go, memory runs out, and each row says what it would have said alone."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import tiny_models
import torch

from inference_kit.errors import UserError
from inference_kit.models.decode import decode_loop as decoding
from inference_kit.models.decode import kv_cache
from inference_kit.models.decode.decode_loop import DecodeLoop
from inference_kit.models.decode.sequences import SequenceState
from inference_kit.models.local.architecture import read_windows
from inference_kit.records import GenerationConfig

SAMPLED = GenerationConfig(temperature=1.0)
PROMPTS = [tuple(range(10, 10 + length)) for length in (3, 40, 17, 1, 25, 40, 9)]


@pytest.fixture(scope="module", params=["llama", "gemma3"])
def model(request: pytest.FixtureRequest, model_folder: Callable[[str], Path]) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(model_folder(request.param)).eval()


def rows() -> list[SequenceState]:
    """Rows of many lengths, several with the same prompt."""
    return [
        SequenceState(prompt, SAMPLED, seed, max_tokens=4 + 5 * seed + len(prompt) % 7)
        for prompt in PROMPTS
        for seed in range(3)
    ]


def finish(loop: DecodeLoop, given: Sequence[SequenceState]) -> list[SequenceState]:
    loop.waiting.extend(given)
    ended: list[SequenceState] = []
    while loop.busy:
        ended += loop.advance(8)
    return ended


def written(given: Sequence[SequenceState]) -> list[list[int]]:
    return [row.token_ids for row in given]


@pytest.fixture(scope="module")
def expected(model: Any) -> list[list[int]]:
    """What each row says alone."""
    given = rows()
    for row in given:
        finish(DecodeLoop(model, slots=1, end_ids=frozenset({2})), [row])
    return written(given)


class OutOfMemory:
    """A model that has no memory in some of its calls, or whenever `too_large` says so."""

    def __init__(self, model: Any, *, calls: Sequence[int] = (), too_large: Callable[[Any], bool] = lambda _: False):
        self.model, self.calls, self.too_large, self.number = model, calls, too_large, 0
        self.config, self.device, self.dtype, self.modules = model.config, model.device, model.dtype, model.modules

    def __call__(self, **inputs: Any) -> Any:
        self.number += 1
        output = self.model(**inputs)
        if self.number in self.calls or self.too_large(inputs["input_ids"]):
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return output


@pytest.mark.parametrize("slots", [3, 8, 64])
def test_rows_say_the_same_in_any_number_of_slots(slots: int, model: Any, expected: list[list[int]]) -> None:
    given = rows()
    ended = finish(DecodeLoop(model, slots=slots, end_ids=frozenset({2})), given)
    assert written(given) == expected
    assert len(ended) == len(set(ended)) == len(given)


def test_rows_say_the_same_where_prompts_are_read_in_chunks_and_nothing_is_stored(
    model: Any, expected: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"CHUNK_TOKENS": 7, "PREFILL_TOKENS": 50, "CACHED_TOKENS": 0}.items():
        monkeypatch.setattr(decoding, name, value)
    given = rows()
    finish(DecodeLoop(model, slots=8, end_ids=frozenset({2})), given)
    assert written(given) == expected


@pytest.mark.parametrize("calls", [(1,), (2, 3), (9,), (4, 20, 21)])
def test_running_out_of_memory_halves_the_slots_and_changes_no_result(
    calls: Sequence[int], model: Any, expected: list[list[int]]
) -> None:
    loop = DecodeLoop(OutOfMemory(model, calls=calls), slots=16, end_ids=frozenset({2}))
    given = rows()
    finish(loop, given)
    assert written(given) == expected
    assert loop.slots == 16 >> len(calls)


@pytest.mark.parametrize(("place", "call"), [("SlotCache.copy_in", 5), ("_grow", 2)])
def test_running_out_of_memory_in_the_cache_changes_no_result(
    place: str, call: int, model: Any, expected: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """New rows whose keys and values were not written yet, and a cache that had grown in some layers only."""
    calls = iter(range(1, 1000))
    owner, name = (kv_cache.SlotCache, "copy_in") if "." in place else (kv_cache, place)
    real = getattr(owner, name)

    def fails_once(*given: Any) -> Any:
        if next(calls) == call:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(*given)

    monkeypatch.setattr(owner, name, fails_once)
    loop = DecodeLoop(model, slots=16, end_ids=frozenset({2}))
    given = rows()
    longest = SequenceState(PROMPTS[1], SAMPLED, 0, max_tokens=60)
    finish(loop, [longest, *given])
    assert loop.slots == 8
    assert written(given) == expected
    assert longest.token_ids[: len(expected[3])] == expected[3]
    assert len(longest.token_ids) == 60 or longest.token_ids[-1] == 2


@pytest.mark.parametrize("times", [1, 3])
def test_running_out_of_memory_in_the_halving_begins_the_rows_again(
    times: int, model: Any, expected: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 13, F23: halving copies the cache, and every problem failed where not even that fitted."""
    left = [times]
    real = kv_cache.SlotCache.shrink

    def fails(cache: Any, slots: int) -> None:
        if left[0]:
            left[0] -= 1
            raise torch.OutOfMemoryError("CUDA out of memory.")
        real(cache, slots)

    monkeypatch.setattr(kv_cache.SlotCache, "shrink", fails)
    loop = DecodeLoop(OutOfMemory(model, calls=(9, 30, 31, 60)), slots=32, end_ids=frozenset({2}))
    given = rows()
    ended = finish(loop, given)
    assert written(given) == expected
    assert len(ended) == len(set(ended)) == len(given)


def test_a_row_that_never_fits_fails_alone(model: Any, expected: list[list[int]]) -> None:
    loop = DecodeLoop(
        OutOfMemory(model, too_large=lambda ids: ids.shape[1] > 1 and 60 in ids), slots=8, end_ids=frozenset({2})
    )
    bad = SequenceState((60, *range(10, 30)), SAMPLED, 0, max_tokens=5)
    given = rows()
    ended = finish(loop, [*given[:9], bad, *given[9:]])
    assert [row for row in ended if row.error] == [bad]
    assert "out of memory with a single row of 21 prompt tokens" in str(bad.error)
    assert loop.slots == 8
    assert written(given) == expected


def test_a_cancelled_row_makes_room(model: Any) -> None:
    loop = DecodeLoop(model, slots=2, end_ids=frozenset())
    stay, leave, later = (
        SequenceState((5, 6), SAMPLED, 0, 30),
        SequenceState((5, 6), SAMPLED, 1, 30),
        SequenceState((7,), SAMPLED, 2, 3),
    )
    loop.waiting.extend([leave, stay, later])
    loop.advance(4)
    leave.cancelled = True
    assert loop.advance(10) == [later]
    assert len(stay.token_ids) > len(leave.token_ids)
    stay.cancelled = True
    loop.advance(1)
    assert not loop.busy


def test_an_error_that_is_not_about_memory_is_raised(model: Any) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("shapes do not match")

    loop = DecodeLoop(model, slots=2, end_ids=frozenset())
    loop.model = type(
        "Broken", (), {"__call__": lambda self, **given: broken(**given), "device": "cpu", "dtype": model.dtype}
    )()
    loop.waiting.append(SequenceState((5,), SAMPLED, 0, 3))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        loop.advance(1)


def test_logits_that_are_no_numbers_fail_the_row(model: Any) -> None:
    """A float16 overflow must not pass as text."""

    class Overflow(OutOfMemory):
        def __call__(self, **inputs: Any) -> Any:
            output = self.model(**inputs)
            output.logits[0] = float("nan")
            return output

    loop = DecodeLoop(Overflow(model), slots=2, end_ids=frozenset())
    (row,) = finish(loop, [SequenceState((5, 6), SAMPLED, 0, 3)])
    assert "not numbers" in str(row.error)


def test_architectures_without_keys_and_values_are_refused_by_name() -> None:
    from transformers import LlamaConfig, MambaConfig

    with pytest.raises(UserError, match="'mamba' does not keep plain keys and values"):
        read_windows(MambaConfig())
    assert read_windows(LlamaConfig()) == {"full_attention": None}
    assert read_windows(tiny_models.CONFIGS["gemma3"]()) == {
        "full_attention": None,
        "sliding_attention": tiny_models.WINDOW,
    }


class Counting:
    """A model that counts the tokens it reads."""

    def __init__(self, model: Any) -> None:
        self.model, self.tokens = model, 0
        self.config, self.device, self.dtype, self.modules = model.config, model.device, model.dtype, model.modules

    def __call__(self, **inputs: Any) -> Any:
        self.tokens += inputs["input_ids"].numel()
        return self.model(**inputs)


def test_what_goes_on_from_a_step_reads_its_last_token_only(model: Any) -> None:
    """Step search: neither the prompt nor the earlier steps go through the model again."""
    counting = Counting(model)
    loop = DecodeLoop(counting, slots=8, end_ids=frozenset())
    (first,) = finish(loop, [SequenceState(PROMPTS[1], SAMPLED, 1, max_tokens=6)])
    path = (*first.prompt_ids, *first.token_ids)
    for _ in range(3):
        counting.tokens = 0
        siblings = [SequenceState(path, SAMPLED, seed, max_tokens=5) for seed in range(4)]
        finish(loop, siblings)
        assert counting.tokens == 4 * 5
        path = (*path, *siblings[2].token_ids)
    alone = SequenceState(path[:-5], SAMPLED, 2, max_tokens=5)
    finish(DecodeLoop(model, slots=1, end_ids=frozenset()), [alone])
    assert alone.token_ids == list(path[-5:])
