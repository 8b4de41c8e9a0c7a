"""Selection: which problems of a data set a run takes.

Why: a method is tried on fifty problems before it is paid for on five thousand, and one problem is run again alone.
Promises: problems keep the order of the data; the same seed takes the same problems, and a larger limit keeps those of
a smaller one; the shards of a selection have every problem in exactly one of them.
"""

import heapq
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from inference_kit.errors import UserError
from inference_kit.records import Problem

RANGE = re.compile(r"(\d{1,18})-(\d{1,18})")
PART = re.compile(r"(\d{1,9})/(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of `of`, counted from 1: every `of`-th problem, by its place among the selected ones."""

    number: int
    of: int

    @classmethod
    def read(cls, text: str) -> "Shard":
        """Read `2/4`.

        Raises:
            UserError: where it is not one part of some.
        """
        found = PART.fullmatch(text.strip())
        shard = cls(int(found[1]), int(found[2])) if found else cls(0, 0)
        if not 1 <= shard.number <= shard.of:
            raise UserError(f"expected i/k with i from 1 to k, got {text!r}", where="--shard", fix="Such as 2/4.")
        return shard

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


@dataclass(frozen=True, slots=True)
class Selection:
    """The problems that `index` names (such as `3,7,10-20`), of these the first `limit`, or `limit` at random.

    With a `shard`, that part of them.
    """

    limit: int | None = None
    index: str | None = None
    shuffle_seed: int | None = None
    shard: Shard | None = None

    def of(self, problems: Iterator[Problem]) -> Iterator[Problem]:
        """Take the selected problems out of a stream.

        Raises:
            UserError: an index that no problem has; said when the stream is at its end.
        """
        chosen = problems if self.index is None else _named(problems, self.index)
        if self.limit is None or self.shuffle_seed is None:
            taken: Iterator[Problem] = islice(chosen, self.limit)
        else:
            taken = _drawn(chosen, self.limit, random.Random(self.shuffle_seed))
        return islice(taken, self.shard.number - 1, None, self.shard.of) if self.shard else taken


def _named(problems: Iterator[Problem], asked: str) -> Iterator[Problem]:
    names = [name.strip() for name in asked.split(",") if name.strip()]
    missing = set(names)
    for problem in problems:
        hits = [name for name in names if _names(name, str(problem.index))]
        missing.difference_update(hits)
        if hits:
            yield problem
    if missing or not names:
        raise UserError(
            f"no problem has index {min(missing, key=names.index)}" if missing else "no index is named",
            where="--index",
            fix="Name indices of the data set, such as 3,7,10-20.",
        )


def _names(name: str, index: str) -> bool:
    """Whether `name`, an index or a range of numbers, means this index."""
    span = RANGE.fullmatch(name)
    within = span and index.isdecimal() and len(index) <= 18 and int(span[1]) <= int(index) <= int(span[2])
    return bool(name == index or within)


def _drawn(problems: Iterator[Problem], limit: int, rng: random.Random) -> Iterator[Problem]:
    """Each problem draws a number, and the smallest stay: one pass, and only `limit` problems in memory."""
    drawn = heapq.nsmallest(limit, ((rng.random(), place, problem) for place, problem in enumerate(problems)))
    return (problem for _, problem in sorted((place, problem) for _, place, problem in drawn))
