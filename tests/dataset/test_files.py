"""JSON, JSONL, CSV and Parquet: the same rows, each with its location; what is broken is named by its line."""

import json
from pathlib import Path
from typing import Any

import pytest

from inference_kit.dataset.compression import name_data
from inference_kit.dataset.files import read_rows
from inference_kit.errors import UserError

ROWS = [{"index": "0", "input": "1 + 1?\nQuick!"}, {"index": "1", "input": '½ · 四, "x"'}]


def rows_of(path: Path) -> list[Any]:
    return [placed.row for placed in read_rows(path)]


def places_of(path: Path) -> list[str]:
    return [located.location.removeprefix(str(path)) for located in read_rows(path)]


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_json_lines_may_have_blank_lines_and_a_byte_order_mark(tmp_path: Path) -> None:
    lines = "\ufeff" + "\r\n\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)
    path = written(tmp_path, "a.jsonl", lines)
    assert rows_of(path) == ROWS
    assert places_of(path) == [":1", ":3"]


@pytest.mark.parametrize("indent", [None, 1])
def test_a_json_list_knows_its_items_lines(tmp_path: Path, indent: int | None) -> None:
    path = written(tmp_path, "a.json", "\ufeff\n" + json.dumps(ROWS, indent=indent))
    assert rows_of(path) == ROWS
    assert places_of(path) == ([":2 (item 1)", ":2 (item 2)"] if indent is None else [":3 (item 1)", ":7 (item 2)"])


def test_a_json_file_may_hold_json_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "a.json", "\n".join(map(json.dumps, ROWS)))
    assert rows_of(path) == ROWS


def test_an_empty_list_has_no_rows(tmp_path: Path) -> None:
    assert rows_of(written(tmp_path, "a.json", "[ ]")) == []


def test_csv_counts_lines_not_rows(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", '\ufeffindex,input\r\n0,"1 + 1?\nQuick!"\r\n\r\n1,"½ · 四, ""x"""\r\n')
    assert rows_of(path) == ROWS
    assert places_of(path) == [":2", ":5"]


def test_a_csv_cell_may_be_long(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "index,input\n0," + "x" * 300_000)
    assert len(rows_of(path)[0]["input"]) == 300_000


def test_parquet_becomes_plain_json_values(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "a.parquet"
    pandas.DataFrame(
        {"index": [0, 1], "when": pandas.to_datetime(["2024-01-01", None]), "x": [1.5, None], "of": [["a"], []]}
    ).to_parquet(path)
    first, second = rows_of(path)
    assert json.loads(json.dumps(first)) == {"index": 0, "when": "2024-01-01 00:00:00", "x": 1.5, "of": ["a"]}
    assert second["x"] is None
    assert places_of(path) == [": row 1", ": row 2"]


def test_numbers_keep_their_digits(tmp_path: Path) -> None:
    """A 40-digit integer and a long decimal are read as they were written."""
    path = written(tmp_path, "a.jsonl", '{"i": 1234567890123456789012345678901234567890, "x": 0.12345678901234567890}')
    [row] = rows_of(path)
    assert (str(row["i"]), str(row["x"])) == ("1234567890123456789012345678901234567890", "0.12345678901234567890")
    assert json.loads(json.dumps(row))["x"] == 0.12345678901234567890


def test_nan_is_read_as_null(tmp_path: Path) -> None:
    assert rows_of(written(tmp_path, "a.jsonl", '{"x": NaN, "y": -Infinity}')) == [{"x": None, "y": None}]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.jsonl", '{"index": 0}\n{"index": 1', r"a\.jsonl:2: not JSON \(Expecting ',' delimiter, found its end\)"),
        ("a.jsonl", '{"index": 0}\n\n{"index": oops}', r"a\.jsonl:3: not JSON \(Expecting value, found 'oops}'\)"),
        ("a.jsonl", '{"index": 0} {"index": 1}', r"a\.jsonl:1: more than one JSON value on a line"),
        ("a.jsonl", '{"index": 0}\n[1, 2]', r"a\.jsonl:2: expected an object with fields, found a list"),
        ("a.jsonl", '{"a": 1}\n{"a": 1, "b": 2, "a": 3}', r"a\.jsonl:2: field 'a' is there twice"),
        ("a.json", '[{"a": 1},\n{"b": {"c": 1, "c": 2}}]', r"a\.json:2: field 'c' is there twice"),
        ("a.jsonl", "17", r"a\.jsonl:1: expected an object with fields, found a number"),
        ("a.jsonl", b"\x1f\x8b\x08\x00", r"a\.jsonl:1: not UTF-8 text .* It is packed by gzip: add \.gz"),
        ("a.csv", "input;answer\n1;2", r"a\.csv:1: its cells are separated by ';', not by ','"),
        ("a.tsv", "input,answer\n1,2", r"a\.tsv:1: its cells are separated by ',', not by '\\t'"),
        ("a.jsonl", b'{"a": 1}\n{"a": "\xe9"}', r"a\.jsonl:2: not UTF-8 text \(byte 0xe9\)\. Save the file as UTF-8"),
        ("a.jsonl", '{"a": ' + "9" * 5000 + "}", r"a\.jsonl:1: a number that is too long"),
        ("a.jsonl", '{"a": ' + "[" * 200_000, r"a\.jsonl:1: JSON that is nested too deep"),
        ("a.json", "[" * 200_000, r"a\.json:1: JSON that is nested too deep"),
        ("a.json", '[\n{"a": 1},\n{"a": \n?}]', r"a\.json:4: not JSON \(Expecting value, found '\?}]'\)"),
        ("a.json", '[\n{"a": 1}\n{"a": 2}]', r"a\.json:2 \(item 1\): not JSON \(neither a comma"),
        ("a.json", '[{"a": 1}, 5]', r"a\.json:1 \(item 2\): expected an object"),
        ("a.json", '[{"a": 1}] tail', r"a\.json: text after the end of the JSON list: 'tail'"),
        ("a.json", '[{"a": 1}', r"a\.json:1 \(item 1\): not JSON \(neither a comma"),
        ("a.json", "", r"a\.json:1: not JSON Lines and not a JSON list"),
        ("a.json", b"\xff\xfe[\x00", r"a\.json:1: not UTF-8 text"),
        ("a.csv", "index,input\n0,a\n1,b,c\n", r"a\.csv:3: 3 cells under 2 column names"),
        ("a.csv", "index,index\n0,a\n", r"a\.csv:1: two columns have the same name"),
        ("a.csv", 'index,input\n0,"a"b\n', r"a\.csv:2: not CSV"),
        ("a.csv", b"index,input\n0,a\n1,\xff\n", r"a\.csv:3: not UTF-8 text"),
        ("a.parquet", "no", r"a\.parquet: not a Parquet file that can be read"),
        (
            "a.txt",
            "no",
            r"a\.txt: unknown kind of data file '\.txt'\. Known: \.csv, .*\.ndjson, \.parquet",
        ),
    ],
)
def test_what_is_broken_is_named_by_its_line(tmp_path: Path, name: str, text: str | bytes, said: str) -> None:
    """MAIN-82."""
    with pytest.raises(UserError, match=said):
        rows_of(written(tmp_path, name, text))


def packed(name: str, content: bytes) -> bytes:
    import gzip

    import pyarrow

    if name.endswith(".gz"):
        return gzip.compress(content)
    return pyarrow.compress(content, codec="zstd", asbytes=True) if name.endswith(".zst") else content  # type: ignore[no-any-return]


TEXTS = {
    ".jsonl": "\ufeff" + "\n".join(json.dumps(row) for row in ROWS),
    ".json": json.dumps(ROWS, indent=1),
    ".csv": '\ufeffindex,input\r\n0,"1 + 1?\nQuick!"\r\n1,"½ · 四, ""x"""\r\n',
    ".tsv": 'index\tinput\n0\t"1 + 1?\nQuick!"\n1\t½ · 四, "x"\n',
}


@pytest.mark.parametrize("packing", ["", ".gz", ".zst", ".GZ"])
@pytest.mark.parametrize("suffix", TEXTS)
def test_every_text_format_may_be_packed(tmp_path: Path, suffix: str, packing: str) -> None:
    """Issue 12."""
    content = TEXTS[suffix].encode()
    path = written(tmp_path, f"a{suffix}{packing}", packed(packing.lower(), content))
    assert rows_of(path) == ROWS
    assert places_of(path)[0].startswith(":")


def test_a_packed_file_is_called_what_it_would_be_unpacked() -> None:
    assert [name_data(Path(name)) for name in ("x/a.jsonl.gz", "a.v1.csv", "a")] == ["a", "a.v1", "a"]


@pytest.mark.parametrize("packing", [".gz", ".zst"])
def test_a_torn_or_false_packing_is_one_line(tmp_path: Path, packing: str) -> None:
    lines = "\n".join(json.dumps({"index": number, "input": str(number) * 50}) for number in range(3000))
    whole = packed(packing, lines.encode())
    for content in (whole[: len(whole) // 2], b"plain", b"{}\n"):
        with pytest.raises(UserError, match=rf"a\.jsonl\{packing}: not a \w+ file that can be unpacked") as caught:
            rows_of(written(tmp_path, f"a.jsonl{packing}", content))
        assert "\n" not in str(caught.value)


def test_zstandard_frames_may_follow_each_other(tmp_path: Path) -> None:
    frames = b"".join(packed(".zst", json.dumps(row).encode() + b"\n") for row in ROWS)
    assert rows_of(written(tmp_path, "a.jsonl.zst", frames)) == ROWS


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", '{\n "data": [\n  {"index": 0}\n ]\n}\n', r"a\.json:1: an object over several lines"),
        ("a.json", json.dumps({"index": 0, "input": "x"}, indent=2), r"a\.json:1: an object over several lines"),
        ("a.jsonl", '\n{"index": 0,\n"input": "x"}\n', r"a\.jsonl:2: an object over several lines"),
        ("a.jsonl", json.dumps(ROWS, indent=1), r"a\.jsonl:1: a JSON list"),
        ("a.jsonl", '[{"index": 0},\n{"index": 1}]', r"a\.jsonl:1: a JSON list"),
        ("a.parquet.gz", "no", r"a packed Parquet file"),
        ("a.gz", "no", r"unknown kind of data file 'a\.gz'"),
    ],
)
def test_json_of_another_shape_is_told_what_is_wanted(tmp_path: Path, name: str, text: str, said: str) -> None:
    """Issue 12: pretty-printed objects, and lists in a file of lines."""
    with pytest.raises(UserError, match=said) as caught:
        rows_of(written(tmp_path, name, text))
    assert "\n" not in str(caught.value) and "not JSON" not in str(caught.value)
