"""The index over the files of calls: what is written is found, and what is damaged is not used."""

import os
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_kit.store.call_log import call_key
from inference_kit.store.key_index import (
    BLOCK,
    NAME,
    Covered,
    Entries,
    KeyIndex,
    SpoiltIndex,
    pack_place,
    unpack_place,
    write_index,
)

COVERED = [Covered("000001.jsonl", 10, "run"), Covered("é.jsonl", 0, None)]
KEYS = st.one_of(
    st.binary(min_size=16, max_size=16),
    # Many keys whose first halves are equal, so that they fill whole blocks.
    st.integers(0, 3).flatmap(lambda high: st.integers(0, 999).map(lambda low: bytes([high] * 8) + low.to_bytes(8))),
)


def keys(start: int, stop: int) -> dict[bytes, int]:
    return {bytes.fromhex(call_key(n=number)): pack_place(number % 7, number) for number in range(start, stop)}


def write_in_turns(folder: Path, turns: list[dict[bytes, int]], gone: tuple[int, ...] = ()) -> KeyIndex:
    index = None
    for turn in turns:
        index = write_index(folder, COVERED, index, Entries.sort(turn), gone=gone)
    assert index
    return index


@given(turns=st.lists(st.dictionaries(KEYS, st.integers(0, 2**62), min_size=1), min_size=1, max_size=4))
def test_every_place_of_every_key_is_found(
    tmp_path_factory: pytest.TempPathFactory, turns: list[dict[bytes, int]]
) -> None:
    index = write_in_turns(tmp_path_factory.mktemp("calls"), turns)
    wanted = defaultdict(list)
    for turn in turns:
        for key, place in turn.items():
            wanted[key].append(place)
    assert {key: sorted(index.find(key)) for key in wanted} == {key: sorted(places) for key, places in wanted.items()}
    assert len(index) == sum(map(len, turns))
    assert index.find(b"\xff" * 15 + b"\x01") == wanted.get(b"\xff" * 15 + b"\x01", [])
    assert index.covered == COVERED


def test_equal_first_halves_reach_over_blocks(tmp_path: Path) -> None:
    alike = {bytes(8) + number.to_bytes(8): number for number in range(3 * BLOCK)}
    index = write_in_turns(tmp_path, [alike, keys(0, 1000), {bytes(8) + b"lastlast": 5}])
    assert all(index.find(key) == [place] for key, place in alike.items())
    assert index.find(bytes(8) + b"lastlast") == [5]


def test_entries_in_memory_merge_as_those_on_disk() -> None:
    entries = Entries.sort(keys(0, 100)).merge(Entries.sort(keys(50, 300)))
    assert len(entries) == 350
    assert all(set(entries.find(key)) == {place} for key, place in keys(0, 300).items())
    assert entries.find(bytes(16)) == []


def test_entries_of_files_that_are_gone_are_left_out(tmp_path: Path) -> None:
    index = write_in_turns(tmp_path, [keys(0, 2000), keys(2000, 2001)], gone=(3, 5))
    kept = {key: place for key, place in keys(0, 2001).items() if unpack_place(place)[0] not in (3, 5)}
    assert len(index) == len(kept)
    assert all(bool(index.find(key)) == (key in kept) for key in keys(0, 2001))


@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_noticed_and_never_misleads(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    folder = tmp_path_factory.mktemp("calls")
    write_in_turns(folder, [keys(0, 600)]).close()
    data = bytearray((folder / NAME).read_bytes())
    data[place % len(data)] ^= 1 << bit
    (folder / NAME).write_bytes(data)
    with pytest.raises(SpoiltIndex):
        index = KeyIndex(folder)
        for key, found in keys(0, 600).items():
            assert index.find(key) == [found]


@pytest.mark.parametrize("size", [0, 1, 100, -1])
def test_a_file_of_another_length_is_not_used(tmp_path: Path, size: int) -> None:
    write_in_turns(tmp_path, [keys(0, 600)]).close()
    data = (tmp_path / NAME).read_bytes()
    for other in (data[:size], data + b"x"):
        (tmp_path / NAME).write_bytes(other)
        with pytest.raises(SpoiltIndex):
            KeyIndex(tmp_path)


def test_an_open_index_stays_as_it_was_when_another_takes_its_place(tmp_path: Path) -> None:
    first = write_in_turns(tmp_path, [keys(0, 600)])
    write_index(tmp_path, [], None, Entries.sort(keys(600, 700)))
    assert all(first.find(key) == [place] for key, place in keys(0, 600).items())


def test_what_a_killed_process_began_to_write_is_deleted_later(tmp_path: Path) -> None:
    old, new = tmp_path / f".{NAME}.0123.tmp", tmp_path / f".{NAME}.4567.tmp"
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    write_in_turns(tmp_path, [keys(0, 10)])
    assert not old.exists() and new.exists()
