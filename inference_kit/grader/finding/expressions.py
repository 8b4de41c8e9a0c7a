r"""Find mathematics in prose, in dollars and without: `3^12`, `(4, -1)`, `x ≥ -5`, `5:2`, `$\frac12$`.

Why: half of what models say in sentences is not set in dollars, and the last number of `6x^2 - 2` is no answer.
Promises: linear; what is found stands in the text as it is written, its brackets close, and it parses.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from inference_kit.grader.reading.parse import parse
from inference_kit.grader.values import Text, Unparsed, walk

FORMULA = re.compile(
    r"\$\$([^$]{1,2000})\$\$|\\\[((?:[^\\]|\\[^\]]){1,2000})\\\]|\\\(((?:[^\\]|\\[^)]){1,2000})\\\)"
    r"|(?<!\\)\$((?:[^$\\\n]|\\.){1,2000})\$",
    re.DOTALL,
)
NAMES = (
    "sqrt|cbrt|arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|log|ln|exp|pi|infinity|infty|inf|oo|cis"
    "|gcd|lcm|max|min|mod"
)
NUMERAL = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,4}(?![A-Za-z\d]))?|\.\d+"
TOKEN = re.compile(
    rf"(?P<number>\d{{1,2}}:\d\d\s?[aApP]\.?\s?[mM]\b\.?|\d{{1,4}}\s\d{{1,4}}/\d{{1,4}}(?![\d/.])|{NUMERAL})"
    rf"|(?P<name>(?<![A-Za-z])(?:{NAMES})(?![A-Za-z])|[∞√∛∅ℝℤℚℕℂ]"
    r"|(?<![\u0370-\u03ff])[πθαβγλμ](?![\u0370-\u03ff]))"
    r"|(?P<opening>\\\{|[(\[{])|(?P<closing>\\\}|[)\]}])|(?P<command>\\[A-Za-z]{1,20}|\\[|,;!%$])"
    r"|(?P<letter>(?<![^\W\d_\u0370-\u03ff])[A-Za-z](?:_(?:\{\w{1,9}\}|\w))?(?![^\W\d_⁰-ⁿ²³¹])(?!['’][a-z])"
    r"|(?<=\d)[a-z]{1,3}(?![^\W_⁰-ⁿ²³¹]))"
    r"|(?P<currency>[$€£¥₹](?=\s?[\d.]))"
    r"|(?P<postfix>[%°²³⁴⁵⁶⁷⁸⁹ⁿ¹⁰⁻]|!(?=\s?[-+*/=)!.]|\s[a-z]))"
    r"|(?P<sign><=|>=|!=|==|\*\*|[-−–+*/^=<>≤≥≠≈±×·÷∪∩∈∖|:,，;])"
)
LONGEST = 300
VALUES = frozenset({"number", "name", "command", "letter", "closing", "postfix"})
CONNECTED = frozenset({"sign", "opening", "currency"})
"""After these a value follows, whatever the space between."""

DASHES = "-−–"
SEPARATORS = ",，;"
RANGE = re.compile(r"[-−–]\d+(?!\d*(?:\.\d+)?(?:[A-Za-z](?![A-Za-z])|\s?[\^√π(\\*/+=²³×·]))")
"""The rest of a range such as `3-5`, which is no difference."""

BEFORE_INDEX = re.compile(r"[A-Za-z_]")
"""A number right behind these is an index or part of a name: `a_1`, `x2`, `step1`."""

JOINS_WORD = re.compile(r"\s?[+*×·]\s?[A-Za-z]{2,}(?![(\[^_])")
OPERATES = re.compile(r"\s?[\^²³(_=+*/<>≤≥√-]")
FINAL_SIGNS = re.compile(r"(?<![\\.\s,;])[\s,;.]{1,9}$")
AT_START = "=<>≤≥≠≈+*^×·÷|∪∩∈∖:/,，;!"
LINKS = frozenset((r"\equiv", r"\Rightarrow", r"\implies", r"\therefore", r"\approx", r"\quad", r"\qquad", r"\to"))
AT_END = "-−–+*/^=<>≤≥≠≈±×·÷|∪∩∈∖:,，;"
PROSE = re.compile(r"\d[^$]*[A-Za-z]{3,}[,.]?\s+[A-Za-z]{2,}")


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of mathematics, and where it stands in the text; `text` is without dollars.

    `formula` says that it stood in dollars or brackets of LaTeX.
    """

    start: int
    end: int
    text: str
    formula: bool = False


def find_items(text: str) -> list[Item]:
    """Return the mathematics of a sentence in order: formulas, numbers and expressions; letters alone are none."""
    items: list[Item] = []
    position = 0
    while position < len(text):
        formula = find_formula(text, position)
        end = formula.start() if formula else len(text)
        items += (item for run in _split_into_runs(text, position, end) if (item := _build_item(text, run)))
        if formula is None:
            break
        items.append(Item(formula.start(), formula.end(), FINAL_SIGNS.sub("", take_inside(formula)), formula=True))
        position = formula.end()
    return items


def find_formula(text: str, position: int = 0) -> re.Match[str] | None:
    """Return the next formula; amounts of dollars with prose between them are none."""
    while formula := FORMULA.search(text, position):
        if not _is_currency(formula):
            return formula
        position = formula.start() + 1
    return None


def match_formula(text: str) -> re.Match[str] | None:
    """Return the formula that a text begins with."""
    formula = FORMULA.match(text)
    return None if formula is None or _is_currency(formula) else formula


def take_inside(formula: re.Match[str]) -> str:
    """Return what stands between the dollars or brackets of a `FORMULA`."""
    return next(part for part in formula.groups() if part is not None).strip()


def _is_currency(formula: re.Match[str]) -> bool:
    """Say whether two dollars are amounts: `$5 and $7`, `$39.00 and the tip is $8`."""
    inside = formula.group(4)
    if inside is None or "\\text" in inside or not inside.lstrip()[:1].isdigit():
        return False
    following = formula.string[formula.end() : formula.end() + 1]
    return (following.isdigit() and inside[-1:] in " -(") or PROSE.match(inside.lstrip()) is not None


def _split_into_runs(text: str, start: int, end: int) -> Iterator[list[re.Match[str]]]:
    """Yield tokens that follow each other with nothing but space between, and as mathematics may."""
    run: list[re.Match[str]] = []
    depth = 0
    for token in TOKEN.finditer(text, start, end):
        if run and not _may_follow(run, token, depth):
            yield run
            run, depth = [], 0
        run.append(token)
        depth += (token.lastgroup == "opening") - (token.lastgroup == "closing" and depth > 0)
    if run:
        yield run


def _may_follow(run: list[re.Match[str]], token: re.Match[str], depth: int) -> bool:
    """Say whether a token goes on with the mathematics before it, at so many open brackets."""
    before = run[-1]
    gap = token.string[before.end() : token.start()]
    if gap.strip(" "):
        return False
    if depth:
        return True
    a, b = before.lastgroup, token.lastgroup
    if b == "sign":
        return _may_sign_follow(run, token, spaced=bool(gap))
    if a in CONNECTED:
        return before.group() != ":" or (b == "number" and not gap)
    if b == "closing" or b == "currency":
        return False
    return _may_touch(a, b) if not gap else _may_stand_apart(a, token)


def _may_sign_follow(run: list[re.Match[str]], token: re.Match[str], *, spaced: bool) -> bool:
    """Say whether a sign goes on: commas separate here, a colon stands between digits, and `3-5` is a range."""
    sign = token.group()
    if sign in SEPARATORS:
        return False
    if sign == ":":
        return run[-1].lastgroup == "number" and token.string[token.end() : token.end() + 1].strip().isdigit()
    is_range = len(run) == 1 and run[0].lastgroup == "number" and not spaced
    return not (is_range and RANGE.match(token.string, token.start()))


def _may_touch(a: str | None, b: str | None) -> bool:
    """Say whether two values may stand side by side without space: `2x`, `)(`, `log2`, but not `x2`."""
    return b != "number" or a in ("name", "command")


def _may_stand_apart(a: str | None, token: re.Match[str]) -> bool:
    """Say whether a value may stand apart behind another: `sin x`, `3 √2`, `2 x^2`, but not `5 a day`."""
    b = token.lastgroup
    if a in ("name", "command") or b == "command":
        return True
    if b == "name":
        return a in ("number", "closing")
    if b == "letter":
        return a == "number" and OPERATES.match(token.string, token.end()) is not None
    return b == "postfix" and token.group() in "%°"


def _build_item(text: str, run: list[re.Match[str]]) -> Item | None:
    """Return a run as an item, without signs that belong to the prose around it; None where it is no mathematics."""
    goes_on = run[0].group() in ("=", r"\equiv")  # the rest of a chain of equalities that began on another line
    run = _trim(text, run)
    if not run:
        return None
    if goes_on:
        run = run[max((place + 1 for place, token in enumerate(run) if token.group() == "="), default=0) :]
    start, end = run[0].start(), run[-1].end()
    if JOINS_WORD.match(text, end):  # half of a calculation with words, as in "10 + John's age"
        return None
    is_plain = all(token.lastgroup in ("number", "currency") or token.group() in "-−–%" for token in run)
    if is_plain or (_holds_value(run) and end - start <= LONGEST and _is_mathematics(text[start:end])):
        return Item(start, end, text[start:end].strip())
    last = next((token for token in reversed(run) if token.lastgroup == "number"), None)
    return Item(last.start(), last.end(), last.group().strip()) if last else None


def _trim(text: str, run: list[re.Match[str]]) -> list[re.Match[str]]:
    """Return a run without signs at its ends that need a value there, dashes, indices and open brackets."""
    while run:
        first, last = run[0], run[-1]
        if first.group() == "^":  # the exponent of a unit
            run = run[2:]
            continue
        spaced = text[first.end() : first.end() + 1].isspace()
        dash = first.group() in DASHES and (spaced or text[max(0, first.start() - 1) : first.start()].isdigit())
        index = first.lastgroup == "number" and BEFORE_INDEX.search(text, max(0, first.start() - 1), first.start())
        if (
            first.group() in AT_START
            or first.group() in LINKS
            or first.lastgroup in ("closing", "postfix")
            or dash
            or index
        ):
            run = run[1:]
        elif last.group() in AT_END or last.group() in LINKS or last.lastgroup in ("opening", "currency"):
            run = run[:-1]
        elif (opened := _find_unclosed(run)) is not None:
            run = run[opened + 1 :]
        else:
            break
    return run


def _find_unclosed(run: list[re.Match[str]]) -> int | None:
    """Return the place of the last bracket that is never closed, None where all are."""
    opened = []
    for place, token in enumerate(run):
        if token.lastgroup == "opening":
            opened.append(place)
        elif token.lastgroup == "closing" and opened:
            opened.pop()
    return opened[-1] if opened else None


def _holds_value(run: list[re.Match[str]]) -> bool:
    """Say whether there is more than a letter: a number, a constant, a command, or letters with a sign between them."""
    kinds = {token.lastgroup for token in run}
    return bool(kinds & {"number", "command", "name"}) or ("letter" in kinds and "sign" in kinds)


def _is_mathematics(text: str) -> bool:
    return not any(isinstance(part, Text | Unparsed) for part in walk(parse(text)))
