"""The first rule that knows two values decides, and a structure is as equal as its parts."""

from collections.abc import Callable, Sequence

import pytest

from inference_kit.grader.comparing.rules import MOST_MEMBERS, Rules
from inference_kit.grader.proving.equality import Claim
from inference_kit.grader.values import Num, Text, Value, to_num
from inference_kit.grader.verdicts import NO, UNKNOWN, YES, Verdict, decide

ONE, TWO, THREE, OPEN = to_num(1), to_num(2), to_num(3), Text("open")


def _compare_numbers(rules: Rules, a: Value, b: Value) -> Verdict | None:
    return decide(a == b) if isinstance(a, Num) and isinstance(b, Num) else None


def _ask(rules: Rules, a: Value, b: Value) -> Verdict | None:
    return rules.prove(a, b, "equal")


def _nobody_knows(a: Value, b: Value, claim: Claim) -> Verdict:
    return UNKNOWN


RULES = Rules((_compare_numbers, _ask), _nobody_knows)
"""Numbers are known; what is compared with a text is unknown."""


def test_the_first_rule_that_knows_two_values_decides() -> None:
    assert RULES.compare(ONE, TWO) is NO
    assert RULES.compare(ONE, OPEN) is UNKNOWN
    assert Rules((_ask, _compare_numbers), _nobody_knows).compare(ONE, TWO) is UNKNOWN


def test_equal_values_are_equal_by_any_rules_and_what_no_rule_knows_is_not() -> None:
    assert Rules((), _nobody_knows).compare(OPEN, Text("open")) is YES
    assert Rules((), _nobody_knows).compare(ONE, TWO) is NO


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ((ONE, TWO), (ONE, TWO), YES),
        ((ONE, TWO), (TWO, ONE), NO),
        ((ONE, TWO), (ONE,), NO),
        ((), (), YES),
        ((ONE, OPEN), (ONE, TWO), UNKNOWN),
        ((OPEN, ONE), (TWO, TWO), NO),  # one difference decides, whatever is unknown
    ],
)
def test_sequences_are_compared_place_by_place(
    first: Sequence[Value], second: Sequence[Value], verdict: Verdict
) -> None:
    assert RULES.compare_in_order(first, second) is verdict
    assert RULES.compare_in_order(second, first) is verdict


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ((ONE, TWO), (TWO, ONE), YES),
        ((ONE, ONE, TWO), (TWO, ONE), YES),
        ((ONE, TWO), (ONE, TWO, THREE), NO),
        ((), (), YES),
        ((), (ONE,), NO),
        ((ONE, OPEN), (ONE, TWO), UNKNOWN),
        ((OPEN,), (TWO, THREE), UNKNOWN),
        ((ONE, OPEN), (TWO, THREE), NO),  # 1 is neither of them
        ((ONE, TWO), (ONE, THREE), NO),
    ],
)
def test_members_are_compared_without_order_and_repetition(
    first: Sequence[Value], second: Sequence[Value], verdict: Verdict
) -> None:
    assert RULES.compare_members(first, second) is verdict
    assert RULES.compare_members(second, first) is verdict


def test_one_of_several_is_enough() -> None:
    assert RULES.compare_with_any(ONE, (TWO, ONE)) is YES
    assert RULES.compare_with_any(ONE, (OPEN, ONE)) is YES
    assert RULES.compare_with_any(ONE, (OPEN, TWO)) is UNKNOWN
    assert RULES.compare_with_any(ONE, ()) is NO


def test_large_sets_are_compared_in_order_because_all_pairs_are_too_many() -> None:
    calls = 0

    def count(compare: Callable[[Rules, Value, Value], Verdict | None]) -> Callable[..., Verdict | None]:
        def counted(rules: Rules, a: Value, b: Value) -> Verdict | None:
            nonlocal calls
            calls += 1
            return compare(rules, a, b)

        return counted

    rules = Rules((count(_compare_numbers),), _nobody_knows)
    many = [to_num(number) for number in range(MOST_MEMBERS + 1)]
    assert rules.compare_members(many, many) is YES
    assert rules.compare_members(many, many[::-1]) is NO
    assert calls <= len(many)
