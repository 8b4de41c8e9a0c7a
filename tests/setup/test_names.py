"""What names stand for, and what is said of those that stand for nothing."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes import Likes, SeededEngine
from mock_server import MockServer

from inference_kit.config import Level
from inference_kit.errors import UserError
from inference_kit.models.echo import Echo
from inference_kit.setup.choose import choose
from inference_kit.setup.names import Selection, check_names, find_model, name_by_path, select
from inference_kit.setup.opener import Opener
from inference_kit.setup.registries import Registries
from inference_kit.setup.request import Request

MODELS = {"toy": partial(SeededEngine, "toy", answers=3)}
NAMES = Registries(MODELS, {"toy_prm": partial(Likes), "other": partial(Likes)})


def selected(**values: Any) -> Selection:
    return select(Request((Level("test", {"model": "toy", **values}, told=True),)), NAMES)


def test_a_registered_name_goes_before_an_engine_of_that_name() -> None:
    assert find_model("toy", None, MODELS).entry is MODELS["toy"]
    assert find_model("echo", None, {"echo": partial(Echo, "mine")}).reason == "registered"
    assert find_model("echo", None, MODELS).entry is Echo


def test_a_folder_is_a_model_and_its_last_part_the_name(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "config.json").write_text('{"model_type": "llama"}')
    found = find_model(str(tmp_path / "weights"), None, MODELS)
    assert (found.name, found.engine) == ("weights", "huggingface")


@pytest.mark.parametrize("engine", ["auto", "huggingface", "vllm"])
def test_a_model_by_engine_and_path_has_the_name_of_the_path(engine: str, tmp_path: Path) -> None:
    """Two models of one engine do not share a folder, and one model has one name however it is given."""
    folder = tmp_path / "SmolLM2-135M"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')

    def choose_name(model: str, path: str) -> str:
        values = {"model": model, "model_path": path, "method": "greedy"}
        return choose(Request((Level("test", values, told=True),)), NAMES, Opener()).model_name

    assert choose_name(engine, str(folder)) == choose_name(engine, f"{folder}/") == "SmolLM2-135M"
    assert choose_name("toy", str(folder)) == "toy"


def test_a_model_that_a_server_calls_by_its_path_has_the_last_part_of_it() -> None:
    with MockServer(models=("/srv/models/SmolLM2-135M",)) as server:
        values = {"model": "openai", "model_path": f"{server.root}/v1", "method": "greedy"}
        assert choose(Request((Level("test", values, told=True),)), NAMES, Opener()).model_name == "SmolLM2-135M"


def test_what_a_path_is_called() -> None:
    assert name_by_path("Qwen/Qwen2.5-0.5B-Instruct") == "Qwen2.5-0.5B-Instruct"
    assert name_by_path("models/SmolLM2-135M-Instruct.Q4_1.gguf") == "SmolLM2-135M-Instruct.Q4_1"
    assert name_by_path("http://localhost:8000/v1") == "localhost:8000"


def test_an_address_is_asked_what_it_is_or_judged_by_its_looks() -> None:
    with MockServer(ollama=True, models=("llama",)) as server:
        assert find_model(server.root, None, MODELS).engine == "ollama"
    assert find_model("http://localhost:11434", None, MODELS, ask=False).engine == "ollama"
    assert find_model("http://localhost:8000/v1", None, MODELS, ask=False).engine == "openai"


@pytest.mark.parametrize(("name", "said"), [("tyo", "Did you mean 'toy'"), ("auto", "auto needs a path")])
def test_a_name_that_stands_for_nothing_is_refused(name: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        find_model(name, None, MODELS)


def test_the_reward_model_beside_a_model_is_its_default() -> None:
    assert (beside := selected().reward_model) and beside.name == "toy_prm"
    assert (named := selected(reward_model="other").reward_model) and named.name == "other"
    assert selected(reward_model="none").reward_model is None


def test_there_is_an_option_for_each_setting_of_what_was_chosen() -> None:
    names = {option.name: option.key for option in selected(method="mcts").options}
    assert names["answers"] == "model.answers"
    assert names["reward_favourite"] == "reward_model.favourite"
    assert names["c_puct"] == "method.c_puct"
    assert names["seed"] == "seed"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"sede": 3}, "their.yaml: unknown setting 'sede'. Did you mean 'seed'"),
        ({"beam_width": 3}, "best_of_n has no setting beam_width.* --method beam_search"),
        ({"num_ctx": 3}, "SeededEngine has no setting num_ctx.*ollama has it"),
    ],
)
def test_a_setting_that_nothing_has_is_refused_whatever_the_level_is(values: dict[str, Any], said: str) -> None:
    """A YAML of another program is just one more level."""
    level = Level("their.yaml", {"model": "toy", **values})
    with pytest.raises(UserError, match=said):
        check_names([level], select(Request((level,)), NAMES))
