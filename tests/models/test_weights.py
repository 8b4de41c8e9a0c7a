"""Weights: what is missing is named in one line; identity is what the model is, not where it lies."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from inference_kit.errors import UserError
from inference_kit.models import weights
from inference_kit.models.devices import choose_device, choose_dtype
from inference_kit.models.weights import Weights, load_model, load_tokenizer


@pytest.fixture
def copy(model_folder: Callable[[], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_folder(), tmp_path / "model"))


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


def test_a_folder_without_weights_is_refused_when_they_are_needed(copy: Path) -> None:
    """MAIN-81."""
    (copy / "model.safetensors").unlink()
    assert Weights(str(copy)).context_length
    with pytest.raises(UserError, match="no weights in this folder") as caught:
        load_model(Weights(str(copy)), "AutoModelForCausalLM")
    assert "\n" not in str(caught.value)


def test_a_hub_id_that_cannot_be_fetched_is_one_line() -> None:
    with pytest.raises(UserError, match=r"'nobody/nothing' is no folder here and could not be fetched") as caught:
        _ = Weights("nobody/nothing").config
    assert "\n" not in str(caught.value)


def test_broken_files_are_one_line(copy: Path) -> None:
    (copy / "model.safetensors").write_bytes(b"not weights")
    (copy / "tokenizer.json").write_text("{")
    for load in (load_tokenizer, lambda found: load_model(found, "AutoModelForCausalLM")):
        with pytest.raises(UserError, match="load") as caught:
            load(Weights(str(copy)))
        assert "\n" not in str(caught.value)
    (copy / "config.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        _ = Weights(str(copy)).config


def test_the_text_part_of_a_multimodal_configuration_counts(copy: Path) -> None:
    (copy / "config.json").write_text(json.dumps({"text_config": {"max_position_embeddings": 77}}))
    assert Weights(str(copy)).context_length == 77


def test_device_and_number_format_are_chosen_or_refused() -> None:
    assert choose_device("cpu") == "cpu"
    with pytest.raises(UserError, match="device 'tpu' is not here"):
        choose_device("tpu")
    assert choose_dtype("auto", "cpu", {"dtype": "bfloat16"}) is torch.float32
    assert choose_dtype("auto", "cuda", {"dtype": "float16"}) is torch.float16
    assert choose_dtype("bfloat16", "cpu", {}) is torch.bfloat16
    with pytest.raises(UserError, match="unknown dtype 'int3'"):
        choose_dtype("int3", "cpu", {})


def test_without_a_network_a_hub_id_says_how_to_use_a_folder() -> None:
    with pytest.raises(UserError, match=r"hf download nobody/nothing --local-dir FOLDER.*--reward-model-path FOLDER"):
        _ = Weights("nobody/nothing", flag="--reward-model-path").config


def test_a_damaged_file_is_named(copy: Path) -> None:
    """Issue 6: a file that was cut off on its way here."""
    path = copy / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(
        UserError, match=rf"model\.safetensors: .* {len(content) // 2} bytes is damaged .*Fetch it again"
    ):
        load_model(Weights(str(copy)), "AutoModelForCausalLM")


def test_a_part_that_is_missing_is_named_before_anything_is_read(copy: Path) -> None:
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    (copy / "model.safetensors").rename(copy / "model-00001-of-00002.safetensors")
    with pytest.raises(UserError, match=r"1 of 2 files are missing, such as model-00002-of-00002\.safetensors"):
        Weights(str(copy)).whole_folder()


def test_weights_that_do_not_fit_say_what_to_lower(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForCausalLM

    def too_large(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", too_large)
    with pytest.raises(UserError, match=r"do not fit into the memory of cpu.*--device-map auto.*--quantization-bit 4"):
        load_model(Weights(str(copy)), "AutoModelForCausalLM")
