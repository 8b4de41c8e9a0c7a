"""A tiny model for the reward models."""

from pathlib import Path

import pytest
import tiny_models
import torch


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A causal language model with a chat template."""
    torch.set_num_threads(1)
    return tiny_models.write(tmp_path_factory.mktemp("reward"), "qwen3")
