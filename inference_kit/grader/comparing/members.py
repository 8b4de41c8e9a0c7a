"""What a list or a set holds, with lists inside it and plus-minus signs spread out.

Why: `x = 1 or x = 2`, `{1, 2}`, `1, 2` and `1.5 +- 0.5` hold the same two members.
Promises: pure; every plus-minus sign of an expression is taken as plus, or every one as minus.
"""

from collections.abc import Sequence

from inference_kit.grader.comparing.naming import named_value, stated
from inference_kit.grader.values import (
    Apply,
    Bracketed,
    ListOf,
    Relation,
    SetOf,
    Value,
    contains,
    is_expression,
    negative,
)


def members_of(value: Value) -> Sequence[Value]:
    """What a list or set holds, with lists inside it and plus-minus signs spread out; of another value, itself."""
    if isinstance(value, Relation) and isinstance(named := named_value(value), SetOf | ListOf):
        return members_of(named)
    if not isinstance(value, ListOf | SetOf):
        return spread(value) or [value]
    members: list[Value] = []
    for item in value.items:
        inner = stated(item)
        if isinstance(inner, ListOf) and _is_assignment(inner):
            members.append(Bracketed("(", tuple(map(stated, inner.items)), ")"))
        elif isinstance(inner, ListOf) or spread(inner):
            members.extend(members_of(inner))
        else:
            members.append(item)
    return members


def _is_assignment(value: ListOf) -> bool:
    return len(value.items) > 1 and all(
        isinstance(item, Relation) and named_value(item) is not None for item in value.items
    )


def spread(value: Value) -> list[Value] | None:
    """The two values of an expression with plus-minus signs, all taken as plus or all as minus."""
    if isinstance(value, Relation):
        named = named_value(value)
        return None if named is None else spread(named)
    if not is_expression(value) or not contains(value, "pm", "mp"):
        return None
    return [_with_sign(value, plus=True), _with_sign(value, plus=False)]


def _with_sign(value: Value, *, plus: bool) -> Value:
    if not isinstance(value, Apply):
        return value
    args = tuple(_with_sign(argument, plus=plus) for argument in value.args)
    if value.head in ("pm", "mp"):
        return args[0] if plus == (value.head == "pm") else negative(args[0])
    return Apply(value.head, args)
