r"""What values side by side are: one list, alternatives of conjunctions, residues with one modulus.

Why: `p and q or r` is `(p and q) or r`, and the modulus of `x \equiv 1, 4 \pmod 5` is written once for all.
Promises: pure; a value alone stays what it is.
"""

from collections.abc import Sequence
from typing import Literal, cast

from inference_kit.grader.values import Apply, ListOf, Relation, Value, is_expression


def join(items: Sequence[Value], joints: Sequence[str]) -> Value:
    """Return a list of several values, with what stands between them: `and` binds closer than `or`."""
    items = _share_modulus(items)
    if len(items) == 1:
        return items[0]
    joints = joints[: len(items) - 1]  # a list may end with a comma
    explicit = [joint for joint in joints if joint != ","]
    if {"and", "or"} <= set(joints) and len(explicit) == len(items) - 1:
        return _make_list(_join_conjunctions(items, joints), "or")
    return _make_list(items, explicit[-1] if explicit else ",")


def _make_list(items: Sequence[Value], joint: str) -> Value:
    return ListOf(tuple(items), cast(Literal[",", ";", "and", "or"], joint))


def _join_conjunctions(items: Sequence[Value], joints: Sequence[str]) -> list[Value]:
    """Return the alternatives of a list, of which each may be a conjunction."""
    groups = [[items[0]]]
    for joint, item in zip(joints, items[1:], strict=True):
        if joint == "or":
            groups.append([item])
        else:
            groups[-1].append(item)
    return [_make_list(group, "and") if len(group) > 1 else group[0] for group in groups]


def _share_modulus(items: Sequence[Value]) -> Sequence[Value]:
    """Give the modulus of the last value to those before it, where it is that of a bare residue."""
    last = items[-1] if items else None
    if len(items) < 2 or not (isinstance(last, Apply) and last.head == "residue"):
        return items
    modulus = last.args[1]
    return [_add_modulus(item, modulus) for item in items[:-1]] + [last]


def _add_modulus(item: Value, modulus: Value) -> Value:
    match item:
        case Relation(signs, (*sides, last)) if "equiv" in signs and is_expression(last):
            return Relation(signs, (*sides, _add_modulus(last, modulus)))
        case Relation() | Apply("residue", _):
            return item
    return Apply("residue", (item, modulus)) if is_expression(item) else item


def to_residue(value: Value) -> Value:
    r"""Return the side of a congruence that has its modulus: `5 \mod 12` is a residue there, and no remainder."""
    return Apply("residue", value.args) if isinstance(value, Apply) and value.head == "mod" else value
