"""Heads: found in the files of the weights, whatever kind these are."""

from pathlib import Path

import pytest
import tiny_models
import torch
from safetensors.torch import load_file

from inference_kit.errors import UserError
from inference_kit.reward_models.local.heads import count_head_outputs, load_head

HEAD = r"score\.(?:\d+\.)?weight"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_models.write_head(tiny_models.write(tmp_path), {"score.0": (32, 32), "score.2": (2, 32)})


def test_layers_come_in_order_and_the_last_one_tells_how_many_outputs_there_are(folder: Path) -> None:
    assert count_head_outputs(folder, HEAD) == 2
    assert [tuple(weight.shape) for weight, _ in load_head(folder, HEAD)] == [(32, 32), (2, 32)]


def test_older_weights_are_read_too_and_never_unpickled_freely(folder: Path) -> None:
    stored = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(stored, folder / "pytorch_model.bin")
    assert count_head_outputs(folder, HEAD) is None
    assert torch.equal(load_head(folder, HEAD)[1][0], stored["score.2.weight"])


def test_weights_without_a_head_are_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="these weights have no head"):
        load_head(folder, r"v_head\.weight")
