r"""Tables of answers that are equal and that are not, one file a subject, in `pairs/`.

A line `gold<TAB>answer` begins a block; `=<TAB>answer` is the same answer and `!<TAB>answer` another one. Each pair is
compared both ways. The labels say what docs/grading.md says, not what the grader does today.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from inference_kit.grader import GraderPool

TABLES = sorted(Path(__file__).with_name("pairs").glob("*.txt"))
FEWEST_DIFFERENT = 50


class Pair(NamedTuple):
    """A gold answer and another answer, and whether they are equal."""

    gold: str
    answer: str
    equal: bool


def _read(path: Path) -> Iterator[Pair]:
    gold = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            sign, _, answer = line.partition("\t")
            assert sign in ("gold", "=", "!") and answer, line
            if sign == "gold":
                gold = answer
            else:
                yield Pair(gold, answer, sign == "=")


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_pair_of_a_table_is_equal_or_not_as_it_says(pool: GraderPool, path: Path) -> None:
    """MAIN-66: what accepts more has near misses in the same table."""
    failing = [
        pair
        for pair in _read(path)
        if {pool.equal(pair.gold, pair.answer), pool.equal(pair.answer, pair.gold)} != {pair.equal}
    ]
    assert failing == []


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_table_has_fifty_pairs_that_differ(path: Path) -> None:
    assert len({pair for pair in _read(path) if not pair.equal}) >= FEWEST_DIFFERENT
