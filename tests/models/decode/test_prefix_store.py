"""What was read is found again, whole or in part, within its room."""

import torch

from inference_kit.models.decode.kv_cache import Layers
from inference_kit.models.decode.prefix_store import PromptStore

PROMPT = tuple(range(100, 130))
STEP = (*PROMPT, 7, 8, 9)


def layers(ids: tuple[int, ...], start: int = 0) -> Layers:
    """Two layers whose keys are the ids themselves, and whose values are their negatives."""
    keys = torch.tensor(ids[start:], dtype=torch.float32)[None, :, None]
    return [(keys, -keys), (keys + 0.5, -keys)]


def same(found: Layers, wanted: Layers) -> bool:
    return all(torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in zip(found, wanted, strict=True))


def test_a_step_is_kept_without_its_parent_and_found_with_it() -> None:
    store = PromptStore(100)
    store.add(PROMPT, layers(PROMPT))
    store.add(STEP, layers(STEP, len(PROMPT)), PROMPT)
    further = (*STEP, 10, 11)
    store.add(further, layers(further, len(STEP)), STEP)
    assert same(store.whole(further), layers(further))
    assert same(store.whole(STEP), layers(STEP))


def test_a_step_outlives_its_parents_place_in_the_store() -> None:
    store = PromptStore(5)
    store.add(PROMPT, layers(PROMPT))
    store.add(STEP, layers(STEP, len(PROMPT)), PROMPT)
    store.trim()
    assert PROMPT not in store
    assert same(store.whole(STEP), layers(STEP))


def test_the_longest_unused_goes_first_and_one_always_stays() -> None:
    store = PromptStore(70)
    others = [tuple(range(start, start + 30)) for start in (200, 300, 400)]
    for ids in (PROMPT, *others[:1]):
        store.add(ids, layers(ids))
    store.whole(PROMPT)
    store.add(others[1], layers(others[1]))
    store.trim()
    assert [ids in store for ids in (PROMPT, others[0], others[1])] == [True, False, True]
    long = tuple(range(500, 600))
    store.add(long, layers(long))
    store.trim()
    assert [ids in store for ids in (PROMPT, others[1], long)] == [False, False, True]
    store.clear()
    assert long not in store


def test_a_beginning_that_a_prompt_shares_is_found_where_it_is_worth_a_copy() -> None:
    store = PromptStore(1000)
    store.add(PROMPT, layers(PROMPT))
    other = (*PROMPT[:20], 1, 2, 3)
    length, found = store.shared_prefix(other)
    assert length == 20
    assert found is not None
    assert same(found, layers(PROMPT[:20]))
    assert store.shared_prefix((*PROMPT[:10], 1, 2, 3)) == (0, None)
