"""The rows of a file join to the file, wherever reading begins."""

import gzip
import json
import random
from pathlib import Path

import pytest

from inference_kit.errors import UserError
from inference_kit.transform import rows
from inference_kit.transform.rows import BadRecord, RowReader


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def read(path: Path, start: int = 0, number: int = 0) -> tuple[list[str], str]:
    reader = RowReader(path, start=start, number=number)
    found = list(reader)
    return [row.text for row in found], "".join(row.before + row.text for row in found) + reader.tail


RECORDS = [{"code": "x" * n, "é": [n, "\u2028"], "b": "\ud800"} for n in range(30)]
TEXTS = [json.dumps(each, ensure_ascii=n % 2 == 0).encode("utf-8", "surrogatepass") for n, each in enumerate(RECORDS)]
DOCUMENTS = {
    "lines.jsonl": b"\n".join(TEXTS),
    "blank.jsonl": b"\n\n" + b"\r\n\r\n".join(TEXTS) + b"\r\n \n",
    "bom.jsonl": b"\xef\xbb\xbf" + b"\n".join(TEXTS) + b"\n",
    "odd.jsonl": b'{"code": "\xff\xfe"}\n' + TEXTS[0],
    "list.json": b"[" + b", ".join(TEXTS) + b"]",
    "indented.json": b"\xef\xbb\xbf[\r\n  " + b",\r\n  ".join(TEXTS) + b"\r\n]\r\n",
    "one.json": b'{"code": "x"}',
    "object.json": b'  {\n "code": "x", "b": {"c": [1]}\n}\n\n',
    "empty.json": b"[ ]\n",
    "packed.jsonl.gz": b"\n".join(TEXTS),
}


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("chunk", [7, 1 << 20])
def test_rows_join_to_the_file_from_any_row_on(
    tmp_path: Path, name: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XF-30, XF-37."""
    monkeypatch.setattr(rows, "_CHUNK", chunk)
    data = DOCUMENTS[name]
    path = write(tmp_path / name, data)
    if chunk > 7 or name.endswith("l"):
        texts, whole = read(path)
        assert whole.encode("utf-8", "surrogateescape") == data
        reader = RowReader(path)
        for row in list(reader):
            rest, end = read(path, row.end, row.number)
            assert end.encode("utf-8", "surrogateescape") == data[row.end :]
            assert rest == texts[texts.index(row.text) + 1 :] or texts.count(row.text) > 1


@pytest.mark.parametrize("name", ["list.json", "indented.json", "object.json"])
def test_a_record_may_end_anywhere_in_what_is_read_at_once(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / name, DOCUMENTS[name])
    wanted = read(path)
    for size in random.Random(1).sample(range(2, 400), 40):
        monkeypatch.setattr(rows, "_CHUNK", size)
        reader = RowReader.__new__(RowReader)
        reader.path, reader.tail, reader._start, reader._number = path, "", 0, 0
        reader.layout = "object" if name == "object.json" else "list"
        found = list(reader)
        assert ([row.text for row in found], "".join(row.before + row.text for row in found) + reader.tail) == wanted


@pytest.mark.parametrize(
    "data",
    [b"[1]", b'["a"]', b'[{"a": 1}', b'[{"a": 1} {"a": 2}]', b'[{"a": 1},]', b'[{"a": 1}]]', b'{"a": 1}{"a": 2}',
     b'[{"a": tru}]', b"[[]]", b'{"a": 1}]', b'[,{"a": 1}]', b'[{"a": "x', b'[{"a": 1},', b"{", b'[{"a": [' * 9],
)  # fmt: skip
def test_what_is_no_list_of_objects_is_a_bad_record(tmp_path: Path, data: bytes) -> None:
    """XF-62."""
    with pytest.raises(BadRecord):
        list(RowReader(write(tmp_path / "x.json", data)))


@pytest.mark.parametrize(("name", "data"), [("x.json", b"17"), ("x.json", b""), ("x.csv", b"a"), ("x", b"[]")])
def test_another_kind_of_file_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    """XF-60, XF-62."""
    with pytest.raises(UserError, match=name):
        RowReader(write(tmp_path / name, data))


def test_a_record_beyond_all_bounds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_BYTES", 1000)
    monkeypatch.setattr(rows, "_CHUNK", 100)
    for name, data in {"x.jsonl": b'{"a": "' + b"x" * 3000, "x.json": b'[{"a": "' + b"x" * 9000}.items():
        with pytest.raises(BadRecord, match="longer"):
            list(RowReader(write(tmp_path / name, data)))
