"""The files of a call log are looked over and cleaned by whole files."""

from pathlib import Path

import pytest

from inference_kit.errors import UserError
from inference_kit.store import call_places
from inference_kit.store.call_files import delete_call_files, find_call_log, read_call_files
from inference_kit.store.call_log import CallLog, call_key


def fill(work_dir: Path, run: str, model: str, numbers: range = range(3)) -> CallLog:
    log = CallLog(work_dir / ".calls", run, fsync_seconds=None)
    for number in numbers:
        log.append(model, call_key(n=number), {"number": number})
    return log


def test_each_file_says_whose_it_is(tmp_path: Path) -> None:
    fill(tmp_path, "one", "a model: of 1/2").close()
    fill(tmp_path, "two", "another", range(5)).close()
    files = read_call_files(find_call_log(tmp_path))
    assert [(file.model, file.run, file.calls) for file in files] == [
        ("a model: of 1/2", "one", 3),
        ("another", "two", 5),
    ]
    assert files == read_call_files(find_call_log(tmp_path / ".calls"))
    assert all(file.size == file.path.stat().st_size for file in files)


def test_a_file_of_before_files_said_whose_they_are_has_its_folders_name(tmp_path: Path) -> None:
    folder = tmp_path / ".calls" / "echo_echo-0123456789abcdef"
    folder.mkdir(parents=True)
    (folder / "000001-1-abc.jsonl").write_text(f'{{"key": "{call_key(n=1)}", "run": "r", "payload": {{}}}}\n')
    (folder / "000002-1-abc.jsonl").write_bytes(b"\xffspoilt\n")
    assert [(file.model, file.run) for file in read_call_files(tmp_path / ".calls")] == [
        ("echo_echo", "r"),
        ("echo_echo", "?"),
    ]


def test_what_is_not_deleted_is_found_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_places, "WORTH_AN_INDEX", 10)
    fill(tmp_path, "one", "model", range(20)).close()
    fill(tmp_path, "two", "model", range(20, 40)).close()
    reader = CallLog(tmp_path / ".calls", "three")
    assert reader.find("model", call_key(n=1))
    files = read_call_files(tmp_path / ".calls")
    assert delete_call_files([file for file in files if file.run == "one"]) == []
    log = CallLog(tmp_path / ".calls", "three")
    assert [log.find("model", call_key(n=number)) is not None for number in range(40)] == [False] * 20 + [True] * 20
    assert all(reader.find("model", call_key(n=number)) for number in range(20, 40))
    reader.close()
    assert reader.find("model", call_key(n=2)) is None
    fill(tmp_path, "four", "model", range(40, 60)).close()
    assert CallLog(tmp_path / ".calls", "three").find("model", call_key(n=59))


def test_a_file_that_is_being_written_stays(tmp_path: Path) -> None:
    log = fill(tmp_path, "one", "model")
    files = read_call_files(tmp_path / ".calls")
    assert delete_call_files(files) == files
    log.close()
    assert delete_call_files(files) == []


def test_a_folder_without_calls_goes_with_all_that_stood_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_places, "WORTH_AN_INDEX", 2)
    log = fill(tmp_path, "one", "model")
    log.note_limit("model", 64)
    log.close()
    [folder] = (tmp_path / ".calls").iterdir()
    assert len(list(folder.iterdir())) == 3
    delete_call_files(read_call_files(tmp_path / ".calls"))
    assert not folder.exists()


@pytest.mark.parametrize("there", [True, False])
def test_where_no_call_log_is_one_line_says_so(tmp_path: Path, there: bool) -> None:
    with pytest.raises(UserError, match="no call log is here" if there else "no such folder"):
        find_call_log(tmp_path if there else tmp_path / "missing")
