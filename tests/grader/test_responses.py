r"""Tables of responses that give the gold answer and that do not, one file a subject, in `responses/`.

A line `gold<TAB>answer` begins a block; `=<TAB>response` gives that answer and `!<TAB>response` another one or none.
In a response `⏎` is the end of a line. `choices<TAB>a | b` names the options of the blocks that follow.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from inference_kit.grader import GradeItem, GraderPool

TABLES = sorted(Path(__file__).with_name("responses").glob("*.txt"))
FEWEST_DIFFERENT = 50


def _read(path: Path) -> Iterator[tuple[GradeItem, bool]]:
    gold, choices = "", ()
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        sign, _, text = line.partition("\t")
        assert sign in ("gold", "choices", "=", "!") and text, line
        if sign == "gold":
            gold = text
        elif sign == "choices":
            choices = tuple(choice.strip() for choice in text.split("|") if choice.strip())
        else:
            yield GradeItem(gold, text.replace("⏎", "\n"), choices=choices), sign == "="


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_response_of_a_table_is_graded_as_it_says(pool: GraderPool, path: Path) -> None:
    """MAIN-68: what finds more answers has near misses in the same table."""
    cases = [*_read(path)]
    grades = [pool.grade(item.gold, item.response, choices=item.choices) for item, _ in cases]
    failing = [
        (item.gold, item.response, grade.extracted)
        for (item, correct), grade in zip(cases, grades, strict=True)
        if grade.correct != correct
    ]
    assert failing == []


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_table_has_fifty_responses_that_are_not_right(path: Path) -> None:
    assert len({(item.gold, item.response) for item, correct in _read(path) if not correct}) >= FEWEST_DIFFERENT
