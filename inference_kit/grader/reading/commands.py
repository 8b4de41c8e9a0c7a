r"""LaTeX commands: fractions, constants, styles, floors, sums, integrals, limits, named sets.

Why: a command that is in no table is not understood, and what is not understood is not parsed.
Promises: an unknown command raises `ParseError`.
"""

from collections.abc import Callable

from inference_kit.grader.reading.environments import read_environment
from inference_kit.grader.reading.functions import read_function
from inference_kit.grader.reading.grammar import Grammar
from inference_kit.grader.reading.postfix import read_index
from inference_kit.grader.reading.reader import OPEN_GROUND, Reader
from inference_kit.grader.reading.tokens import END, ParseError, Token
from inference_kit.grader.values import ONE, Apply, Relation, Sym, Value, negate
from inference_kit.grader.vocabulary import (
    ANGLES,
    BIG,
    BINOMIALS,
    CONSTANTS_BY_COMMAND,
    FRACTIONS,
    FUNCTIONS,
    MARKED,
    NAMED_SETS,
    ROUNDED,
    STYLES,
    SYNONYMS,
)


def read_command(grammar: Grammar, command: str) -> Value:
    """Read a command from behind its name."""
    if command in FRACTIONS:
        return Apply("div", (grammar.read_argument(), grammar.read_argument()))
    if command in CONSTANTS_BY_COMMAND:
        return CONSTANTS_BY_COMMAND[command]
    name = SYNONYMS.get(command[1:], command[1:])
    if name in FUNCTIONS:
        return read_function(grammar, name)
    if command in BINOMIALS:
        return Apply("binom", (grammar.read_argument(), grammar.read_argument()))
    if command in BIG:
        return _read_big(grammar, BIG[command])
    if command in ROUNDED:
        return _read_rounded(grammar, *ROUNDED[command])
    if command in STYLES:
        return _read_styled(grammar, command)
    read = READERS.get(command)
    if read is None:
        raise ParseError(f"unknown command {command}")
    return read(grammar)


def _read_rounded(grammar: Grammar, head: str, closing: str) -> Value:
    around = grammar.reader.open()
    value = grammar.read_list()
    grammar.reader.close(around, closing)
    return Apply(head, (value,))


def _read_styled(grammar: Grammar, command: str) -> Value:
    r"""Read what a style is put on; a mark over a letter names another one: `\hat x` is not `x`."""
    if command == r"\textcolor":
        grammar.read_argument()
    value = grammar.read_nested_primary()
    mark = MARKED.get(command, "")
    if mark and isinstance(value, Sym) and value.name != "i":
        return Sym(f"{value.name}_{mark}")
    if mark and not isinstance(value, Sym) and command != r"\overline":
        raise ParseError(f"{command} over an expression")
    return value


def _read_colored(grammar: Grammar) -> Value:
    grammar.read_argument()
    return grammar.read_nested_primary()


def _read_named_set(grammar: Grammar) -> Value:
    r"""Read `\mathbb{R}`, `\mathbb R^+`, `\mathbb Z_{>0}`."""
    reader = grammar.reader
    reader.accept("{")
    letter = reader.take().text
    reader.accept("}")
    if letter not in NAMED_SETS:
        raise ParseError(f"unknown set {letter}")
    suffix = ""
    while reader.next.text in ("^", "_"):
        suffix += reader.take().text + read_index(reader)
    return Sym(NAMED_SETS[letter] + suffix)


def _read_angle(grammar: Grammar) -> Value:
    """Read the name of an angle or a triangle: letters."""
    letters = grammar.reader.take()
    if letters.kind != "word":
        raise ParseError("an angle without a name")
    return Sym(f"angle_{letters.text}")


# Sums, integrals, limits


def _read_big(grammar: Grammar, head: str) -> Value:
    """Read what has bounds and a body."""
    if head == "limit":
        return _read_limit(grammar)
    lower, upper = _read_bounds(grammar)
    if head == "integral":
        return _read_integral(grammar, (lower, upper) if lower is not None and upper is not None else ())
    body = grammar.reader.nest(grammar.read_term)
    match lower:
        case Relation(("=",), (Sym() as index, start)) if upper is not None:
            return Apply(head, (body, index, start, upper))
    raise ParseError(f"{head} without bounds")


def _read_bounds(grammar: Grammar) -> tuple[Value | None, Value | None]:
    """Read the lower and the upper bound, which may come in either order."""
    lower = upper = None
    for _ in range(2):
        if grammar.reader.accept("_"):
            lower = _read_bound(grammar)
        elif grammar.reader.accept("^"):
            upper = _read_bound(grammar)
    return lower, upper


def _read_bound(grammar: Grammar) -> Value:
    if grammar.reader.accept("-"):
        return negate(grammar.reader.nest(lambda: _read_bound(grammar)))
    return grammar.read_nested_primary()


def _read_integral(grammar: Grammar, bounds: tuple[Value, ...]) -> Value:
    """Read an integrand up to its `dx`; what follows that is a factor of the whole."""
    reader = grammar.reader
    place = _find_differential(reader)
    around, reader.surroundings = reader.surroundings, OPEN_GROUND
    differential = reader.end_at(place)
    body = ONE if reader.next is END else grammar.read_sum()
    reader.go_on_after(differential)
    reader.surroundings = around
    variable = differential.text[1:] or reader.take().text
    return Apply("integral", (body, Sym(variable), *bounds))


def _find_differential(reader: Reader) -> int:
    """Return the place of the next `dx`, or `d` and a letter."""
    for place in range(reader.position, len(reader.tokens)):
        token = reader.tokens[place]
        if token is END:
            break
        together = token.kind == "word" and len(token.text) == 2 and token.text[0] == "d"
        if together or (token.text == "d" and _is_letter(reader.tokens[place + 1])):
            return place
    raise ParseError("an integral without dx")


def _is_letter(token: Token) -> bool:
    return token.kind == "word" and len(token.text) == 1


def _read_limit(grammar: Grammar) -> Value:
    r"""Read `\lim_{x \to 0}` and its body."""
    grammar.reader.expect("_")
    match _read_bound(grammar):
        case Relation(("to",), (Sym() as variable, target)):
            return Apply("limit", (grammar.reader.nest(grammar.read_term), variable, target))
    raise ParseError("a limit of what?")


READERS: dict[str, Callable[[Grammar], Value]] = {
    r"\begin": read_environment,
    r"\mathbb": _read_named_set,
    r"\color": _read_colored,
    **dict.fromkeys(ANGLES, _read_angle),
}
