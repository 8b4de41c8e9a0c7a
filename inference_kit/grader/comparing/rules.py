"""What a rule of comparison is, and how it compares the parts of what it knows: by all rules again.

Why: a structure is only as equal as its parts, and these may be of any kind.
Promises: the first rule that knows two values decides; what no rule knows is not equal; symmetric as the rules are.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from inference_kit.grader.comparing.simplifying import simplify
from inference_kit.grader.proving.equality import Claim
from inference_kit.grader.values import Value
from inference_kit.grader.verdicts import NO, YES, Verdict, all_equal, any_equal

MOST_MEMBERS = 64
"""Larger sets are compared in the order they are written in: each member with each other one costs a square."""

Prove = Callable[[Value, Value, Claim], Verdict]
"""Says whether a claim about two expressions holds."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules in order, and what proves a claim that they cannot decide."""

    in_order: "tuple[Rule, ...]"
    prove: Prove

    def compare(self, a: Value, b: Value) -> Verdict:
        """Say whether two values are the same answer."""
        if a == b:
            return YES
        a, b = simplify(a), simplify(b)
        if a == b:
            return YES
        for rule in self.in_order:
            verdict = rule(self, a, b)
            if verdict is not None:
                return verdict
        return NO

    def compare_in_order(self, first: Sequence[Value], second: Sequence[Value]) -> Verdict:
        """Say whether two sequences have the same values at the same places."""
        return all_equal(map(self.compare, first, second)) if len(first) == len(second) else NO

    def compare_with_any(self, a: Value, others: Iterable[Value]) -> Verdict:
        """Say whether one of the others is the same as a."""
        return any_equal(self.compare(a, other) for other in others)

    def compare_members(self, first: Sequence[Value], second: Sequence[Value]) -> Verdict:
        """Say whether each value has an equal on the other side; order and repetition do not count."""
        if max(len(first), len(second)) > MOST_MEMBERS:
            return self.compare_in_order(first, second)
        return all_equal(
            self.compare_with_any(value, others)
            for some, others in ((first, second), (second, first))
            for value in some
        )


Rule = Callable[[Rules, Value, Value], Verdict | None]
"""Compares two values of its own kind; None for others, which the next rule may know."""
