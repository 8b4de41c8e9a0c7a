r"""Brackets of all kinds and what they make of what they hold: groups, sets, tuples, intervals, absolute values.

Why: `{1, 2}`, `(1, 2)`, `[1, 2)` and `|1 - 2|` differ in nothing but their brackets.
Promises: within brackets a bar opens again, whatever is open around them.
"""

from inference_kit.grader.reading.grammar import Grammar
from inference_kit.grader.reading.reader import Surroundings
from inference_kit.grader.reading.tokens import ParseError
from inference_kit.grader.values import Apply, Bracketed, Builder, ListOf, Matrix, SetOf, Value
from inference_kit.grader.vocabulary import AND_OR, BARS, CLOSINGS

SUCH_THAT = ("|", r"\mid", ":", r"\colon", r"\vert")
MATCHING = {"(": ")", "[": "]", "<": ">"}


def read_braces(grammar: Grammar) -> Value:
    """Read TeX's own group; with a comma inside, it is a set whose braces lost their backslashes."""
    reader = grammar.reader
    if reader.accept("}"):
        raise ParseError("an empty group")
    around = reader.open()
    value = grammar.read_group()
    reader.close(around, "}")
    return SetOf(value.items) if isinstance(value, ListOf) else value


def read_set(grammar: Grammar) -> Value:
    r"""Read a set from behind its `\{`; a system of equations may stand in the same brackets."""
    reader = grammar.reader
    if reader.next.text == r"\begin":
        return grammar.read_primary()
    if reader.accept(r"\}", r"\rbrace"):
        return SetOf(())
    around = reader.open()
    value = _read_members(grammar)
    reader.close(around, r"\}", r"\rbrace")
    return value


def _read_members(grammar: Grammar) -> Value:
    """Read the elements of a set, or one with the condition that all of them fulfil."""
    reader = grammar.reader
    reader.surroundings = Surroundings(bar_ends=True)
    first = grammar.read_relation()
    reader.surroundings = Surroundings()
    if reader.accept(*SUCH_THAT):
        return Builder(first, grammar.read_list())
    items = [first]
    if reader.accept(",", ";", *AND_OR):
        reader.accept(*AND_OR)
        rest = grammar.read_list()
        items += rest.items if isinstance(rest, ListOf) else (rest,)
    return SetOf(tuple(items))


def read_brackets(grammar: Grammar, opening: str) -> Value:
    """Read round, square or angle brackets; only around several values may the two be unlike."""
    reader = grammar.reader
    if reader.next.text in CLOSINGS:
        return Bracketed(opening, (), CLOSINGS[reader.take().text])
    around = reader.open()
    inside = grammar.read_list()
    closing = CLOSINGS.get(reader.next.text)
    if closing is None:
        raise ParseError(f"{opening} is closed by {reader.next.text}")
    reader.close(around, reader.next.text)
    if isinstance(inside, ListOf):
        if inside.joint in ("and", "or") and (opening, closing) == ("(", ")"):
            return inside  # (p and q) or r: no pair
        return Bracketed(opening, inside.items, closing)
    if MATCHING[opening] != closing:
        raise ParseError("brackets do not match")
    return inside if opening != "<" else Bracketed(opening, (inside,), closing)


def read_absolute_value(grammar: Grammar) -> Value:
    """Read what stands between bars; of a matrix they mean the determinant."""
    reader = grammar.reader
    around = reader.surroundings
    reader.surroundings = around._replace(bars=around.bars + 1)
    value = reader.nest(grammar.read_list)
    reader.surroundings = around
    reader.expect(*BARS)
    return Apply("det" if isinstance(value, Matrix) else "abs", (value,))
