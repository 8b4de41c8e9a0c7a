"""Selection: the first, the named, or a few at random."""

import itertools
from collections.abc import Iterator

import pytest

from inference_kit.dataset.selection import Selection, Shard
from inference_kit.errors import UserError
from inference_kit.records import Index, Message, Problem


def problems(*indices: Index) -> Iterator[Problem]:
    return (Problem(index, (Message("user", "?"),)) for index in indices)


def taken(selection: Selection, *indices: Index) -> list[Index]:
    return [problem.index for problem in selection.select(problems(*indices))]


def test_without_wishes_all_are_taken() -> None:
    assert taken(Selection(), 0, "a", 2) == [0, "a", 2]


def test_a_limit_takes_the_first_and_reads_no_further() -> None:
    """MAIN-17."""
    endless = (Problem(index, ()) for index in itertools.count())
    assert [problem.index for problem in Selection(limit=3).select(endless)] == [0, 1, 2]


def test_indices_and_ranges_are_taken_in_the_order_of_the_data() -> None:
    """MAIN-17."""
    assert taken(Selection(index="7, 3,10-12"), *range(20)) == [3, 7, 10, 11, 12]


def test_texts_are_indices_too() -> None:
    assert taken(Selection(index="test/1.json,2023-01,5-6"), "test/1.json", "2023-01", "5", "x") == [
        "test/1.json",
        "2023-01",
        "5",
    ]


def test_a_range_need_not_be_filled() -> None:
    assert taken(Selection(index="1600-1700"), 1606, 1610, 1800) == [1606, 1610]


@pytest.mark.parametrize(("asked", "said"), [("1,99", "99"), ("50-60", "50-60"), ("2-1", "2-1"), ("x", "x")])
def test_an_index_that_is_not_there_is_named(asked: str, said: str) -> None:
    with pytest.raises(UserError, match=f"--index: no problem has index {said}"):
        taken(Selection(index=asked), 0, 1, 2)


def test_an_empty_wish_is_refused() -> None:
    with pytest.raises(UserError, match="--index: no index is named"):
        taken(Selection(index=" , "), 0)


def test_a_limit_counts_what_the_index_names() -> None:
    assert taken(Selection(limit=2, index="3-9"), *range(20)) == [3, 4]


def test_a_seed_takes_the_same_few_and_a_larger_limit_keeps_them() -> None:
    """MAIN-17."""
    few, more = (taken(Selection(limit=limit, shuffle_seed=1), *range(1000)) for limit in (50, 80))
    assert few == taken(Selection(limit=50, shuffle_seed=1), *range(1000))
    assert few != taken(Selection(limit=50, shuffle_seed=2), *range(1000))
    assert len(few) == 50 and few == sorted(few) and few[-1] > 500
    assert set(few) < set(more)


def test_all_at_random_are_all() -> None:
    assert taken(Selection(shuffle_seed=1), 3, 1, 2) == [3, 1, 2]
    assert taken(Selection(limit=9, shuffle_seed=1), 3, 1, 2) == [3, 1, 2]


def test_shards_have_every_selected_problem_in_exactly_one_of_them() -> None:
    parts = [taken(Selection(limit=8, shard=Shard.read(f"{number}/3")), *range(20)) for number in (1, 2, 3)]
    assert parts == [[0, 3, 6], [1, 4, 7], [2, 5]]
    drawn = [taken(Selection(limit=8, shuffle_seed=1, shard=Shard(number, 3)), *range(20)) for number in (1, 2, 3)]
    assert sorted(index for part in drawn for index in part) == taken(Selection(limit=8, shuffle_seed=1), *range(20))


def test_a_shard_keeps_its_problems_when_more_are_asked_for() -> None:
    few, more = (taken(Selection(limit=limit, shard=Shard(2, 4)), *range(100)) for limit in (20, 50))
    assert more[: len(few)] == few


@pytest.mark.parametrize("text", ["5/4", "0/4", "1/0", "1", "1/x", "-1/4", "1/4/2", ""])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--shard: expected i/k with i from 1 to k"):
        Shard.read(text)
