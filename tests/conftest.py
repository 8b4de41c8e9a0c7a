"""What every test stands on: no network, one thread for each worker, quiet logs, and golden files."""

import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "LOG_LEVEL": "ERROR"}

settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")

GOLDEN = Path(__file__).parent / "golden"


def pytest_collection_finish() -> None:
    """Take what is loaded out of the garbage collector's sight, for good.

    Each run begins with a whole collection and ends with `gc.unfreeze`; here that would look through torch and all
    tests, run after run, and take a fifth of the suite.
    """
    gc.collect()
    gc.freeze()
    gc.unfreeze = lambda: None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files from what the tests see")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """A function that compares a text with `tests/golden/<name>`, or writes it there under `--update-golden`."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path} is missing: pytest --update-golden writes it"
        assert text == path.read_text(encoding="utf-8")

    return compare
