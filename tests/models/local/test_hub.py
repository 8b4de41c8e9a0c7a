"""Hubs: what a network that is there, missing or silent means for a model by its id."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference_kit.errors import UserError
from inference_kit.models.local import hub
from inference_kit.models.local.hub import fetch_from_huggingface


@pytest.fixture
def silent_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A server that takes every connection and never says a word, as behind some firewalls."""
    from huggingface_hub import constants

    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr(hub, "SECONDS_TO_ANSWER", 0.2)
        yield address


def test_a_hub_that_never_answers_is_waited_for_a_moment(silent_hub: str) -> None:
    """Issue 6: a hub id without network."""
    begin = time.monotonic()
    with pytest.raises(UserError) as caught:
        fetch_from_huggingface("org/model", None, ("*.json",), "model_path")
    assert time.monotonic() - begin < 5
    assert f"could not be fetched as a hub id ({silent_hub} does not answer within 0.2 s)" in str(caught.value)
    assert "give that folder as --model-path FOLDER" in str(caught.value)


def test_what_was_fetched_before_is_found_while_the_hub_is_silent(silent_hub: str, tmp_path: Path) -> None:
    folder = tmp_path / "models--org--model"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "snapshots" / "abc" / "config.json").write_text("{}")
    assert fetch_from_huggingface("org/model", None, ("*.json",), "model_path") == folder / "snapshots" / "abc"
