"""Weights: what is missing is named in one line; identity is what the model is, not where it lies."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from inference_kit.errors import UserError
from inference_kit.models.local import weights
from inference_kit.models.local.weights import Weights


def digest(folder: Path) -> str:
    return Weights(str(folder)).digest


def test_identity_does_not_depend_on_the_place(copy: Path, model_folder: Callable[[], Path]) -> None:
    assert digest(copy) == digest(model_folder())


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "chat_template.jinja"])
def test_identity_changes_with_the_small_files(name: str, copy: Path) -> None:
    before = digest(copy)
    with (copy / name).open("a") as file:
        file.write(" ")
    assert digest(copy) != before


@pytest.mark.parametrize("limit", [None, 1000])
def test_identity_changes_with_the_weights(
    limit: int | None, copy: Path, model_folder: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a large file is read in pieces only: a merged adapter changes every layer but neither end."""
    if limit:
        monkeypatch.setattr(weights, "PIECE_BYTES", 64)
    path = copy / "model.safetensors"
    content = bytearray(path.read_bytes())
    third = len(content) // 3
    for place in range(third, 2 * third):
        content[place] ^= 1
    path.write_bytes(content)
    assert digest(copy) != digest(model_folder())


def test_a_missing_folder_is_named_and_never_looked_up_on_the_hub(tmp_path: Path) -> None:
    """MAIN-81."""
    with pytest.raises(UserError, match="no such folder") as caught:
        _ = Weights(str(tmp_path / "nowhere")).config
    assert str(tmp_path / "nowhere") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_config_names_what_is_there(copy: Path) -> None:
    (copy / "config.json").unlink()
    with pytest.raises(UserError, match=r"no config\.json in this folder.*model\.safetensors"):
        _ = Weights(str(copy)).digest


def test_a_hub_id_that_cannot_be_fetched_is_one_line() -> None:
    with pytest.raises(UserError, match=r"'nobody/nothing' is no folder here and could not be fetched") as caught:
        _ = Weights("nobody/nothing").config
    assert "\n" not in str(caught.value)


def test_the_text_part_of_a_multimodal_configuration_counts(copy: Path) -> None:
    (copy / "config.json").write_text(json.dumps({"text_config": {"max_position_embeddings": 77}}))
    assert Weights(str(copy)).context_length == 77


def test_without_a_network_a_hub_id_says_how_to_use_a_folder() -> None:
    with pytest.raises(UserError, match=r"hf download nobody/nothing --local-dir FOLDER.*--reward-model-path FOLDER"):
        _ = Weights("nobody/nothing", setting="reward_model_path").config


def test_a_part_that_is_missing_is_named_before_anything_is_read(copy: Path) -> None:
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    (copy / "model.safetensors").rename(copy / "model-00001-of-00002.safetensors")
    with pytest.raises(UserError, match=r"1 of 2 files are missing, such as model-00002-of-00002\.safetensors"):
        Weights(str(copy)).fetch_all()


@pytest.mark.parametrize("name", ["model-0000{}-of-00002.safetensors", "pytorch_model-0000{}-of-00002.bin"])
def test_parts_without_their_index_are_one_line(name: str, copy: Path) -> None:
    whole = copy / "model.safetensors"
    for number in (1, 2):
        shutil.copy(whole, copy / name.format(number))
    Weights(str(copy)).fetch_all()
    whole.unlink()
    with pytest.raises(UserError, match=r"-00001-of-00002.* is a part of weights, and no index says") as caught:
        Weights(str(copy)).fetch_all()
    index = "pytorch_model.bin.index.json" if name.endswith("bin") else "model.safetensors.index.json"
    assert str(caught.value).startswith(f"{copy}: ")
    assert f"Fetch {index}" in str(caught.value)


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "model.safetensors.index.json"])
@pytest.mark.parametrize("content", ["[]", "null", '"text"', "[" * 100_000])
def test_a_small_file_that_holds_something_else_is_named(copy: Path, name: str, content: str) -> None:
    (copy / "model.safetensors").rename(copy / "model-00001-of-00001.safetensors")
    (copy / name).write_text(content)
    with pytest.raises(UserError, match=rf"{name}: .*(no JSON object|cannot be read)"):
        _ = Weights(str(copy)).config, Weights(str(copy)).generation, Weights(str(copy)).fetch_all()


def test_an_index_that_names_nothing_is_no_index(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "model-00001-of-00001.safetensors")
    (copy / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(UserError, match=r"index\.json: is empty"):
        Weights(str(copy)).fetch_all()
