"""Tiny models, each written once for all tests."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_models
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function from a kind of `tiny_models.CONFIGS` to a folder with such a model."""
    written: dict[str, Path] = {}

    def folder(kind: str = "llama") -> Path:
        if kind not in written:
            written[kind] = tiny_models.write(tmp_path_factory.mktemp(kind), kind)
        return written[kind]

    return folder


@pytest.fixture
def copy(model_folder: Callable[[], Path], tmp_path: Path) -> Path:
    """Such a folder, to be damaged."""
    return Path(shutil.copytree(model_folder(), tmp_path / "model"))
