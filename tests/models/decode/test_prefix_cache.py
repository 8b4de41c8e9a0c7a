"""What was read is found again, whole or in part, within its room."""

import torch

from inference_kit.models.decode.kv_cache import Layers
from inference_kit.models.decode.prefix_cache import PrefixCache

PROMPT = tuple(range(100, 130))
STEP = (*PROMPT, 7, 8, 9)


def layers(ids: tuple[int, ...], start: int = 0) -> Layers:
    """Two layers whose keys are the ids themselves, and whose values are their negatives."""
    keys = torch.tensor(ids[start:], dtype=torch.float32)[None, :, None]
    return [(keys, -keys), (keys + 0.5, -keys)]


def same(found: Layers, wanted: Layers) -> bool:
    return all(torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in zip(found, wanted, strict=True))


def test_a_step_is_kept_without_its_parent_and_found_with_it() -> None:
    cache = PrefixCache(100)
    cache.add(PROMPT, layers(PROMPT))
    cache.add(STEP, layers(STEP, len(PROMPT)), PROMPT)
    further = (*STEP, 10, 11)
    cache.add(further, layers(further, len(STEP)), STEP)
    assert same(cache.get(further), layers(further))
    assert same(cache.get(STEP), layers(STEP))


def test_a_step_outlives_its_parents_place_in_the_cache() -> None:
    cache = PrefixCache(5)
    cache.add(PROMPT, layers(PROMPT))
    cache.add(STEP, layers(STEP, len(PROMPT)), PROMPT)
    cache.trim()
    assert PROMPT not in cache
    assert same(cache.get(STEP), layers(STEP))


def test_the_longest_unused_goes_first_and_one_always_stays() -> None:
    cache = PrefixCache(70)
    others = [tuple(range(start, start + 30)) for start in (200, 300, 400)]
    for ids in (PROMPT, *others[:1]):
        cache.add(ids, layers(ids))
    cache.get(PROMPT)
    cache.add(others[1], layers(others[1]))
    cache.trim()
    assert [ids in cache for ids in (PROMPT, others[0], others[1])] == [True, False, True]
    long = tuple(range(500, 600))
    cache.add(long, layers(long))
    cache.trim()
    assert [ids in cache for ids in (PROMPT, others[1], long)] == [False, False, True]
    cache.clear()
    assert long not in cache


def test_a_beginning_that_a_prompt_shares_is_found_where_it_is_worth_a_copy() -> None:
    cache = PrefixCache(1000)
    cache.add(PROMPT, layers(PROMPT))
    other = (*PROMPT[:20], 1, 2, 3)
    length, found = cache.find_shared(other)
    assert length == 20
    assert found is not None
    assert same(found, layers(PROMPT[:20]))
    assert cache.find_shared((*PROMPT[:10], 1, 2, 3)) == (0, None)
