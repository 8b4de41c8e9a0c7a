"""Devices: the best that is here is chosen, and what is not here is refused."""

import pytest
import torch

from inference_kit.errors import UserError
from inference_kit.models.local.devices import choose_device, choose_dtype


def test_device_and_number_format_are_chosen_or_refused() -> None:
    assert choose_device("cpu") == "cpu"
    with pytest.raises(UserError, match="device 'tpu' is not here"):
        choose_device("tpu")
    assert choose_dtype("auto", "cpu", {"dtype": "bfloat16"}) is torch.float32
    assert choose_dtype("auto", "cuda", {"dtype": "float16"}) is torch.float16
    assert choose_dtype("bfloat16", "cpu", {}) is torch.bfloat16
    with pytest.raises(UserError, match="unknown dtype 'int3'"):
        choose_dtype("int3", "cpu", {})
