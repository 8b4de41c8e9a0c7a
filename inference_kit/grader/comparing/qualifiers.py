r"""Answers with a condition behind them: `n^2 + 1, n \ge 1`, `x = \frac{\pi}{6} + k\pi, k \in \mathbb{Z}`.

Why: a condition on one side only says for which values an answer is meant, and is no other answer; on both sides it has
to be the same. The letter that runs over the integers may be any.
Promises: symmetric; a condition is about letters of the answer before it, and an inequality has none.
"""

from inference_kit.grader.comparing.rules import Rules
from inference_kit.grader.values import (
    Apply,
    Bracketed,
    ListOf,
    Relation,
    SetOf,
    Sym,
    Value,
    list_symbols,
)
from inference_kit.grader.verdicts import Verdict, all_equal
from inference_kit.grader.vocabulary import NAMED_SETS

CONDITIONS = frozenset(("in", "<", "<=", ">", ">=", "!="))
SAYING_NOTHING = frozenset((Sym("reals"), Sym("complexes")))
MOST_CONDITIONS = 4
WHOLE = ("integers", "naturals")


def compare_qualified(rules: Rules, a: Value, b: Value) -> Verdict | None:
    """Compare where a side has conditions behind it."""
    (first, its_conditions), (second, other_conditions) = _split(a), _split(b)
    if first is a and second is b:
        return None
    renamed = _find_renaming((first, its_conditions), (second, other_conditions))
    if renamed is not None:
        second = _rename(second, *renamed)
        other_conditions = tuple(_rename(condition, *renamed) for condition in other_conditions)
    verdict = rules.compare(first, second)
    if not (its_conditions and other_conditions):
        return verdict
    return all_equal((verdict, rules.compare_members(its_conditions, other_conditions)))


Qualified = tuple[Value, tuple[Value, ...]]
"""An answer and the conditions behind it."""


def _split(value: Value) -> Qualified:
    """Return an answer without the conditions behind it, and those that say something."""
    if not isinstance(value, ListOf):
        return value, ()
    count = len(value.items)
    fewest = max(1, count - MOST_CONDITIONS)
    while count > fewest and _is_condition(value.items[count - 1], value.items[: count - 1], value.joint):
        count -= 1
    items, conditions = value.items[:count], value.items[count:]
    if not conditions or any(_is_restriction(item) for item in items):
        return value, ()
    telling = tuple(condition for condition in conditions if not _says_nothing(condition))
    return (items[0] if count == 1 else ListOf(items, value.joint)), telling


def _is_condition(item: Value, before: tuple[Value, ...], joint: str) -> bool:
    """Say whether a member of a list is a condition about letters of those before it."""
    names = set(list_symbols(item)) - set(NAMED_SETS.values())
    is_membership = isinstance(item, Relation) and item.signs == ("in",)
    return (
        _is_restriction(item)
        and (joint == "," or is_membership)
        and bool(names)
        and {name for name in names if " " not in name} <= set(list_symbols(*before))
    )


def _is_restriction(value: Value) -> bool:
    return isinstance(value, Relation) and set(value.signs) <= CONDITIONS


def _says_nothing(condition: Value) -> bool:
    return isinstance(condition, Relation) and condition.signs == ("in",) and condition.sides[1] in SAYING_NOTHING


def _find_renaming(first: Qualified, second: Qualified) -> tuple[str, str] | None:
    """Return a letter of the second side that runs over whole numbers, and the one that does so on the first."""
    first_name, second_name = _find_runner(first[1]), _find_runner(second[1])
    ours, others = set(list_symbols(first[0])), set(list_symbols(second[0]))
    if first_name is None and second_name is not None:
        alone = ours - others
        first_name = alone.pop() if len(alone) == 1 else None
    if second_name is None and first_name is not None:
        alone = others - ours
        second_name = alone.pop() if len(alone) == 1 else None
    if first_name is None or second_name is None or first_name == second_name or first_name in others:
        return None
    return second_name, first_name


def _find_runner(conditions: tuple[Value, ...]) -> str | None:
    """Return the only letter that a condition lets run over whole numbers."""
    names = [
        condition.sides[0].name
        for condition in conditions
        if isinstance(condition, Relation)
        and condition.signs == ("in",)
        and isinstance(condition.sides[0], Sym)
        and isinstance(condition.sides[1], Sym)
        and condition.sides[1].name.startswith(WHOLE)
    ]
    return names[0] if len(names) == 1 else None


def _rename(value: Value, old: str, new: str) -> Value:
    """Return a value with another name for a letter."""
    match value:
        case Sym(name):
            return Sym(new) if name == old else value
        case Apply(head, parts):
            return Apply(head, tuple(_rename(part, old, new) for part in parts))
        case Relation(signs, parts):
            return Relation(signs, tuple(_rename(part, old, new) for part in parts))
        case ListOf(parts, joint):
            return ListOf(tuple(_rename(part, old, new) for part in parts), joint)
        case SetOf(parts):
            return SetOf(tuple(_rename(part, old, new) for part in parts))
        case Bracketed(opening, parts, closing):
            return Bracketed(opening, tuple(_rename(part, old, new) for part in parts), closing)
    return value
