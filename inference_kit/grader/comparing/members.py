"""What a list or a set holds, with lists inside it and plus-minus signs spread out.

Why: `x = 1 or x = 2`, `{1, 2}`, `1, 2` and `1.5 +- 0.5` hold the same two members.
Promises: pure; every plus-minus sign of an expression is taken as plus, or every one as minus.
"""

from collections.abc import Sequence

from inference_kit.grader.comparing.naming import drop_name, find_named_value
from inference_kit.grader.values import (
    Apply,
    Bracketed,
    ListOf,
    Relation,
    SetOf,
    Value,
    contains,
    is_expression,
    negate,
    walk,
)


def list_members(value: Value) -> Sequence[Value]:
    """List what a list or set holds, with lists and plus-minus signs inside it spread out; of another value, itself."""
    if isinstance(value, Relation) and isinstance(named := find_named_value(value), SetOf | ListOf):
        return list_members(named)
    if not isinstance(value, ListOf | SetOf):
        return spread_signs(value) or [value]
    members: list[Value] = []
    for item in value.items:
        inner = drop_name(item)
        if isinstance(inner, ListOf) and _is_assignment(inner):
            members.append(Bracketed("(", tuple(map(drop_name, inner.items)), ")"))
        elif isinstance(value, ListOf) and isinstance(inner, ListOf) and {value.joint, inner.joint} == {"and", "or"}:
            members.append(inner)
        elif isinstance(inner, ListOf) or spread_signs(inner):
            members.extend(list_members(inner))
        else:
            members.append(item)
    return members


def _is_assignment(value: ListOf) -> bool:
    """Say whether this is `x = 1, y = 2`, which is one solution and not two."""
    return len(value.items) > 1 and all(
        isinstance(item, Relation) and find_named_value(item) is not None for item in value.items
    )


def spread_signs(value: Value) -> list[Value] | None:
    """Return the two values of an expression with plus-minus signs, all as plus and all as minus; None without."""
    if isinstance(value, Relation):
        named = find_named_value(value)
        return None if named is None else spread_signs(named)
    if not (is_expression(value) or isinstance(value, Bracketed)) or not contains(value, "pm", "mp"):
        return None
    if any(not (is_expression(part) or isinstance(part, Bracketed)) for part in walk(value)):
        return None
    return [_choose_signs(value, plus=True), _choose_signs(value, plus=False)]


def _choose_signs(value: Value, *, plus: bool) -> Value:
    if isinstance(value, Bracketed):
        return Bracketed(value.opening, tuple(_choose_signs(item, plus=plus) for item in value.items), value.closing)
    if not isinstance(value, Apply):
        return value
    args = tuple(_choose_signs(argument, plus=plus) for argument in value.args)
    if value.head in ("pm", "mp"):
        return args[0] if plus == (value.head == "pm") else negate(args[0])
    return Apply(value.head, args)
