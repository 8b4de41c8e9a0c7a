"""PrefixCache: the longest known prefix is found, and memory is bounded."""

import torch

from inference_kit.reward_models.local.encoded_text import EncodedText
from inference_kit.reward_models.local.prefix_cache import CachedPrefix, PrefixCache, build_key_values


def test_the_least_recently_used_prefix_goes_first() -> None:
    of_ten_tokens = CachedPrefix((0.5,), torch.zeros(2, 1, 10, 1))
    cache = PrefixCache(2 * of_ten_tokens.states.nbytes)
    first, second, third = (tuple([number] * 11) for number in range(3))
    for ids in (first, second):
        cache.add(ids, of_ten_tokens)
    assert cache.find_longest(EncodedText((*first, 7, 8), (10, 12)))
    cache.add(third, of_ten_tokens)
    found = [cache.find_longest(EncodedText((*ids, 7, 8), (10, 12))) is not None for ids in (first, second, third)]
    assert found == [True, False, True]
    assert cache.find_longest(EncodedText(first, (10,))) is None, "the last position of a text is always read"


def test_of_two_known_prefixes_the_longer_one_is_found() -> None:
    short, long = (CachedPrefix((0.5,) * (size - 1), torch.zeros(2, 1, size, 1)) for size in (2, 3))
    cache = PrefixCache(1 << 20)
    cache.add((1, 2, 3), short)
    cache.add((1, 2, 3, 4), long)
    assert cache.find_longest(EncodedText((1, 2, 3, 4, 5), (2, 3, 4))) is long
    assert cache.find_longest(EncodedText((1, 2, 3, 9, 5), (2, 3, 4))) is short


def test_prefixes_of_a_batch_end_in_one_column() -> None:
    """Two layers; the shorter prefix is padded with zeros on the left, a row without one is zeros alone."""
    long, short = (CachedPrefix((0.5,), torch.full((4, 1, size, 2), float(size))) for size in (3, 1))
    cache = build_key_values([long, short, None], 3)
    assert len(cache.layers) == 2
    for layer in cache.layers:
        assert layer.keys[:, 0, :, 0].tolist() == [[3, 3, 3], [0, 0, 1], [0, 0, 0]]
