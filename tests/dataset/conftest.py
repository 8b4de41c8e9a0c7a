"""Files made of a few rows, and the real data sets where they are there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inference_kit.dataset.base import Dataset
from inference_kit.records import Problem

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture
def jsonl(tmp_path: Path) -> Callable[..., str]:
    """Write rows to a JSONL file; a row that is a text is a line as it is."""

    def write(*rows: Any, name: str = "mine.jsonl") -> str:
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def read(jsonl: Callable[..., str]) -> Callable[..., Problem]:
    """The problem that a family makes of one row."""

    def problem_of(family: type[Dataset], row: Any, **settings: Any) -> Problem:
        return next(family("mine", jsonl(row), **settings).problems())

    return problem_of


@pytest.fixture
def real() -> Callable[[str], str]:
    """The path of a real data set; the test skips where it is absent."""

    def path_of(name: str) -> str:
        if not (REAL / name).exists():
            pytest.skip("../shared/data, the real data sets, is not here")
        return str(REAL / name)

    return path_of
