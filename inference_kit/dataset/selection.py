"""Selection: which problems of a data set a run takes.

Why: a method is tried on fifty problems before it is paid for on five thousand, and one problem is run again alone.
Promises: problems keep the order of the data. The same seed takes the same problems, and a larger limit keeps those of
a smaller one. Each problem of a selection is in exactly one of its shards.
"""

import heapq
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from inference_kit.errors import UserError, named
from inference_kit.records import Index, Problem
from inference_kit.records.indices import canonical_index

RANGE = re.compile(r"(\d{1,18})-(\d{1,18})")
PART = re.compile(r"(\d{1,9})/(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of `of`, counted from 1: every `of`-th of the selected problems, from the `number`-th on."""

    number: int
    of: int

    @classmethod
    def read(cls, text: str) -> "Shard":
        """Read `2/4`.

        Raises:
            UserError: where it is not i/k with i from 1 to k.
        """
        found = PART.fullmatch(text.strip())
        shard = cls(int(found[1]), int(found[2])) if found else cls(0, 0)
        if not 1 <= shard.number <= shard.of:
            raise UserError(f"expected i/k with i from 1 to k, got {text!r}", where=named("shard"), fix="Such as 2/4.")
        return shard

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


@dataclass(frozen=True, slots=True)
class Selection:
    """The problems that `index` names (such as `3,7,10-20`), of these the first `limit`, and of these a `shard`.

    With a `shuffle_seed`, the `limit` problems are drawn at random. What is None selects all.
    """

    limit: int | None = None
    index: str | None = None
    shuffle_seed: int | None = None
    shard: Shard | None = None

    def select(self, problems: Iterator[Problem]) -> Iterator[Problem]:
        """Yield the selected problems of a stream.

        Raises:
            UserError: where no problem has an index that is named; at the end of the stream.
        """
        chosen = problems if self.index is None else _select_named(problems, self.index)
        if self.limit is None or self.shuffle_seed is None:
            taken: Iterator[Problem] = islice(chosen, self.limit)
        else:
            taken = _sample(chosen, self.limit, random.Random(self.shuffle_seed))
        return islice(taken, self.shard.number - 1, None, self.shard.of) if self.shard else taken


def _select_named(problems: Iterator[Problem], asked: str) -> Iterator[Problem]:
    names = [name.strip() for name in asked.split(",") if name.strip()]
    missing = set(names)
    for problem in problems:
        hits = [name for name in names if _matches(name, problem.index)]
        missing.difference_update(hits)
        if hits:
            yield problem
    if missing or not names:
        raise UserError(
            f"no problem has index {min(missing, key=names.index)}" if missing else "no index is named",
            where=named("index"),
            fix="Name indices of the data set, such as 3,7,10-20.",
        )


def _matches(name: str, index: Index) -> bool:
    """Return whether `name`, an index or a range of numbers, means this index."""
    span, text = RANGE.fullmatch(name), str(canonical_index(index))
    within = span and text.isdecimal() and len(text) <= 18 and int(span[1]) <= int(text) <= int(span[2])
    return bool(canonical_index(name) == canonical_index(index) or within)


def _sample(problems: Iterator[Problem], limit: int, rng: random.Random) -> Iterator[Problem]:
    """Sample `limit` problems in one pass, with only these in memory, and yield them in the order of the data.

    Each problem draws a random number, and those with the `limit` smallest stay. So a larger limit keeps them too.
    """
    drawn = heapq.nsmallest(limit, ((rng.random(), place, problem) for place, problem in enumerate(problems)))
    return (problem for _, problem in sorted((place, problem) for _, place, problem in drawn))
