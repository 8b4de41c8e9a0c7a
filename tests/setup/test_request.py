"""Levels of a request: their order, and config files among them."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from inference_kit.config import Level, read_config
from inference_kit.errors import UserError
from inference_kit.setup.options import list_run_options
from inference_kit.setup.request import SECTIONS, Request, insert_below_told, read_file_level
from inference_kit.setup.run_options import RunOptions, list_names, option, read_options

OPTIONS = {each.name: each for each in list_run_options(RunOptions)}


def test_the_registry_stands_below_what_was_told_and_above_files() -> None:
    told, file, registry = Level("told", {}, told=True), Level("file", {}), Level("registry", {})
    assert insert_below_told([told, file], registry) == [told, registry, file]


def test_a_face_has_defaults_of_its_own_above_the_declared_ones() -> None:
    request = Request((Level("told", {"seed": 3}, told=True),), {"method": "vanilla", "seed": 1})
    settings = request.resolve_options(request.levels)
    assert (settings["method"].value, settings["method"].source) == ("vanilla", "default")
    assert (settings["seed"].value, settings["seed"].beaten) == (3, (("default", 1),))
    assert "limit" not in settings


def test_a_config_file_is_a_level_whose_values_are_read_like_flags(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("limit: '5'\nresume: no\ngeneration:\n  stop: [a, b]\n  temperature: 0.5\n")
    level = read_file_level(read_config(path, SECTIONS), OPTIONS, "their.yaml")
    assert level == Level("their.yaml", {"limit": 5, "resume": False, "stop": ("a", "b"), "temperature": 0.5})
    path.write_text("limit: many\n")
    with pytest.raises(UserError, match=r"run.yaml:1:1: limit: expected an integer"):
        read_file_level(read_config(path, SECTIONS), OPTIONS, "their.yaml")


@dataclass(frozen=True, kw_only=True)
class More(RunOptions):
    """What a face adds.

    Args:
        output: where the table goes
    """

    output: str | None = option(None, "process", "run", unset="nowhere")


def test_a_face_adds_options_of_its_own_in_a_subclass() -> None:
    [own] = [each for each in list_run_options(More) if each.name == "output"]
    assert (own.help, own.default, own.key) == ("where the table goes", "nowhere", "output")
    settings = Request((Level("told", {"output": "x", "seed": 2}),), options=More).resolve_options(())
    assert read_options(More, settings).output is None


def test_what_results_depend_on_is_declared_with_each_option() -> None:
    depends = RunOptions(seed=3).named("results")
    assert depends["seed"] == 3
    assert {"aggregate", "step_tokens", "system", "keep_trees"} < depends.keys()
    assert {"work_dir", "resume", "vote"} <= RunOptions().named("process").keys()
    assert {"dataset", "limit", "exp_name"} <= {*list_names(RunOptions, "run")}


def test_every_option_says_what_it_is_and_what_holds_without_it() -> None:
    for each in list_run_options(RunOptions):
        assert each.help and each.default, each.name
