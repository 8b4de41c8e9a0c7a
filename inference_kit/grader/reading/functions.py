r"""Functions by name: `\sin x`, `\log_2 8`, `\sin^2 x`, `gcd(4, 6)`, `\sqrt[3]{8}`.

Why: a function's index, exponent and argument stand in an order of their own, and its argument need not have brackets.
Promises: takes one argument, but where the table of operations says several; `f^{-1}` is the inverse function.
"""

from inference_kit.grader.reading.grammar import Grammar, multiply
from inference_kit.grader.reading.tokens import ParseError, Token
from inference_kit.grader.reading.units import is_unit
from inference_kit.grader.values import (
    EULER,
    IMAGINARY,
    TWO,
    Apply,
    Bracketed,
    ListOf,
    SetOf,
    Value,
    negate,
    to_num,
)
from inference_kit.grader.vocabulary import FUNCTIONS, INVERSES, OPENINGS, SEVERAL_ARGUMENTS, SYNONYMS


def read_function(grammar: Grammar, name: str) -> Value:
    """Read a function from behind its name: its index, exponent and argument."""
    if name == "sqrt":
        return _read_root(grammar)
    reader = grammar.reader
    base: Value | None = None
    power: Value | None = None
    for _ in range(2):
        if name in ("log", "lg") and reader.accept("_"):
            base = grammar.read_argument() if reader.next.text != "10" else grammar.read_nested_primary()
        elif reader.accept("^", "**"):
            power = reader.nest(grammar.read_exponent)
    if name == "det" and reader.next.text == r"\begin":
        return Apply("det", (grammar.read_nested_primary(),))
    if power == to_num(-1) and name in INVERSES:
        name, power = INVERSES[name], None
    value = _apply(name, _read_arguments(grammar, name), base)
    return Apply("pow", (value, power)) if power is not None else value


def _read_root(grammar: Grammar) -> Value:
    r"""Read `\sqrt2`, `\sqrt[3]{8}`, `sqrt(2)`; a numeral stays whole, of letters the root takes one."""
    reader = grammar.reader
    index: Value = TWO
    if reader.accept("["):
        around = reader.open()
        index = grammar.read_list()
        reader.close(around, "]")
    radicand = grammar.read_argument() if reader.next.kind == "word" else grammar.read_nested_primary()
    reader.argument_end = reader.position
    return Apply("root", (radicand, index))


def _read_arguments(grammar: Grammar, name: str) -> tuple[Value, ...]:
    r"""Read what a function is applied to: a group, or all factors up to the next function, sign or relation."""
    reader = grammar.reader
    if reader.next.text in ("(", "[", "{", r"\{"):
        inside = grammar.read_nested_primary()
        if isinstance(inside, Bracketed | SetOf) or (name in SEVERAL_ARGUMENTS and isinstance(inside, ListOf)):
            return inside.items
        return (inside,)
    if reader.accept("-"):
        return (negate(_read_arguments(grammar, name)[0]),)
    value = grammar.read_factor()
    while grammar.factor_follows() and not _ends_argument(reader.next):
        value = multiply(value, grammar.read_factor())
    return (value,)


def _ends_argument(token: Token) -> bool:
    r"""Say whether a factor belongs to no argument before it: the second function of `\sin x \cos y`, a unit."""
    name = token.text.lstrip("\\")
    is_function = SYNONYMS.get(name, name) in FUNCTIONS
    return is_function or token.text in OPENINGS or (token.kind == "word" and is_unit(token.text))


def _apply(name: str, arguments: tuple[Value, ...], base: Value | None) -> Value:
    if not arguments:
        raise ParseError(f"{name} of nothing")
    if name not in SEVERAL_ARGUMENTS and len(arguments) != 1:
        raise ParseError(f"{name} of {len(arguments)} arguments")
    if base is not None:
        return Apply("log", (*arguments, base))
    if name == "exp":
        return Apply("pow", (EULER, *arguments))
    if name == "cis":
        return Apply("pow", (EULER, Apply("mul", (IMAGINARY, *arguments))))
    return Apply("log10" if name == "lg" else name, arguments)
