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
from inference_kit.grader.values import ONE, Apply, Num, Relation, Sym, Value, negate
from inference_kit.grader.vocabulary import (
    ANGLES,
    BIG,
    BINOMIALS,
    CONSTANTS_BY_COMMAND,
    FIGURES,
    FRACTIONS,
    FUNCTIONS,
    MARKED,
    NAMED_SETS,
    ROUNDED,
    STYLES,
    SYNONYMS,
)

LETTERS_UNDER = {r"\vec": "vector", r"\overrightarrow": "vector", r"\overline": "bar", r"\bar": "bar"}
"""Marks over several letters that name one thing, in which the order of the letters counts; a segment has none."""

MOST_WORDS_UNDER = 4
UNIT_VECTORS = frozenset("ijk")
"""Letters that are the same vector with a hat and without."""

ANGLE_LETTERS = 3
PARTS = {
    suffix: part
    for part, suffixes in {
        "positive": "^+ _+ _>0 ^>0 _{++}",
        "nonnegative": "_>=0 _ge0 _geq0 _geqslant0 ^ge0 ^+_0 _0^+ _+^0",
        "negative": "^- _- _<0",
        "nonpositive": "_<=0 _le0 _leq0 ^-_0 _0^-",
        "nonzero": "^* _ne0 _neq0 ^times",
    }.items()
    for suffix in suffixes.split()
}
"""What an index or exponent of a named set says of its members."""


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
    if command in LETTERS_UNDER:
        words = _find_letters(grammar.reader)
        letters = "".join(words)
        if len(letters) > 1 and (command != r"\overline" or not letters.isupper()):
            grammar.reader.move_to(grammar.reader.position + len(words) + 2)
            return Sym(f"{letters}_{LETTERS_UNDER[command]}")
    value = grammar.read_nested_primary()
    mark = MARKED.get(command, "")
    if mark and isinstance(value, Sym) and not (mark == "hat" and value.name in UNIT_VECTORS):
        return Sym(f"{value.name}_{mark}")
    if mark and not isinstance(value, Sym) and not (command == r"\overline" and _is_plain(value)):
        raise ParseError(f"{command} over an expression")
    return value


def _is_plain(value: Value) -> bool:
    """Say whether a line over a value adds nothing: over the ends of a segment, and over digits."""
    return isinstance(value, Num) or (
        isinstance(value, Apply) and value.head == "mul" and all(map(_is_end, value.args))
    )


def _is_end(value: Value) -> bool:
    return isinstance(value, Sym) and value.name[:1].isupper()


def _find_letters(reader: Reader) -> list[str]:
    """Return the words of letters that the braces which come next hold, nothing where they hold anything else."""
    words: list[str] = []
    while reader.peek(1 + len(words)).kind == "word" and len(words) < MOST_WORDS_UNDER:
        words.append(reader.peek(1 + len(words)).text)
    return words if reader.next.text == "{" and reader.peek(1 + len(words)).text == "}" else []


def _read_colored(grammar: Grammar) -> Value:
    grammar.read_argument()
    return grammar.read_nested_primary()


def _read_named_set(grammar: Grammar) -> Value:
    r"""Read `\mathbb{R}`, `\mathbb R^+`, `\mathbb Z_{>0}`."""
    reader = grammar.reader
    reader.accept("{")
    letter = reader.take().text
    reader.accept("}")
    if letter == "E":  # the expected value
        return Sym(letter)
    if letter not in NAMED_SETS:
        raise ParseError(f"unknown set {letter}")
    suffix = ""
    while reader.next.text in ("^", "_"):
        suffix += reader.take().text + read_index(reader)
    return Sym(NAMED_SETS[letter] + (f" {PARTS[suffix]}" if suffix in PARTS else suffix))


def _read_angle(grammar: Grammar) -> Value:
    """Read the name of an angle: its letters, of three in one of their two orders."""
    letters = _read_letters(grammar)
    return Sym(f"angle_{min(letters, letters[::-1]) if len(letters) == ANGLE_LETTERS else letters}")


def _read_figure(grammar: Grammar) -> Value:
    """Read the name of a triangle or a circle."""
    return Sym(f"figure_{_read_letters(grammar)}")


def _read_letters(grammar: Grammar) -> str:
    letters = grammar.reader.take()
    if letters.kind != "word":
        raise ParseError("a figure without a name")
    return letters.text


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
    **dict.fromkeys(FIGURES, _read_figure),
}
