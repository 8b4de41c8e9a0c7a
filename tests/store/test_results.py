"""Partial and final files."""

import json
import resource
import signal
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger

from inference_kit.errors import UserError
from inference_kit.records import Candidate, Record, Usage
from inference_kit.records.indices import canonical_index
from inference_kit.store.results import PartialFile, read_final, write_final

characters = st.characters(exclude_categories=["Cs"]) | st.sampled_from("\u2028\u2029\x00\n\r\x85\ud800\udfff")
texts = st.text(characters, max_size=20).filter(lambda text: text == json.loads(json.dumps(text)))
numbers = st.floats(allow_nan=False, allow_infinity=False)
scores = st.lists(st.floats(0, 1), max_size=3).map(tuple)
candidates = st.builds(
    Candidate,
    text=texts,
    answer=st.none() | texts,
    steps=st.lists(texts, max_size=3).map(tuple),
    step_scores=scores,
    score=st.none() | numbers,
    group=st.integers(-1, 5),
    tokens=st.integers(0),
    logprob=st.none() | numbers,
)
metadata = st.dictionaries(texts, st.none() | texts | st.integers() | st.lists(numbers, max_size=2), max_size=3)
records = st.builds(
    Record,
    index=st.integers() | texts,
    input=texts,
    gold=st.none() | texts | st.lists(texts, max_size=2),
    metadata=metadata,
    candidates=st.lists(candidates, max_size=3).map(tuple),
    usage=st.builds(Usage, st.integers(0), st.integers(0)),
    seconds=numbers,
    run_seconds=numbers,
    error=st.none() | texts,
)


def record(index: int | str, text: str = "solution", error: str | None = None, run_seconds: float = 1.0) -> Record:
    found = () if error else (Candidate(text, "1", group=0),)
    return Record(index, f"question {index}", "1", candidates=found, run_seconds=run_seconds, error=error)


def store(path: Path, *stored: Record) -> None:
    partial = PartialFile(path, fsync_seconds=None)
    for each in stored:
        partial.append(each)
    partial.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data-best_of_n.jsonl"


@pytest.fixture
def messages() -> Any:
    found: list[tuple[str, str]] = []
    sink = logger.add(lambda each: found.append((each.record["level"].name, each.record["message"])), level="INFO")
    yield found
    logger.remove(sink)


@given(st.lists(records, max_size=4, unique_by=lambda each: canonical_index(each.index)))
def test_every_record_makes_the_round_trip(tmp_path_factory: pytest.TempPathFactory, stored: list[Record]) -> None:
    """MAIN-62."""
    path = tmp_path_factory.mktemp("results") / "a.jsonl"
    store(path, *stored)
    assert list(PartialFile(path).read_records()) == stored
    assert path.exists() == bool(stored)
    if stored:
        assert path.read_bytes().count(b"\n") == len(stored)


def test_a_long_integer_of_a_data_set_survives(path: Path) -> None:
    big = replace(record(0), metadata={"factors": [10**5000 + 7, 3**80]})
    store(path, big)
    assert list(PartialFile(path).read_records()) == [big]
    write_final(path, {"vote": None, "metrics": {}}, [big.to_json()])
    assert Record.from_json(read_final(path)[1][0]) == big


def test_the_last_line_of_a_problem_counts(path: Path) -> None:
    """MAIN-63: what failed is not finished until it is stored without an error."""
    store(path, record(0, error="lost"), record(1), record("x", error="lost"))
    assert PartialFile(path).find_finished() == {1}
    store(path, record(0), record("x", error="lost again"))
    partial = PartialFile(path)
    assert partial.find_finished() == {0, 1}
    assert [(each.index, each.error) for each in partial.read_records()] == [(0, None), (1, None), ("x", "lost again")]
    assert partial.read_all()[0] == record(0)


def test_a_number_and_its_text_are_one_index(path: Path) -> None:
    """Issue 12: a CSV file has only texts."""
    store(path, record(1, error="lost"), record("1"), record("01"))
    partial = PartialFile(path)
    assert partial.find_finished() == {1, "01"}
    assert [each.error for each in partial.read_in_order(["1.0"])] == [None]


def test_records_come_in_the_order_asked_for(path: Path) -> None:
    store(path, record(2), record(0), record("x"))
    assert [each.index for each in PartialFile(path).read_in_order([0, 7, "x", 2])] == [0, "x", 2]


def test_what_was_appended_is_seen_at_once_and_after_closing(path: Path) -> None:
    partial = PartialFile(path, fsync_seconds=None)
    assert (partial.find_finished(), partial.read_run_seconds(), list(partial.read_records())) == (set(), 0.0, [])
    partial.append(record(0, run_seconds=3.0))
    assert partial.find_finished() == {0}
    partial.close()
    partial.append(record(1, run_seconds=2.0))
    assert [each.index for each in partial.read_in_order([1, 0])] == [1, 0]
    assert partial.read_run_seconds() == 3.0
    partial.close()
    assert PartialFile(path).find_finished() == {0, 1}


@given(cut=st.integers(0, 2000))
def test_a_file_cut_at_any_byte_loses_at_most_its_last_line(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """MAIN-62, MAIN-63: and the next record is stored behind what is whole."""
    path = tmp_path_factory.mktemp("results") / "a.jsonl"
    store(path, *(record(number, "é\u2028" * 5) for number in range(4)))
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    kept = whole[:cut].count(b"\n")
    finished = PartialFile(path).find_finished()
    assert finished in (set(range(kept)), set(range(kept + 1)))  # a line may be whole but for its end
    store(path, record(9))
    assert PartialFile(path).find_finished() == finished | {9}
    assert path.read_bytes().count(b"\n") == len(finished) + 1


def test_a_torn_last_line_is_told_quietly(path: Path, messages: list[tuple[str, str]]) -> None:
    store(path, record(0), record(1))
    path.write_bytes(path.read_bytes()[:-5])
    assert PartialFile(path).find_finished() == {0}
    assert messages == [("INFO", f"{path}:2: the last line is torn; that problem is done again")]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b"null",
        b"3",
        b"\xff",
        b"\x00" * 30,
        b'{"schema": 1}',
        b'{"schema": "1"}',
        b'{"index": 1}',
        b'{"schema": 1, "index": 1, "input": "", "gold": null, "candidates": [3]}',
        b'{"schema": 1, "index": 1.5, "input": "", "gold": null}',
        b'{"schema": 1, "index": [1], "input": "", "gold": null}',
        b"[" * 100_000,
    ],
)
def test_a_spoilt_line_is_named_and_its_problem_done_again(
    path: Path, messages: list[tuple[str, str]], line: bytes
) -> None:
    store(path, record(0), record(1))
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + line + b"\n\n" + second)
    assert PartialFile(path).find_finished() == {0, 1}
    assert [level for level, _ in messages] == ["WARNING"]
    assert messages[0][1].startswith(f"{path}:2: not a record (")
    assert messages[0][1].endswith("that problem is done again")


def test_a_newer_schema_is_refused_by_file_and_line(path: Path) -> None:
    """MAIN-87."""
    store(path, record(0))
    path.write_text(path.read_text() + json.dumps({"schema": 2, "index": 1}) + "\n")
    with pytest.raises(UserError, match=rf"^{path}:2: schema 2 is newer than this program's 1"):
        PartialFile(path).find_finished()


def test_a_kill_loses_nothing_that_was_appended(path: Path) -> None:
    """MAIN-62."""
    program = (
        "import itertools, pathlib, sys\n"
        "from inference_kit.records import Record\n"
        "from inference_kit.store.results import PartialFile\n"
        "partial = PartialFile(pathlib.Path(sys.argv[1]), fsync_seconds=None)\n"
        "for number in itertools.count():\n"
        "    partial.append(Record(number, 'x' * 3000, None))\n"
        "    print(number, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) == 50:
                break
        writer.send_signal(signal.SIGKILL)
        last = int((writer.stdout.read().split() or ["50"])[-1])
    assert PartialFile(path).find_finished() >= set(range(last + 1))


def test_a_full_disk_keeps_what_is_stored(path: Path) -> None:
    """MAIN-88."""
    partial = PartialFile(path, fsync_seconds=None)
    partial.append(record(0))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(UserError, match="size that is allowed here"):
            partial.append(record(1, "x" * 2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert partial.find_finished() == {0}
    partial.append(record(2))
    partial.close()
    assert PartialFile(path).find_finished() == {0, 2}


def test_memory_holds_indices_and_not_records(path: Path) -> None:
    """MAIN-63: a resume of 100,000 problems must not hold their candidates."""
    store(path, *(record(number, "x" * 10_000) for number in range(1000)))
    tracemalloc.start()
    partial = PartialFile(path)
    assert len(partial.find_finished()) == 1000
    assert sum(1 for _ in partial.read_records()) == 1000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def entry(index: int) -> dict[str, Any]:
    return record(index).to_json() | {"correct": True}


def test_a_final_file_makes_the_round_trip(path: Path) -> None:
    """MAIN-61: one result a line, text not escaped, NaN as null."""
    header = {"dataset": "é", "vote": "min_vote", "metrics": {"accuracy": 0.5, "ci95": [float("nan"), 1]}}
    entries = [entry(0) | {"response": "é\u2028\n\ud800"}, entry(1)]
    write_final(path, header, iter(entries))
    found, results = read_final(path)
    assert found == {"schema": 1, **header, "metrics": {"accuracy": 0.5, "ci95": [None, 1]}}
    assert results == json.loads(json.dumps(entries))
    lines = path.read_text(encoding="utf-8").split("\n")
    assert '"dataset": "é",' in lines
    assert [json.loads(line.rstrip(","))["index"] for line in lines if line.startswith('{"schema": 1, "index"')] == [
        0,
        1,
    ]
    assert json.loads(path.read_text(encoding="utf-8"))["schema"] == 1


def test_a_final_file_without_results_is_sound(path: Path) -> None:
    write_final(path, {"vote": None, "metrics": {}}, [])
    assert read_final(path) == ({"schema": 1, "vote": None, "metrics": {}}, [])


def test_an_error_while_writing_keeps_the_old_file(path: Path) -> None:
    """MAIN-08."""
    write_final(path, {"vote": None, "metrics": {}}, [entry(0)])

    def failing() -> Any:
        yield entry(1)
        raise KeyError

    with pytest.raises(KeyError):
        write_final(path, {"vote": None, "metrics": {}}, failing())
    assert read_final(path)[1][0]["index"] == 0


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_torn_final_file_is_said_to_be_torn(tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    """MAIN-87."""
    path = tmp_path_factory.mktemp("results") / "a.json"
    write_final(
        path, {"vote": None, "metrics": {"accuracy": 0.25}}, [entry(number) | {"ok": True} for number in range(3)]
    )
    whole = path.read_bytes().rstrip()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UserError, match=rf"^{path}(:\d+: the file is torn|: the file is empty).*`evaluate`"):
        read_final(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ('{"schema": 2, "vote": null, "metrics": {}, "results": []}', ":1: schema 2 is newer"),
        ('{"schema": 1,\n"vote": nul, "results": []}', r":2: not JSON \(Expecting value"),
        ('{"schema": 1}', "not a final file"),
        ('{"schema": "1", "vote": null, "metrics": {}, "results": []}', "not a final file"),
        ('{"schema": 1, "metrics": {}, "results": []}', "not a final file"),
        ("[]", "not a final file"),
        (
            '{"schema": 1, "vote": null, "metrics": {}, "results": [{"index": 0}]}',
            "result 0 has no index, input or gold",
        ),
        ('{"schema": 1, "vote": null, "metrics": {}, "results": {"a": 1}}', "not a final file"),
        ('{"a":' * 100_000 + "}", "not JSON"),
    ],
)
def test_what_is_no_final_file_is_one_line(path: Path, text: str, message: str) -> None:
    """MAIN-87."""
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_final(path)
    assert str(caught.value).startswith(str(path))
    assert len(str(caught.value)) < 500


def test_a_final_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_final(tmp_path / "missing.json")
    with pytest.raises(UserError, match="this is a folder"):
        read_final(tmp_path)
