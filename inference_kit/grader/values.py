"""What an answer can be: expression trees, and the structures that hold them.

Why: answers are compared by what they are (a number, a tuple, an interval, a relation, a text), never as strings of
symbols.
Promises: frozen, hashable, and free of sympy; equal values are equal as written, `comparing` decides whether
they mean the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal


@dataclass(frozen=True, slots=True)
class Num:
    """An exact number; `digits` counts the significant digits of a decimal, which may be a rounded value, else 0."""

    value: Fraction
    digits: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Sym:
    """A variable, or a constant: pi, e, i, infinity."""

    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    """An operation or function on values: add, mul, pow, sin, call:f, ..."""

    head: str
    args: tuple["Value", ...]


@dataclass(frozen=True, slots=True)
class Bracketed:
    """Values in brackets, also unlike ones: a tuple, a vector or an interval, which only the other side can tell."""

    opening: str
    items: tuple["Value", ...]
    closing: str

    @property
    def may_be_interval(self) -> bool:
        """Whether the brackets and the number of items are those of an interval."""
        return len(self.items) == 2 and self.opening in "([" and self.closing in ")]"


@dataclass(frozen=True, slots=True)
class SetOf:
    """Values in braces, without order."""

    items: tuple["Value", ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """Values side by side: several solutions, several blanks; `joint` is what stands between the last two."""

    items: tuple["Value", ...]
    joint: Literal[",", ";", "and", "or"] = ","


@dataclass(frozen=True, slots=True)
class Builder:
    """The set of all `element` for which `condition` holds."""

    element: "Value"
    condition: "Value"


@dataclass(frozen=True, slots=True)
class Relation:
    """Sides with a sign between each two of them: =, <, in, subset, not divides; `RELATIONS` names them."""

    signs: tuple[str, ...]
    sides: tuple["Value", ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of equal length; a column vector has rows of one."""

    rows: tuple[tuple["Value", ...], ...]


@dataclass(frozen=True, slots=True)
class Measure:
    """A value with a unit, or with the words that follow it."""

    value: "Value"
    unit: str


@dataclass(frozen=True, slots=True)
class Based:
    """Digits in a number base."""

    digits: str
    base: int


@dataclass(frozen=True, slots=True)
class Ratio:
    """a : b : c; two parts may also be a time of day."""

    parts: tuple["Value", ...]


@dataclass(frozen=True, slots=True)
class Text:
    """Words, in lower case and single spaces."""

    words: str


@dataclass(frozen=True, slots=True)
class Unparsed:
    """Mathematics that our parser does not know; only the same text, or a worker, can say what it equals."""

    text: str


Value = (
    Num
    | Sym
    | Apply
    | Bracketed
    | SetOf
    | ListOf
    | Builder
    | Relation
    | Matrix
    | Measure
    | Based
    | Ratio
    | Text
    | Unparsed
)

ZERO, ONE, TWO, HUNDRED = (Num(Fraction(number)) for number in (0, 1, 2, 100))
PI, EULER, IMAGINARY, INFINITY = (Sym(name) for name in ("pi", "e", "i", "oo"))
CONSTANTS = frozenset({PI, EULER, IMAGINARY, INFINITY})
LEAVES, EXPRESSIONS = (Num, Sym), (Num, Sym, Apply)  # asked for so often that a union, made each time, is slow
SETS = frozenset({"reals", "integers", "naturals", "rationals", "complexes", "emptyset"})


def list_parts(value: Value) -> tuple[Value, ...]:
    """Return the values that `value` is made of, one level down."""
    if isinstance(value, Apply):
        return value.args
    if isinstance(value, LEAVES):
        return ()
    match value:
        case Bracketed(_, parts, _) | SetOf(parts) | ListOf(parts, _) | Relation(_, parts) | Ratio(parts):
            return parts
        case Builder(element, condition):
            return element, condition
        case Matrix(rows):
            return tuple(entry for row in rows for entry in row)
        case Measure(inner, _):
            return (inner,)
        case _:
            return ()


def walk(value: Value) -> Iterator[Value]:
    """Yield `value` and everything below it."""
    waiting = [value]
    while waiting:
        current = waiting.pop()
        yield current
        if not isinstance(current, LEAVES):
            waiting.extend(reversed(list_parts(current)))


def list_symbols(*values: Value) -> list[str]:
    """Return the names of the variables that occur, in alphabetical order."""
    return sorted(
        {each.name for value in values for each in walk(value) if isinstance(each, Sym) and each not in CONSTANTS}
    )


def contains(value: Value, *heads: str) -> bool:
    """Say whether an operation with one of these heads occurs."""
    return any(isinstance(each, Apply) and each.head in heads for each in walk(value))


def negate(value: Value) -> Value:
    """Return -value; of a number, a number."""
    return Num(-value.value, value.digits) if isinstance(value, Num) else Apply("neg", (value,))


def to_num(value: int | Fraction) -> Num:
    """Return an exact number."""
    return Num(Fraction(value))


def is_expression(value: Value) -> bool:
    """Say whether a value can be computed with: a number, a symbol, an operation."""
    return isinstance(value, EXPRESSIONS)
