r"""Sets of numbers that words describe: `all real numbers except 5`, `all positive reals`, `any x such that x > 2`.

Why: a domain or a range is as often given in words as by brackets, and both are one answer.
Promises: only sentences whose every word is understood; anything else is None. Linear in the text, which is short.
"""

import re
from collections.abc import Sequence
from typing import Literal

from inference_kit.grader.reading.latex import parse_latex
from inference_kit.grader.reading.tokens import ParseError
from inference_kit.grader.values import Apply, Bracketed, ListOf, Relation, SetOf, Sym, Value, is_expression

LONGEST = 160
HINT = re.compile(r"\b(?:reals?|numbers?|values?|integers?|except|excluding|all|any|every)\b")
TEXT = re.compile(r"\\(?:text|mathrm|textrm|mbox)\s*\{([^{}]*)\}|\\[ ,;:]|\\q?quad|[~$]")
OPENING = (
    r"(?:(?:[a-z]|domain|solution|solution set|range)\s*(?:=|:|is|are|can be|may be|\\in|consists of)\s*)?"
    r"(?:the )?(?:set of )?"
)
PART = r"(?P<part>(?:strictly )?positive|(?:strictly )?negative|non-?negative|non-?positive|non-?zero)?"
KIND = r"(?P<kind>real numbers?|reals?(?: values?)?|numbers?|values?|integers?|natural numbers?|rational numbers?)?"
SUBJECT = re.compile(
    rf"{OPENING}(?P<all>all|any|every|each)?(?: the)?(?: possible)? *{PART} *{KIND}"
    r"(?: *(?:of|for)? *(?P<name>[a-z])(?![a-z]))?(?P<rest>.*)",
    re.DOTALL,
)
NAMED = re.compile(r"(?:[a-z]\s*\\in\s*)?(?:\\mathbb\s*\{?\s*R\s*\}?|\\R)\s*(?P<rest>[a-z(].*)", re.DOTALL)
EXCEPT = re.compile(
    r"\s*,?\s*\(?(?:except(?:ing)?(?: for| at| when)?|excluding|other than|besides|but not|without|apart from"
    r"|not equal to|different from|(?:that|which) are not|with the exception of|but)\b\s*"
    r"(?:the (?:values?|points?|numbers?)\b)?"
)
SUCH_THAT = re.compile(r"\s*,?\s*(?:such that|so that|where|with|satisfying|for which|that satisfy|:|\||\\mid)\s*")
HOW = {
    "greater than or equal to": ">=", "less than or equal to": "<=", "greater than": ">", "less than": "<",
    "more than": ">", "at least": ">=", "at most": "<=", "not less than": ">=", "no less than": ">=",
    "not greater than": "<=", "no greater than": "<=", "no more than": "<=", "larger than": ">", "bigger than": ">",
    "smaller than": "<",
}  # fmt: skip
COMPARED = re.compile(
    rf"\s*(?:(?:that|which) are )?(?P<how>{'|'.join(sorted(HOW, key=len, reverse=True))})\s+(?P<bound>.+)"
)
BETWEEN = re.compile(
    r"\s*(?:(?:that|which) are )?(?P<strictly>strictly )?between (?P<low>.+?) and (?P<high>[^,(]+?)"
    r"(?:,? *\(?(?P<ends>inclusive|exclusive)\)?)?"
)
SETS = {
    "real": "reals",
    "number": "reals",
    "value": "reals",
    "integer": "integers",
    "natural": "naturals",
    "rational": "rationals",
}


def read_described_set(text: str) -> Value | None:
    """Return the set that words describe; None for any other text."""
    if len(text) > LONGEST or HINT.search(text) is None:
        return None
    shown = " ".join(TEXT.sub(lambda found: f" {found.group(1) or ''} ", text).split()).strip(" .,")
    try:
        return _read(shown[:1].lower() + shown[1:])
    except ParseError:
        return None


def _read(text: str) -> Value | None:
    named = NAMED.fullmatch(text)
    if named is not None:
        return _restrict(Sym("reals"), "x", named["rest"])
    found = SUBJECT.fullmatch(text)
    if found is None or not (found["all"] or found["kind"]) or not (found["kind"] or found["part"] or found["name"]):
        return None
    kind = found["kind"] or "real"
    if not found["all"] and not kind.startswith("real"):
        return None
    name = next(name for word, name in SETS.items() if kind.startswith(word))
    part = (found["part"] or "").removeprefix("strictly ").replace("-", "")
    return _restrict(Sym(f"{name} {part}" if part else name), found["name"] or "x", found["rest"])


def _restrict(base: Sym, name: str, rest: str) -> Value | None:
    """Return a set with what the rest of the sentence says of its members."""
    if not rest.strip():
        return base
    if (found := EXCEPT.match(rest)) is not None:
        points = _list_points(parse_latex(rest[found.end() :].rstrip(" ).")))
        return None if points is None else Apply("difference", (base, SetOf(tuple(points))))
    condition = _read_condition(name, rest)
    if condition is None:
        return None
    return condition if base == Sym("reals") else ListOf((Relation(("in",), (Sym(name), base)), condition), "and")


def _list_points(value: Value) -> Sequence[Value] | None:
    """List numbers that are left out: `5`, `x = 5 and x = -5`, `{1, 2}`."""
    items = value.items if isinstance(value, ListOf | SetOf) else (value,)
    points = [item.sides[1] if isinstance(item, Relation) and item.signs == ("=",) else item for item in items]
    return points if all(map(is_expression, points)) else None


def _read_condition(name: str, rest: str) -> Value | None:
    """Read what members fulfil: `such that x > 2`, `greater than 2 and less than 5`, `between 2 and 5, inclusive`."""
    if (found := SUCH_THAT.match(rest)) is not None:
        return _keep_relations(parse_latex(rest[found.end() :]))
    if (found := BETWEEN.fullmatch(rest)) is not None:
        return _build_interval(found)
    comparisons = [COMPARED.fullmatch(part) for part in re.split(r"\s+and\s+|\s+but\s+", rest)]
    relations = [
        Relation((HOW[each["how"]],), (Sym(name), parse_latex(each["bound"])))
        for each in comparisons
        if each is not None
    ]
    if len(relations) == len(comparisons):
        return relations[0] if len(relations) == 1 else ListOf(tuple(relations), "and")
    return _keep_relations(parse_latex(name + rest)) if rest.lstrip()[:1] in ("<", ">", "\\") else None


def _keep_relations(value: Value) -> Value | None:
    items = value.items if isinstance(value, ListOf) else (value,)
    return value if all(isinstance(item, Relation) for item in items) else None


def _build_interval(found: re.Match[str]) -> Value | None:
    """Return an interval whose ends are said to belong to it or not."""
    if not found["ends"] and not found["strictly"]:
        return None
    opening: Literal["[", "("] = "[" if found["ends"] == "inclusive" else "("
    return Bracketed(opening, (parse_latex(found["low"]), parse_latex(found["high"])), "]" if opening == "[" else ")")
