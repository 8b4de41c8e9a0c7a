"""Rule: a function in a file of one's own."""

from pathlib import Path

import pytest

from inference_kit.errors import EngineError, UserError
from inference_kit.records import Message, Problem
from inference_kit.reward_models.rules.rule import Rule

PROBLEM = Problem("1", (Message("user", "How many?"),))
SOURCE = """
def short(problem, steps):
    return [1 / len(step) for step in steps]

def nothing(problem, steps):
    return None
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    return path


def test_the_function_scores_and_its_file_is_the_identity(file: Path) -> None:
    """MAIN-36."""
    rule = Rule(f"{file}:short")
    rule.check()
    assert rule.score(PROBLEM, ("ab", "abcd")) == [0.5, 0.25]
    before = rule.identity
    file.write_text(SOURCE + "\n# another rule\n")
    assert Rule(f"{file}:short").identity != before


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("mine.py", r"'.*mine\.py' names no function\. Write path/to/file\.py:function"),
        ("none.py:short", r"none\.py: cannot be read: No such file"),
        ("mine.py:long", r"mine\.py: no function 'long'\. It has short, nothing"),
    ],
)
def test_what_is_not_there_is_one_line(file: Path, path: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Rule(str(file.parent / path)).check()


def test_a_file_that_does_not_load_is_one_line(file: Path) -> None:
    file.write_text("1 / 0")
    with pytest.raises(UserError, match=r"does not load: ZeroDivisionError"):
        Rule(f"{file}:short").check()


def test_what_is_no_list_of_numbers_is_refused(file: Path) -> None:
    with pytest.raises(EngineError, match="nothing returned NoneType, not a list of numbers"):
        Rule(f"{file}:nothing").score(PROBLEM, ("a",))
