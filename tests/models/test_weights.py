"""Weights: what is missing is named in one line; identity is what the model is, not where it lies."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from loguru import logger

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


@pytest.mark.parametrize("name", ["model-0000{}-of-00002.safetensors", "pytorch_model-0000{}-of-00002.bin"])
def test_parts_without_their_index_are_one_line(name: str, copy: Path) -> None:
    whole = copy / "model.safetensors"
    for number in (1, 2):
        shutil.copy(whole, copy / name.format(number))
    Weights(str(copy)).whole_folder()
    whole.unlink()
    with pytest.raises(UserError, match=r"-00001-of-00002.* is a part of weights, and no index says") as caught:
        Weights(str(copy)).whole_folder()
    index = "pytorch_model.bin.index.json" if name.endswith("bin") else "model.safetensors.index.json"
    assert str(caught.value).startswith(f"{copy}: ")
    assert f"Fetch {index}" in str(caught.value)


def test_weights_that_do_not_fit_say_what_to_lower(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForCausalLM

    def too_large(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", too_large)
    with pytest.raises(UserError, match=r"do not fit into the memory of cpu.*--device-map auto.*--quantization-bit 4"):
        load_model(Weights(str(copy)), "AutoModelForCausalLM")


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "model.safetensors.index.json"])
@pytest.mark.parametrize("content", ["[]", "null", '"text"', "[" * 100_000])
def test_a_small_file_that_holds_something_else_is_named(copy: Path, name: str, content: str) -> None:
    (copy / "model.safetensors").rename(copy / "model-00001-of-00001.safetensors")
    (copy / name).write_text(content)
    with pytest.raises(UserError, match=rf"{name}: .*(no JSON object|cannot be read)"):
        _ = Weights(str(copy)).config, Weights(str(copy)).generation, Weights(str(copy)).whole_folder()


def test_an_index_that_names_nothing_is_no_index(copy: Path) -> None:
    (copy / "model.safetensors").rename(copy / "model-00001-of-00001.safetensors")
    (copy / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(UserError, match=r"index\.json: is empty"):
        Weights(str(copy)).whole_folder()


def change(folder: Path, **settings: object) -> Weights:
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | settings))
    return Weights(str(folder))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"num_hidden_layers": 3}, r"9 are missing, such as model\.layers\.2\."),
        ({"intermediate_size": 64}, r"down_proj\.weight is \[32, 48\] and should be \[32, 64\]"),
    ],
)
def test_weights_that_are_not_all_of_the_model_are_refused(
    setting: dict[str, int], message: str, copy: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """`transformers` would go on with random numbers in their place."""
    with pytest.raises(UserError, match=f"the weights do not fit config.json: .*{message}"):
        load_model(change(copy, **setting), "AutoModelForCausalLM")
    assert "REPORT" not in capfd.readouterr().err


def test_weights_that_have_no_place_in_the_model_are_said(copy: Path) -> None:
    said: list[str] = []
    sink = logger.add(said.append, level="WARNING", format="{message}")
    load_model(change(copy, num_hidden_layers=1), "AutoModelForCausalLM")
    logger.remove(sink)
    assert "9 of the weights" in said[0]
    assert "such as model.layers.1." in said[0]


class Code:
    """What a pickle of the wrong kind would run."""

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (Path("was_run"),)


@pytest.mark.parametrize("kind", ["code", "cut off", "garbage"])
def test_a_bin_file_is_data_or_refused(kind: str, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = copy / "pytorch_model.bin"
    torch.save({"weight": Code() if kind == "code" else torch.ones(1000)}, path)
    (copy / "model.safetensors").unlink()
    if kind != "code":
        path.write_bytes(path.read_bytes()[:1000] if kind == "cut off" else b"garbage" * 100)
    with pytest.raises(UserError, match="the weights do not load"):
        load_model(Weights(str(copy)), "AutoModelForCausalLM")
    assert not Path("was_run").exists()


def test_a_folder_without_a_tokenizer_says_so(copy: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (copy / name).unlink()
    with pytest.raises(UserError, match=r"no tokenizer in this folder \(none of tokenizer\.json"):
        load_tokenizer(Weights(str(copy)))
