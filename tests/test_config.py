"""Settings: precedence, ranges, synonyms, YAML files."""

from pathlib import Path
from typing import Any

import pytest

from inference_kit.config import (
    ConfigFile,
    Level,
    find_nearest,
    generation_config,
    read_config,
    resolve_generation,
    spell_names,
)
from inference_kit.errors import UserError


def test_the_strongest_level_wins_and_what_it_beat_is_kept() -> None:
    """MAIN-25."""
    resolved = resolve_generation(
        Level("command line", {"temperature": 0.3}),
        Level("model arguments", {"temperature": 0.5, "top_p": 0.9}),
        Level("config file", {"temperature": 0.6, "top_p": 0.8, "top_k": 20}),
        Level("model's generation_config", {"temperature": 1.0, "top_k": 50, "min_p": 0.1}),
    )
    config = generation_config(resolved)
    assert (config.temperature, config.top_p, config.top_k, config.min_p) == (0.3, 0.9, 20, 0.1)
    assert resolved["temperature"].source == "command line"
    assert [source for source, _ in resolved["temperature"].beaten] == [
        "model arguments",
        "config file",
        "model's generation_config",
        "library default",
    ]
    assert resolved["max_new_tokens"].source == "library default"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("top_p", 0),
        ("top_p", 1.5),
        ("max_new_tokens", 0),
        ("max_new_tokens", 1.5),
        ("max_new_tokens", True),
        ("top_k", "many"),
        ("stop", ("",)),
    ],
)
def test_a_value_out_of_range_is_refused_by_name_and_source(name: str, value: object) -> None:
    with pytest.raises(UserError, match=rf"config file: .*{name}"):
        resolve_generation(Level("config file", {name: value}))


def test_do_sample_false_is_temperature_zero() -> None:
    assert generation_config(resolve_generation(Level("m", {"do_sample": False, "temperature": 0.8}))).temperature == 0
    with pytest.raises(UserError, match="do_sample"):
        resolve_generation(Level("m", {"do_sample": True, "temperature": 0}))


def test_synonyms_are_one_setting() -> None:
    assert spell_names({"max-tokens": 5}, "x") == {"max_new_tokens": 5}
    with pytest.raises(UserError, match="synonym"):
        spell_names({"max_tokens": 5, "max_new_tokens": 6}, "x")


def test_a_config_file_says_where_each_key_stands(tmp_path: Path) -> None:
    """MAIN-26, MAIN-07: unknown keys are named with line, column and the nearest known key."""
    path = tmp_path / "run.yaml"
    path.write_text("limit: 5\ngeneration:\n  temperature: 0.5\nmodle: abacus\n")
    config = read_config(path, ("generation",))
    assert config.values == {"limit": 5, "modle": "abacus"}
    assert config.sections == {"generation": {"temperature": 0.5}}
    with pytest.raises(UserError, match=r"run.yaml:4:1: unknown key 'modle'. Did you mean 'model'"):
        config.check(["limit", "model"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("limit: 5\nlimit: 6\n", r":2:1: key 'limit' is there twice, first at .*:1:1"),
        ("a: [1\n", r":2:1: not YAML"),
        ("\tlimit: 5\n", r":1:1: not YAML"),
        ("- 1\n", r":1: the file must hold settings"),
        ("generation: 5\n", r":1:1: generation must hold settings"),
    ],
)
def test_a_broken_config_file_is_one_line_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_config(path, ("generation",))


def read_yaml(folder: Path, text: str) -> ConfigFile:
    path = folder / "run.yaml"
    path.write_text(text)
    return read_config(path, ("generation",))


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("1.10", "1.10"),
        ("1.5", 1.5),
        ("010", "010"),
        ("10", 10),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("12:30:45", "12:30:45"),
        ("2024-01-31", "2024-01-31"),
        ("2024-13-31", "2024-13-31"),
        ("true", True),
        ("True", "True"),
        (".inf", ".inf"),
        ("'no'", "no"),
        ("[no, 1.10, x]", ["no", "1.10", "x"]),
        ("null", None),
        ("", None),
    ],
)
def test_a_value_of_a_config_file_is_what_stands_there(tmp_path: Path, written: str, value: Any) -> None:
    """Issue 12: YAML alone would make false, 1.1, 8, 1000, 16 and 45045 of them."""
    assert read_yaml(tmp_path, f"exp_name: {written}\ngeneration:\n  stop: {written}\n").values == {"exp_name": value}
    assert read_yaml(tmp_path, f"generation:\n  stop: {written}\n").sections["generation"] == {"stop": value}


def test_paths_of_a_config_file_are_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("SCRATCH", "/scratch")
    monkeypatch.delenv("NOWHERE", raising=False)
    text = "work_dir: ~/x\nmodel_path: ${SCRATCH}/m\nmodel: ~/n\nsystem: ~ costs $5\ndataset_path: $SCRATCH/d.csv\n"
    assert read_yaml(tmp_path, text).values == {
        "work_dir": "/home/me/x",
        "model_path": "/scratch/m",
        "model": "/home/me/n",
        "system": "~ costs $5",
        "dataset_path": "/scratch/d.csv",
    }
    with pytest.raises(UserError, match=r"run.yaml:2:1: the variable \$NOWHERE is not set"):
        read_yaml(tmp_path, "limit: 1\nwork_dir: $NOWHERE/x\n")


@pytest.mark.parametrize("written", ["null", "~", ""])
def test_no_reward_model_in_a_file_is_none(tmp_path: Path, written: str) -> None:
    assert read_yaml(tmp_path, f"reward_model: {written}\n").values == {"reward_model": "none"}


def test_a_folder_is_no_config_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").touch()
    with pytest.raises(UserError, match=r"is a folder\. Give one file of it: a\.yaml"):
        read_config(tmp_path, ())


@pytest.mark.parametrize("text", ["on: 5\n", "true: 5\n", "7: 5\n", "a: &x {b: 1}\n<<: *x\n"])
def test_an_odd_key_is_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match="unknown key"):
        read_yaml(tmp_path, text).check(["limit"])


def test_infinities_are_refused() -> None:
    for value in (float("inf"), float("nan")):
        with pytest.raises(UserError, match="temperature"):
            resolve_generation(Level("command line", {"temperature": value}))


def test_a_missing_path_names_what_is_near(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    assert find_nearest(tmp_path / "reslts" / "x.json") == f"Did you mean {tmp_path / 'results'}?"
