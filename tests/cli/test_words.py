"""Plans: which level each setting comes from, on the bundled model and on one with a generation_config of its own."""

import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import tiny_models
from loguru import logger
from mock_server import MockServer

import inference_kit
from inference_kit import cli
from inference_kit.cli.words import Command
from inference_kit.dataset.simpledataset import SimpleDataset
from inference_kit.errors import UserError
from inference_kit.models.decode.huggingface import HuggingFace
from inference_kit.setup.opener import Opener
from inference_kit.setup.parts import Parts
from inference_kit.setup.registries import Registries

BUNDLED = Path(inference_kit.__file__).parent / "bundled" / "abacus"
OWN = {"temperature": 0.55, "top_p": 0.85, "max_new_tokens": 25, "stop_strings": ["own"], "do_sample": True}
LEVELS = ("command line", "model arguments", "config file", "config file mine.yaml", "model's generation_config")
VALUES: dict[str, tuple[Any, ...]] = {
    "temperature": (0.1, 0.2, 0.3, 0.4),
    "top_p": (0.1, 0.2, 0.3, 0.4),
    "max_new_tokens": (11, 12, 13, 14),
    "stop": ("a", "b", "c", "d"),
    "n": (1, 2, 3, 4),
    "system": ("line", "registry", "file", "model"),
}
"""What the first four levels say of each setting."""
BELOW: dict[str, dict[str, tuple[Any, str]]] = {
    "bundled": {
        "temperature": (1.0, LEVELS[4]),
        "top_p": (1.0, "library default"),
        "max_new_tokens": (192, LEVELS[4]),
        "stop": ((), "library default"),
        "n": (16, "default"),
        "system": (None, ""),
    },
    "own": {
        "temperature": (0.55, LEVELS[4]),
        "top_p": (0.85, LEVELS[4]),
        "max_new_tokens": (25, LEVELS[4]),
        "stop": (("own",), LEVELS[4]),
        "n": (16, "default"),
        "system": (None, ""),
    },
}
"""What holds where none of them says anything, and where that comes from."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tiny_models.write(tmp_path_factory.mktemp("own"))
    (folder / "generation_config.json").write_text(json.dumps(OWN))
    return {"bundled": BUNDLED, "own": folder}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "configs" / "models").mkdir(parents=True)
    (tmp_path / "mine.jsonl").write_text('{"index": 0, "input": "1 + 1", "answer": "2"}\n')
    return tmp_path


def registries(home: Path, model: Path, **arguments: Any) -> Registries:
    data = partial(SimpleDataset, dataset_name="mine", dataset_path=str(home / "mine.jsonl"))
    return Registries({"mine": partial(HuggingFace, str(model), **arguments)}, {}, {"mine": data}, home)


def flags(values: Mapping[str, Any]) -> list[str]:
    return [word for name, value in values.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def plan(home: Path, model: Path, *levels: Mapping[str, Any]) -> Parts:
    """A run with settings on the command line, in the registry, in a file and in the model's own file."""
    line, registry, file, of_model = (*levels, {}, {}, {}, {})[:4]
    (home / "run.yaml").write_text(json.dumps(file))
    (home / "configs" / "models" / "mine.yaml").write_text(json.dumps(of_model))
    words = ["--model", "mine", "--dataset", "mine", "--config", str(home / "run.yaml"), *flags(line)]
    return Command("run", "").choose(words, registries(home, model, **registry), Opener())


def found(plan: Parts, name: str) -> tuple[Any, str]:
    setting = plan.settings.get("method.n" if name == "n" else name)
    return (setting.value, setting.source) if setting else (None, "")


@pytest.mark.parametrize("model", ["bundled", "own"])
@pytest.mark.parametrize("name", VALUES)
def test_each_level_beats_all_below_it(name: str, model: str, home: Path, models: dict[str, Path]) -> None:
    """MAIN-25."""
    given = [{name: value} for value in VALUES[name]]
    for strongest in range(4):
        made = plan(home, models[model], *[{}] * strongest, *given[strongest:])
        value = VALUES[name][strongest]
        assert found(made, name) == ((value,) if name == "stop" else value, LEVELS[strongest])
    below = plan(home, models[model])
    assert found(below, name) == BELOW[model][name]


def test_what_runs_is_what_was_resolved(home: Path, models: dict[str, Path]) -> None:
    line = {name: values[0] for name, values in VALUES.items()}
    made = plan(home, models["own"], line)
    config = made.generation
    assert (config.temperature, config.top_p, config.max_new_tokens, config.stop) == (0.1, 0.1, 11, ("a",))
    assert made.method.keywords["n"] == 1  # type: ignore[attr-defined]


def test_explain_and_config_json_show_value_source_and_what_was_beaten(
    home: Path, models: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """BEY-10, MAIN-64."""
    words = ["run", "--model", "mine", "--dataset", "mine", "--work-dir", str(home / "w"), "--temperature", "0.1"]
    entries = registries(home, models["own"], temperature=0.2, n=1)
    assert cli.main([*words, "--explain"], entries) == 0
    shown = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("temperature"))
    assert all(each in shown for each in ("0.1", "command line", "0.2", "model arguments", "0.55", LEVELS[4]))
    cli.main(words, entries)
    [path] = home.glob("w/mine/*/config.json")
    text = path.read_text()
    stored = next(each["settings"] for each in _mappings(json.loads(text)) if "settings" in each)
    assert stored["temperature"]["beat"][0] == {"value": 0.2, "source": "model arguments"}
    assert (stored["temperature"]["value"], stored["temperature"]["source"]) == (0.1, "command line")


def _mappings(data: Any) -> list[dict[str, Any]]:
    inside = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return [*([data] if isinstance(data, dict) else []), *(each for value in inside for each in _mappings(value))]


@pytest.mark.parametrize(
    ("registry", "line", "message"),
    [
        ({"max_tokens": 5, "max_new_tokens": 6}, {}, "model arguments: .*synonym"),
        ({"temperature": "hot"}, {}, "model arguments: temperature must be a number"),
        ({"do_sample": True, "temperature": 0}, {}, "model arguments: do_sample is true and temperature is 0"),
        ({"temperature": 0}, {"do_sample": "true"}, "command line: do_sample is true and temperature is 0"),
        ({"no_such": 1}, {}, "cannot be made: .*'no_such'"),
        ({"max_batch_size": 0}, {}, "registry: max_batch_size must be at least 1, got 0"),
        ({}, {"tensor_parallel_size": 0}, "--tensor-parallel-size: .* must be at least 1, got 0"),
        ({}, {"attn_implementation": "flash"}, "unknown attn_implementation 'flash'"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_its_source(
    registry: dict[str, Any], line: dict[str, Any], message: str, home: Path, models: dict[str, Path]
) -> None:
    with pytest.raises(UserError, match=message):
        plan(home, models["bundled"], line, registry)


def test_do_sample_and_synonyms_are_model_arguments_too(home: Path, models: dict[str, Path]) -> None:
    made = plan(home, models["bundled"], {}, {"do_sample": False, "max_tokens": 5, "num_return_sequences": 3})
    assert found(made, "temperature") == (0.0, "model arguments")
    assert (made.generation.max_new_tokens, found(made, "n")) == (5, (3, "model arguments"))


def test_a_models_own_file_sets_its_engine_and_nothing_of_the_run(home: Path, models: dict[str, Path]) -> None:
    """MAIN-26."""
    own_file = {"separator": "\n", "dtype": "bfloat16"}
    made = plan(home, models["own"], {}, {}, {"dtype": "float32"}, own_file)
    assert made.engine.separator == "\n"
    assert made.settings["model.separator"].source == "config file mine.yaml"
    assert made.settings["model.dtype"].value == "float32"
    with pytest.raises(UserError, match=r"mine\.yaml:1:2: unknown key 'limit'"):
        plan(home, models["own"], {}, {}, {}, {"limit": 3})


def test_a_gpu_that_only_a_file_asks_for_may_be_missing(home: Path, models: dict[str, Path]) -> None:
    """Section 0, devices: one warning, then the CPU with float32; on the command line it is an error."""
    said: list[str] = []
    sink = logger.add(said.append, level="WARNING", format="{message}")
    made = plan(home, models["own"], {}, {}, {"device": "cuda:99", "dtype": "float16"})
    logger.remove(sink)
    assert [each.strip() for each in said] == ["config file: device 'cuda:99' is not here; going on with the CPU"]
    assert (made.settings["model.device"].value, made.settings["model.dtype"].value) == ("cpu", "float32")
    assert made.settings["model.device"].beaten[0] == ("config file", "cuda:99")
    assert plan(home, models["own"], {"device": "cuda:99"}).settings["model.device"].value == "cuda:99"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--reward-dtype", "int3"], "--reward-dtype: unknown reward_dtype 'int3'"),
        (["--dtype", "int3"], "--dtype: unknown dtype 'int3'"),
        (["--reward-model", "implicit_prm"], "--reward-reference-path: it is needed"),
        (["--reward-model", "vllm_pooling", "--reward-engine-args", "a"], "--reward-engine-args: expected key=value"),
    ],
)
def test_a_wrong_setting_is_refused_by_the_flag_that_mends_it(
    home: Path, models: dict[str, Path], words: list[str], said: str
) -> None:
    """MAIN-06: before anything is loaded; a reward model's flag is not the model's own."""
    chosen = ["--model", "mine", "--dataset", "mine", "--reward-model", "likelihood", "--reward-model-path"]
    with pytest.raises(UserError, match=f"^{re.escape(said)}"):
        Command("main.py run", "").choose(
            [*chosen, str(models["own"]), *words], registries(home, models["own"]), Opener()
        )


def test_a_wrong_key_of_the_reward_models_section_is_told_those_that_it_knows(
    home: Path, models: dict[str, Path]
) -> None:
    """MAIN-07: without the prefix that they have as flags."""
    (home / "run.yaml").write_text("reward_model_args:\n  bta: 0.5\n")
    chosen = ["--model", "mine", "--dataset", "mine", "--reward-model", "likelihood", "--reward-model-path"]
    with pytest.raises(
        UserError, match=r"reward_model_args 'bta'\. Did you mean 'beta'\? Known: base_model, beta, cache_bytes"
    ):
        Command("main.py run", "").choose(
            [*chosen, str(models["own"]), "--config", str(home / "run.yaml")], registries(home, models["own"]), Opener()
        )


@pytest.mark.parametrize("asked", ["--explain", "--help"])
@pytest.mark.parametrize("name", ["server.url", "server.root", "org/never-fetched"])
def test_help_and_explain_contact_no_server_and_no_hub(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], asked: str, name: str
) -> None:
    """What only the server knows is shown as what holds unless it says otherwise."""

    def refuse(*_: object) -> None:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("inference_kit.models.decode.huggingface.HuggingFace.fetch", refuse)
    with MockServer() as server:
        model = {"server.url": server.url, "server.root": server.root}.get(name, name)
        words = ["run", "--model", model, "--dataset", "mine", "--reward-model", "http", "--reward-model-path"]
        try:
            code = cli.main([*words, server.url, "--method", "beam_search", asked], registries(home, BUNDLED))
        except SystemExit as leaving:
            code = leaving.code  # type: ignore[assignment]
        assert (code or 0, server.asked) == (0, [])
    assert "1024" in capsys.readouterr().out


def test_help_shows_the_values_that_will_hold(
    home: Path, models: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--model", "mine", "--dataset", "mine", "--n", "3", "--help"]
    assert cli.main(words, registries(home, models["own"], separator=";", temperature=0.2)) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Candidates for each problem. (command line: 3)" in shown
    assert "Text that ends a step. (registry: ;)" in shown
    assert "0 is greedy (model arguments: 0.2)" in shown
    assert "at the most (model's generation_config: 25)" in shown
    assert "a registered reward model, or none (default: none)" in shown


def test_help_is_shown_for_a_request_that_would_be_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "--model", "mine", "--dataset", "mine", "--method", "mcts", "--n", "0", "--help"]
    assert cli.main(words, registries(home, BUNDLED)) == 0
    assert "--c-puct" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model: [a, b]", "model takes one value, not a list. Quote it where it is a text."),
        ("dataset: {a: 1}", "dataset takes one value, not a mapping"),
        ("generation:\n- temperature: 1", "generation must hold settings"),
        ("temperature: .inf", "temperature: expected a number, got '.inf'"),
        ("temperature: inf\nmodel: mine", "expected a finite number, got"),
        ("system: Answer: yes", "in quotes"),
        ("stop: [a, ~]", "stop has nothing in its list"),
        ("stop: [a, [b]]", "stop has a list in its list"),
    ],
)
def test_a_value_that_cannot_be_meant_is_one_line_with_its_place(
    home: Path, models: dict[str, Path], text: str, said: str
) -> None:
    """Issue 12."""
    (home / "run.yaml").write_text(f"dataset_path: {home / 'mine.jsonl'}\n{text}\n")
    with pytest.raises(UserError) as caught:
        Command("run", "").choose(["--config", str(home / "run.yaml")], registries(home, models["bundled"]), Opener())
    assert said in str(caught.value)
    assert "run.yaml:2" in str(caught.value) or "config file: " in str(caught.value)


def test_an_empty_section_says_nothing_and_a_list_holds_what_stands_there(home: Path, models: dict[str, Path]) -> None:
    (home / "run.yaml").write_text(
        f"model: mine\ndataset_path: {home / 'mine.jsonl'}\ngeneration:\nstop: [yes, true, 1.10]\n"
    )
    parts = Command("run", "").choose(
        ["--config", str(home / "run.yaml")], registries(home, models["bundled"]), Opener()
    )
    assert parts.generation.stop == ("yes", "true", "1.10")
