"""What other programs import: one list of names, typed, documented, and made into a page."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import inference_kit
from scripts import api_page

ROOT = Path(__file__).resolve().parents[1]


def test_every_public_name_is_importable_and_documented() -> None:
    for name in inference_kit.__all__:
        value = getattr(inference_kit, name)
        assert isinstance(value, dict | str) or value.__doc__, name


def test_type_checkers_see_the_same_names() -> None:
    text = Path(inference_kit.__file__).read_text(encoding="utf-8")
    seen = {name: module for module, name in re.findall(r"    from (\S+) import (\w+) as \w+\n", text)}
    assert seen == {name: module for module, names in inference_kit.EXPORTS.items() for name in names}
    assert (ROOT / "inference_kit" / "py.typed").exists()


def test_the_registries_and_their_records_are_public() -> None:
    for name in ("ENGINES", "REWARD_MODELS", "METHODS", "VOTES", "Engine", "RewardModel", "Dataset", "Method", "Vote"):
        assert name in inference_kit.__all__


def test_importing_the_package_imports_no_room_of_it() -> None:
    code = "import sys, inference_kit; print([name for name in sys.modules if name.startswith('inference_kit.')])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"


def test_the_page_is_what_the_docstrings_say() -> None:
    """Mended by `python scripts/api_page.py`."""
    assert api_page.PAGE.read_text(encoding="utf-8") == api_page.page()


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(importlib.import_module("inference_kit"), "Nothing")
