"""Verdicts on whether two answers are equal: yes, no, or unknown until someone proves it.

Why: what cannot be decided here may be decided in a worker, and a list is as equal as its parts. Verdicts combine by
Kleene's logic: one no decides "all of them" and one yes decides "any of them", whatever else is unknown.
Promises: a verdict is never a truth value by accident, `bool(verdict)` raises; an iterable is read only as far as it
takes to decide.
Source: Kleene 1952, "Introduction to Metamathematics", section 64.
"""

from collections.abc import Iterable
from enum import Enum


class Verdict(Enum):
    """Whether two answers are equal, as far as anyone knows."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    def __bool__(self) -> bool:
        raise TypeError("a verdict has three values; compare it with `is`")


YES, NO, UNKNOWN = Verdict.YES, Verdict.NO, Verdict.UNKNOWN


def decide(equal: bool) -> Verdict:
    """Return the verdict of what is known."""
    return YES if equal else NO


def all_equal(verdicts: Iterable[Verdict]) -> Verdict:
    """Return whether all are yes; one no decides."""
    return _read_until(NO, verdicts, otherwise=YES)


def any_equal(verdicts: Iterable[Verdict]) -> Verdict:
    """Return whether one is yes, which decides."""
    return _read_until(YES, verdicts, otherwise=NO)


def _read_until(decisive: Verdict, verdicts: Iterable[Verdict], *, otherwise: Verdict) -> Verdict:
    found = otherwise
    for verdict in verdicts:
        if verdict is decisive:
            return decisive
        if verdict is UNKNOWN:
            found = UNKNOWN
    return found
