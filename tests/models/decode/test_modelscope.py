"""ModelScope resolves an id to a folder; the Hugging Face engine does the rest."""

import asyncio
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inference_kit.errors import UserError
from inference_kit.models.decode.huggingface import HuggingFace
from inference_kit.models.decode.modelscope import ModelScope
from inference_kit.records import Completion, GenerationConfig, Message, Prompt
from inference_kit.registry import read_settings

GREEDY = GenerationConfig(max_new_tokens=8, temperature=0.0)


class HubError(Exception):
    """What modelscope_hub.errors has."""


class CacheError(HubError):
    """Not in the cache."""


class Hub:
    """A hub with one model; `cached` and `online` say what can be had."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cached, self.online = folder, False, True
        self.asked: list[tuple[str, str | None, bool]] = []

    def snapshot_download(self, model_id: str, *, revision: Any, allow_patterns: Any, local_files_only: bool) -> str:
        self.asked.append((model_id, revision, local_files_only))
        if local_files_only and not self.cached:
            raise CacheError("not in the cache")
        if not local_files_only and not self.online:
            raise HubError("no route to modelscope\nwith details")
        self.cached = True
        return str(self.folder)


@pytest.fixture
def hub(model_folder: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> Hub:
    found = Hub(model_folder())
    modelscope, modelscope_hub, errors = (
        types.ModuleType(name) for name in ("modelscope", "modelscope_hub", "modelscope_hub.errors")
    )
    modelscope.snapshot_download = found.snapshot_download  # type: ignore[attr-defined]
    errors.HubError, errors.CacheError = HubError, CacheError  # type: ignore[attr-defined]
    for module in (modelscope, modelscope_hub, errors):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return found


def answer(engine: HuggingFace) -> Completion:
    async def one() -> Completion:
        (found,) = [completion async for _, completion in engine.generate(Prompt((Message("user", "So?"),)), GREEDY)]
        return found

    return asyncio.run(one())


def test_an_id_is_fetched_and_run_like_a_folder(hub: Hub, model_folder: Callable[[], Path]) -> None:
    """XF-49."""
    engine = ModelScope("org/model", revision="v1")
    assert answer(engine) == answer(HuggingFace(str(model_folder())))
    assert hub.asked[:2] == [("org/model", "v1", True), ("org/model", "v1", False)]
    assert all(here for _, _, here in hub.asked[2:])


def test_what_was_fetched_and_a_folder_need_no_network(hub: Hub, model_folder: Callable[[], Path]) -> None:
    hub.cached, hub.online = True, False
    assert answer(ModelScope("org/model")).tokens == GREEDY.max_new_tokens
    hub.asked.clear()
    assert answer(ModelScope(str(model_folder()))).tokens == GREEDY.max_new_tokens
    assert not hub.asked


def test_without_a_network_the_error_says_how_to_use_a_folder(hub: Hub) -> None:
    hub.online = False
    with pytest.raises(UserError) as caught:
        _ = ModelScope("org/model").identity
    assert str(caught.value) == (
        "--model-path: 'org/model' is no folder here and could not be fetched as a ModelScope id (no route to "
        "modelscope). Check the id and the network; or fetch it elsewhere (modelscope download org/model --local_dir "
        "FOLDER) and give that folder as --model-path FOLDER."
    )


def test_the_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """MAIN-02."""
    monkeypatch.setitem(sys.modules, "modelscope", None)
    with pytest.raises(UserError, match=r"modelscope is not installed.*requirements-modelscope\.txt"):
        _ = ModelScope("org/model").identity


def test_its_settings_have_the_help_of_the_hugging_face_engine() -> None:
    settings = read_settings(ModelScope)
    assert settings.keys() == read_settings(HuggingFace).keys()
    assert all(setting.help for setting in settings.values())
