"""doctor: it always ends well, and what is missing has a command."""

import argparse
import json
from pathlib import Path

import pytest

from inference_kit.cli import doctor
from inference_kit.cli.doctor import ENGINE_PACKAGES, Finding, format_findings
from inference_kit.models import ENGINES
from inference_kit.setup.registries import Registries


def findings(home: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    assert doctor.execute(argparse.Namespace(json=True), Registries({}, {}, {}, home)) == 0
    return {f"{each['part']} {each['name']}": each for each in json.loads(capsys.readouterr().out)}


def test_it_finds_the_machine_and_the_engines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = findings(tmp_path, capsys)
    assert {"machine Python", "machine cores", "machine memory", "machine free disk", "device cpu"} <= set(found)
    assert found["engine huggingface"]["found"].startswith("torch ")
    assert not found["engine huggingface"]["fix"]


def test_a_missing_or_other_library_names_the_command_that_mends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "requirements.txt").write_text("# pins\nloguru==0.0.1\nno-such-thing==1.0\n", encoding="utf-8")
    found = findings(tmp_path, capsys)
    assert "requirements.txt has 0.0.1" in found["library loguru"]["found"]
    assert found["library loguru"]["fix"].endswith("bash scripts/setup.sh")
    assert found["library no-such-thing"]["found"] == "missing"


def test_offline_mode_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE" in findings(tmp_path, capsys)["hub Hugging Face"]["found"]
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert "offline" not in findings(tmp_path, capsys)["hub Hugging Face"]["found"]


def test_each_command_that_mends_something_is_named_once() -> None:
    text = format_findings(
        [Finding("a", "x", "missing", "do this"), Finding("b", "y", "missing", "do this"), Finding("c", "z", "")]
    )
    assert text.count("do this") == 1
    assert format_findings([Finding("c", "z", "here")]).endswith("Nothing is missing.")


def test_every_engine_says_what_it_needs_installed() -> None:
    assert set(ENGINES) <= {*ENGINE_PACKAGES, "vllm"}  # which has a line of its own


@pytest.mark.parametrize("engine", ["modelscope", "vision", "vllm"])
def test_an_extra_that_is_not_here_is_nothing_to_mend(
    engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """MAIN-02: everything else works without it."""
    monkeypatch.setattr(doctor, "find_vllm_python", lambda: None)
    monkeypatch.setitem(doctor.ENGINE_PACKAGES, engine, ("no-such-package",))
    found = findings(tmp_path, capsys)[f"engine {engine}"]
    assert found["found"].startswith("not installed; an extra: ")
    assert not found["fix"]
