"""`main.py transform`: records in, records out, whatever happens on the way."""

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from inference_kit.cli import main, transform_script
from inference_kit.setup.registries import Registries

HOME = Path(__file__).resolve().parents[2]
NOTHING = Registries({}, {}, {}, Path())


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, n: int = 5) -> Path:
    """Write a file of records in the layout that its name says."""
    records = [{"id": number, "code": f"x = {number}", "price": 0.5} for number in range(n)]
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(each) + "\n" for each in records)
    data = lines if ".jsonl" in name else json.dumps(records, indent=2)
    path.write_bytes(gzip.compress(data.encode()) if name.endswith(".gz") else data.encode())
    return path


def transform(*words: str, code: int = 0) -> None:
    told = {"--instruction": "Tidy.", "--model": "m"}
    more = [word for name, value in told.items() if name not in words for word in (name, value)]
    assert main(["transform", *words, *more], NOTHING) == code


def echo(text: str) -> str:
    return f"# echo: m\n{text}"


def read(path: str) -> list[dict[str, Any]]:
    text = gzip.decompress(Path(path).read_bytes()).decode() if path.endswith(".gz") else Path(path).read_text()
    return [json.loads(line) for line in text.splitlines()] if ".jsonl" in path else json.loads(text)


@pytest.mark.parametrize("name", ["d.jsonl", "d.json", "d.jsonl.gz", "d.jsonl.zst"])
def test_the_field_is_replaced_and_the_original_kept(name: str) -> None:
    """XF-01, XF-03, XF-05, XF-06, XF-30, XF-31, XF-45."""
    if name.endswith(".zst"):
        import pyarrow

        plain = write("d.jsonl")
        Path(name).write_bytes(pyarrow.compress(plain.read_bytes(), codec="zstd", asbytes=True))
        plain.unlink()
    else:
        write(name)
    transform("--input", name, "--output", "out")
    if name.endswith(".zst"):
        with pyarrow.input_stream(f"out/{name}", compression="zstd") as stream:
            records = [json.loads(line) for line in stream.read().splitlines()]
    else:
        records = read(f"out/{name}")
    assert [each["code"] for each in records] == [echo(f"x = {number}") for number in range(5)]
    assert [list(each) for each in records] == [["id", "code", "original_code", "price"]] * 5
    assert records[3]["original_code"] == "x = 3"


def test_a_tree_of_files_becomes_one_of_the_same_shape() -> None:
    """XF-02, XF-33."""
    for name in ("in/a.jsonl", "in/sub/b.json", "in/sub/deep/c.jsonl"):
        write(name)
    transform("--input", "in", "--output", "out")
    found = [path.relative_to("out").as_posix() for path in sorted(Path("out").rglob("*.json*"))]
    assert [each for each in found if ".transform" not in each] == ["a.jsonl", "sub/b.json", "sub/deep/c.jsonl"]
    transform("--input", "in", "--output", "two", "--glob", "sub/*.json")
    assert [path.name for path in Path("two").rglob("b.json")] == ["b.json"]
    assert not Path("two/a.jsonl").exists()


def test_in_place_keeps_the_backup_and_the_second_time_changes_nothing() -> None:
    """XF-04, XF-38."""
    path = write("d.json")
    path.chmod(0o640)
    transform("--input", "d.json", "--inplace")
    once = path.read_bytes()
    assert read("d.json")[0] == {"id": 0, "code": echo("x = 0"), "original_code": "x = 0", "price": 0.5}
    assert path.stat().st_mode & 0o777 == 0o640
    transform("--input", "d.json", "--inplace")
    for leftover in Path(".transform").iterdir():
        leftover.unlink()
    transform("--input", "d.json", "--inplace")
    assert path.read_bytes() == once


def test_records_without_the_field_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """XF-32, XF-40."""
    lines = ['{"a": 1}', '{"code": ""}', '{"code": "  "}', '{"code": 7}', '{"code": null}', '{"code": "x"}']
    Path("d.jsonl").write_text("\n".join(lines))
    transform("--input", "d.jsonl", "--output", "out")
    assert Path("out/d.jsonl").read_text().split("\n")[:5] == lines[:5]
    assert "1 transformed, 0 cached, 5 skipped, 0 failed" in capsys.readouterr().out


def test_what_was_answered_once_is_not_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    """XF-26, XF-27, XF-35."""
    write("d.jsonl")
    Path("d.jsonl").write_text(Path("d.jsonl").read_text() * 2)
    transform("--input", "d.jsonl", "--output", "out", "--concurrency", "1", "--batch-size", "1")
    assert "5 transformed, 5 cached" in capsys.readouterr().out
    transform("--input", "d.jsonl", "--output", "two")
    assert "0 transformed, 10 cached" in capsys.readouterr().out
    transform("--input", "d.jsonl", "--output", "two")
    assert "Nothing was left to do" in capsys.readouterr().out
    assert Path("out/d.jsonl").read_bytes() == Path("two/d.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (["--instruction", "Other."], "instruction"),
        (["--model", "n"], "model"),
        (["--temperature", "0.5"], "temperature"),
        (["--backup-field", "old"], "backup_field"),
        (["--template-var", "a=b"], "template_var"),
    ],
)
def test_a_changed_setting_is_refused_by_name(
    changed: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write("d.jsonl")
    transform("--input", "d.jsonl", "--output", "out")
    transform("--input", "d.jsonl", "--output", "out", *changed, code=2)
    assert named in capsys.readouterr().err
    transform("--input", "d.jsonl", "--output", "out", *changed, "--no-resume")


def test_echo_without_a_place_for_outputs_is_a_dry_run(capsys: pytest.CaptureFixture[str]) -> None:
    """XF-11, XF-28."""
    write("d.jsonl")
    transform("--input", "d.jsonl")
    transform("--input", "d.jsonl", "--output", "out", "--dry-run")
    shown = capsys.readouterr().out
    assert shown.count("5 to do") == 2 and "Tidy." in shown
    assert sorted(path.name for path in Path().iterdir()) == ["d.jsonl"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--input", "no.jsonl"], "does not exist"),
        (["--input", "x.csv"], "csv"),
        (["--input", "empty"], "empty"),
        (["--input", "d.jsonl", "--provider", "ecko"], "echo"),
        (["--input", "d.jsonl", "--template-var", "novalue"], "k=v"),
        (["--input", "d.jsonl", "--field", "cod"], "'code'"),
        (["--input", "d.jsonl", "--instruction", "{{ nothing }}"], "nothing"),
        (["--input", "d.jsonl", "--instruction", "{% if %}"], "instruction"),
        (["--input", "d.jsonl", "--instruction", "{{ code.__class__.__mro__ }}"], "unsafe"),
        (["--input", "d.jsonl", "--inplace", "--output", "out"], "--inplace"),
        (["--input", "d.jsonl", "--output", "."], "overwritten"),
        (["--input", "d.jsonl", "--provider", "hf", "--model", "org/name"], "--local-files-only"),
        (["--input", "d.jsonl", "--batchsize", "3"], "--batch-size"),
        (["--input", "d.jsonl", "--strip-fences", "--no-auto-extract-code"], "different"),
    ],
)
def test_bad_input_is_one_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """XF-60, XF-63, XF-64, XF-65, XF-66, XF-69."""
    write("d.jsonl")
    Path("x.csv").touch()
    Path("empty").mkdir()
    transform(*words, *([] if "--output" in words or "--inplace" in words else ["--output", "out"]), code=2)
    error = capsys.readouterr().err
    assert said in error and len(error.strip().splitlines()) == 1
    assert not Path("out").exists() and not Path(".cache").exists()


def test_a_broken_line_ends_its_file_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    """XF-61."""
    write("in/a.jsonl")
    write("in/b.jsonl")
    Path("in/a.jsonl").write_text(Path("in/a.jsonl").read_text() + '{"code": broken}\n[1]\n{"code": "y"}\n')
    transform("--input", "in", "--output", "out", code=1)
    shown = capsys.readouterr()
    assert "in/a.jsonl:6" in shown.err
    assert not Path("out/a.jsonl").exists() and len(read("out/b.jsonl")) == 5
    transform("--input", "in", "--output", "out", "--skip-bad-lines")
    lines = Path("out/a.jsonl").read_text().splitlines()
    assert lines[5:7] == ['{"code": broken}', "[1]"] and json.loads(lines[7])["original_code"] == "y"


def test_a_file_of_settings_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """XF-29, XF-50, XF-43."""
    write("data/d.jsonl")
    Path("examples/prompts").mkdir(parents=True)
    Path("examples/prompts/p.j2").write_text("Goal: {{ goal }}, {{ language }}.")
    Path("examples/c.yaml").write_text(
        "provider: echo\ninput_path: ../data\ninput_glob: '*.jsonl'\noutput_path: ./outputs\ncache_dir: .cache\n"
        "instruction: ./prompts/p.j2\ntemplate_vars:\n  language: python\n  goal: none\nauto_extract_code: true\n"
    )
    monkeypatch.setenv("MODEL_PATH", "from-environment")
    assert main(["transform", "--config", "examples/c.yaml", "--template-var", "goal=tidy"], NOTHING) == 0
    assert read("examples/outputs/d.jsonl")[0]["code"].startswith("# echo: from-environment\n")
    assert Path("examples/.cache").is_dir()


def test_an_unknown_key_is_named_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """XF-70."""
    write("d.jsonl")
    Path("c.yaml").write_text("provider: echo\nbatchsize: 3\n")
    transform("--input", "d.jsonl", "--config", "c.yaml", code=2)
    error = capsys.readouterr().err
    assert "c.yaml:2" in error and "batch_size" in error


def test_the_first_records_only() -> None:
    write("d.json")
    transform("--input", "d.json", "--output", "out", "--limit", "2")
    assert [("original_code" in each) for each in read("out/d.json")] == [True, True, False, False, False]
    transform("--input", "d.json", "--output", "out")
    assert all("original_code" in each for each in read("out/d.json"))


def test_done_records_are_done_again_from_their_backup() -> None:
    write("d.jsonl")
    transform("--input", "d.jsonl", "--inplace")
    transform("--input", "d.jsonl", "--inplace", "--model", "other", "--no-resume", "--again")
    assert read("d.jsonl")[1] == {"id": 1, "code": "# echo: other\nx = 1", "original_code": "x = 1", "price": 0.5}


def test_a_killed_process_loses_nothing_and_asks_nothing_twice(tmp_path: Path) -> None:
    """XF-27, BEY-01. The records are killed at random places until they are through."""
    records = [{"id": number, "code": f"x = {number}\n" * 20} for number in range(20_000)]
    Path("d.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    words = ["transform", "--input", "d.jsonl", "--output", "out", "--instruction", "Tidy.", "--model", "m"]
    command = [sys.executable, str(HOME / "main.py"), *words, "--provider", "echo"]
    chance = random.Random(3)
    for _ in range(4):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        size = Path(".cache").stat().st_size if Path(".cache").exists() else 0
        target = sum(path.stat().st_size for path in Path(".cache").rglob("*.jsonl")) + chance.randrange(1, 1_000_000)
        while process.poll() is None and time.monotonic() < deadline:
            size = sum(path.stat().st_size for path in Path(".cache").rglob("*.jsonl"))
            if size > target:
                os.kill(process.pid, signal.SIGKILL)
            time.sleep(0.01)
        process.wait()
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    done = [json.loads(line) for line in Path("out/d.jsonl").read_text().splitlines()]
    assert [each["id"] for each in done] == [*range(20_000)]
    assert all(each["original_code"] == records[each["id"]]["code"] for each in done)
    keys = [line[:45] for path in Path(".cache").rglob("*.jsonl") for line in path.read_text().splitlines()]
    assert len(keys) == len(set(keys)) == 20_000


def test_the_examples_that_ship_run_as_the_document_has_them() -> None:
    """XF-34, XF-43."""
    for name in ("examples", "data"):
        shutil.copytree(HOME / name, name, ignore=shutil.ignore_patterns("outputs", ".cache"))
    assert main(["transform", "--config", "examples/config.yaml", "--provider", "echo"], NOTHING) == 0
    done = read("examples/outputs/snippets.jsonl")
    assert [("original_code" in each) for each in done] == [True, True, False, True]
    assert '"stars": 0.10' in Path("examples/outputs/snippets.jsonl").read_text()


def test_the_console_script_is_the_same_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """XF-42."""
    write("d.jsonl")
    words = "fabe-infer run --input d.jsonl --output out --instruction Tidy --model m".split()
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as end:
        transform_script()
    assert end.value.code == 0 and len(read("out/d.jsonl")) == 5
    monkeypatch.setattr("sys.argv", ["fabe-infer", "run", "--help"])
    with pytest.raises(SystemExit) as end:
        transform_script()
    assert end.value.code == 0
