"""What a path is decides who runs it, and the reason says so."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from inference_kit.models import auto
from inference_kit.models.auto import choose_engine


def with_vllm(monkeypatch: pytest.MonkeyPatch, *, installed: bool, gpu: bool) -> None:
    monkeypatch.setattr(auto, "find_vllm_python", lambda: "python" if installed else None)
    monkeypatch.setattr(auto, "_has_gpu", lambda: gpu)


@pytest.mark.parametrize(
    ("installed", "gpu", "engine", "reason"),
    [
        (False, True, "huggingface", "vllm is not installed"),
        (True, False, "huggingface", "there is no GPU"),
        (True, True, "vllm", "vllm is installed and there is a GPU"),
    ],
)
def test_a_folder_and_a_hub_id_are_vllms_where_it_can_run(
    installed: bool,
    gpu: bool,
    engine: str,
    reason: str,
    model_folder: Callable[[], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DEC-03."""
    with_vllm(monkeypatch, installed=installed, gpu=gpu)
    for path, what in ((str(model_folder()), "is a folder"), ("org/model", "is a hub id")):
        choice = choose_engine(path)
        assert choice.engine == engine
        assert choice.reason.startswith(f"{path} {what}; ")
        assert choice.reason.endswith(reason)


@pytest.mark.parametrize(("kind", "name"), [("openai", "OpenAI"), ("ollama", "Ollama")])
def test_an_address_is_asked_what_it_is(kind: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """DEC-03."""
    asked: list[str] = []
    monkeypatch.setattr(auto, "detect_protocol", lambda url: asked.append(url) or kind)
    choice = choose_engine("http://localhost:8000/v1")
    assert (choice.engine, asked) == (kind, ["http://localhost:8000/v1"])
    assert choice.reason == f"the server at http://localhost:8000/v1 speaks {name}'s protocol"


def test_an_adapter_is_said_to_be_one(
    model_folder: Callable[[], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_vllm(monkeypatch, installed=False, gpu=False)
    (tmp_path / "adapter_config.json").write_text("{}")
    assert f"{tmp_path} is a folder with an adapter" in choose_engine(str(tmp_path)).reason
    shutil.copy(model_folder() / "config.json", tmp_path)
    assert f"{tmp_path} is a folder;" in choose_engine(str(tmp_path)).reason


def test_a_model_that_only_reads_with_images_gets_its_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LLaVA is no causal language model; Gemma 3 is one as well, and writes faster as such."""
    with_vllm(monkeypatch, installed=True, gpu=True)
    for kind, engine in (("llava", "vision"), ("qwen2_5_vl", "vision"), ("gemma3", "vllm")):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": kind, "vision_config": {}}))
        choice = choose_engine(str(tmp_path))
        assert choice.engine == engine
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llava", "vision_config": {}}))
    assert choose_engine(str(tmp_path)).reason == f"{tmp_path} is a folder of a kind that reads images (llava)"
