"""Loading: what is damaged, missing or too large is one line; nothing is made up, and no code is run."""

import json
from pathlib import Path

import pytest
import torch
from loguru import logger

from inference_kit.errors import UserError
from inference_kit.models.local.loading import load_model, load_tokenizer
from inference_kit.models.local.weights import Weights


def test_a_folder_without_weights_is_refused_when_they_are_needed(copy: Path) -> None:
    """MAIN-81."""
    (copy / "model.safetensors").unlink()
    assert Weights(str(copy)).context_length
    with pytest.raises(UserError, match="no weights in this folder") as caught:
        load_model(Weights(str(copy)), "AutoModelForCausalLM")
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


def test_a_damaged_file_is_named(copy: Path) -> None:
    """Issue 6: a file that was cut off on its way here."""
    path = copy / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(
        UserError, match=rf"model\.safetensors: .* {len(content) // 2} bytes is damaged .*Fetch it again"
    ):
        load_model(Weights(str(copy)), "AutoModelForCausalLM")


def test_weights_that_do_not_fit_say_what_to_lower(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForCausalLM

    def too_large(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", too_large)
    with pytest.raises(UserError, match=r"do not fit into the memory of cpu.*--device-map auto.*--quantization-bit 4"):
        load_model(Weights(str(copy)), "AutoModelForCausalLM")


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
