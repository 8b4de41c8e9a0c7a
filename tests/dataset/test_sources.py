"""Files and hub ids: told apart by their looks, digested by their content."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inference_kit.dataset.sources import FileSource, HubSource, resolve_source
from inference_kit.errors import UserError


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub answers, as far as the tests know that do not say otherwise."""
    monkeypatch.setattr("inference_kit.dataset.hub._find_why_unreachable", lambda _: "")


def source(dataset_path: str) -> FileSource | HubSource:
    found = resolve_source(dataset_path, subset=None, split="test")
    assert isinstance(found, FileSource | HubSource)
    return found


@pytest.mark.parametrize(
    "path", ["./org/name", "../org", "/org/name", "~/name", "$X/name", "org/name.jsonl", "name", "a/b/c"]
)
def test_what_looks_like_a_path_is_never_a_hub_id(path: str) -> None:
    assert isinstance(source(path), FileSource)


def test_an_id_is_a_hub_id_unless_it_exists_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(source("HuggingFaceH4/MATH-500"), HubSource)
    (tmp_path / "HuggingFaceH4" / "MATH-500").mkdir(parents=True)
    assert isinstance(source("HuggingFaceH4/MATH-500"), FileSource)


def test_home_and_variables_expand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_DATA", str(tmp_path))
    assert source("$MY_DATA/a.jsonl").location == str(tmp_path / "a.jsonl")


def test_a_missing_file_names_the_nearest(jsonl: Callable[..., str]) -> None:
    """MAIN-82."""
    path = jsonl({"index": 0}, name="problems.jsonl")
    with pytest.raises(UserError, match=r"problem\.jsonl: no such data set file\. Did you mean .*problems\.jsonl\?"):
        list(source(path.replace("problems", "problem")).read_rows())


def test_a_folder_names_its_files(jsonl: Callable[..., str]) -> None:
    folder = Path(jsonl({"index": 0}, name="problems.jsonl")).parent
    with pytest.raises(UserError, match=r"is a folder\. Give one file of it: problems\.jsonl"):
        source(str(folder)).compute_digest()


def test_the_digest_of_a_file_is_that_of_its_bytes(jsonl: Callable[..., str]) -> None:
    path = jsonl({"index": 0})
    assert source(path).compute_digest() == hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_a_hub_set_gives_rows_and_a_digest_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked: list[Any] = []

    def load(hub_id: str, subset: str | None, *, split: str) -> Any:
        asked.append((hub_id, subset, split))
        return datasets.Dataset.from_list(
            [{"question": "1?", "answer": "#### 1"}, {"question": "2?", "answer": "#### 2"}]
        )

    monkeypatch.setattr(datasets, "load_dataset", load)
    hub = resolve_source("openai/gsm8k", subset="main", split="test")
    rows = list(hub.read_rows())
    assert rows[1].row == {"question": "2?", "answer": "#### 2"}
    assert rows[1].location == "openai/gsm8k (main, test): row 2"
    assert hub.compute_digest() == resolve_source("openai/gsm8k", subset="main", split="test").compute_digest()
    assert asked[0] == ("openai/gsm8k", "main", "test")


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError("Couldn't reach 'a/b' on the Hub (offline)\nmore"),
        ValueError("Unknown split 'x'. Should be ['train']."),
    ],
)
def test_a_hub_set_that_does_not_load_is_one_line(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """GRPO-43."""
    import datasets

    def load(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(UserError) as caught:
        list(source("a/b").read_rows())
    line = str(caught.value)
    assert line.startswith("a/b (test): cannot be loaded from the hub (") and "\n" not in line
    assert str(error).partition("\n")[0].rstrip(".") in line
    assert "--dataset-path FILE.jsonl" in line


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_snapshot_folder_of_the_hub_is_the_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """Issue 12: in the form of `hf download`, and of the hub's cache."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    for folder in (tmp_path / "gsm8k", tmp_path / "datasets--o--gsm8k" / "snapshots" / "abc"):
        for split in ("train", "test"):
            table = datasets.Dataset.from_list([{"question": f"{split} {number}?"} for number in range(2)])
            path = folder / "main" / f"{split}-00000-of-00001{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            table.to_parquet(str(path)) if suffix == ".parquet" else table.to_json(str(path))
        (folder / "README.md").write_text(
            "---\nconfigs:\n- config_name: main\n  data_files:\n  - split: train\n    path: main/train-*\n"
            "  - split: test\n    path: main/test-*\n---\n# GSM8K\n"
        )
    refs = tmp_path / "datasets--o--gsm8k" / "refs"
    refs.mkdir()
    (refs / "main").write_text("abc")
    for place in ("gsm8k", "datasets--o--gsm8k"):
        snapshot = resolve_source(str(tmp_path / place), subset="main", split="test")
        assert [located.row["question"] for located in snapshot.read_rows()] == ["test 0?", "test 1?"]
    with pytest.raises(UserError, match=r"the snapshot cannot be loaded \(.*Unknown split.*--split and --subset"):
        list(resolve_source(str(tmp_path / "gsm8k"), subset="main", split="dev").read_rows())


def test_a_hub_that_cannot_be_reached_is_one_line_that_says_how_to_fetch_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 12: and what is cached is found without it."""
    from huggingface_hub import constants

    monkeypatch.undo()
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    started = time.monotonic()
    with pytest.raises(UserError) as caught:
        list(resolve_source("nobody/nothing", subset=None, split="test").read_rows())
    assert time.monotonic() - started < 10
    assert "http://127.0.0.1:9 does not answer" in str(caught.value)
    assert "hf download nobody/nothing --repo-type dataset --local-dir FOLDER" in str(caught.value)
    assert not constants.HF_HUB_OFFLINE
