r"""Compare two answers by what they are: strings, numbers, structures, sets, relations, expressions, in this order.

Why: one convention for each kind of answer (docs/grading.md), and the cheapest test that decides comes first.
Promises: symmetric; a structure is compared part by part; what only a proof can tell goes to `settle`, which raises `Unsettled`
outside a worker.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from typing import NamedTuple

from inference_kit.grader.arithmetic import Unsettled, same_number, same_ratio
from inference_kit.grader.choice import letter_of
from inference_kit.grader.exact import exact
from inference_kit.grader.parse import COMMAND, clean, parse, squeezed, words_of
from inference_kit.grader.reals import reals, same_reals, turned
from inference_kit.grader.tokens import MOST_CHARACTERS
from inference_kit.grader.units import NAMES
from inference_kit.grader.values import (
    HUNDRED,
    PI,
    Apply,
    Based,
    Bracketed,
    Builder,
    ListOf,
    Matrix,
    Measure,
    Num,
    Ratio,
    Relation,
    SetOf,
    Sym,
    Text,
    Unparsed,
    Value,
    contains,
    negative,
    number,
    symbols_of,
)
from inference_kit.grader.vocabulary import NUMBER_WORDS
from inference_kit.records import AnswerKind

__all__ = ["Comparer", "Unsettled", "Verdict", "compare_texts", "equality_key"]

LONG_WORD = re.compile(r"(?<!\\)\b[A-Za-z]{4}")
MOST_ITEMS = 64
LARGEST_DETERMINANT = 5


class Verdict(NamedTuple):
    """Whether two answers are equal, and how that was decided."""

    equal: bool
    method: str


def compare_texts(gold: str, answer: str, kind: AnswerKind) -> Verdict:
    """Compare two bare answers without a worker.

    Raises:
        Unsettled: where a worker has to decide.
    """
    return compare_with(gold, answer, kind, _unsettled)


Settle = Callable[[Value, Value, str], bool]
"""Decides whether two expressions are `same`, or in a constant `ratio`, or in a `positive` one."""


def compare_with(gold: str, answer: str, kind: AnswerKind, settle: Settle) -> Verdict:
    """Compare two bare answers, given a way to decide what needs a proof."""
    if gold.strip() == answer.strip():
        return Verdict(bool(gold.strip()), "string")
    if kind == "choice":
        return Verdict(_letter(gold) == _letter(answer), "choice")
    if kind == "text":
        return _compare_words(gold, answer)
    a, b = parse(gold), parse(answer)
    if isinstance(a, Num) and isinstance(b, Num):
        return Verdict(same_number(a, b), "number")
    if same_writing(gold, answer):
        return Verdict(True, "string")
    return Verdict(Comparer(settle).same(a, b), method_of(a, b))


@lru_cache(maxsize=8192)
def equality_key(answer: str, kind: AnswerKind) -> str:
    """A text that equal answers often share: the value of a number, or the cleaned answer."""
    if kind == "choice":
        return _letter(answer)
    if kind == "text":
        return words_of(clean(answer))
    value = parse(answer)
    rational = exact(value) if isinstance(value, Num | Apply) else None
    return clean(answer) if rational is None else f"{rational.numerator:x}/{rational.denominator:x}"


def method_of(a: Value, b: Value) -> str:
    """The name of the way in which two such values are compared."""
    names = {
        Text: "text", Relation: "relation", Bracketed: "tuple", SetOf: "set", ListOf: "set", Matrix: "matrix", Measure: "unit",
        Based: "base", Ratio: "ratio", Builder: "set",
    }  # fmt: skip
    for value in (a, b):
        if type(value) in names:
            return names[type(value)]
    if any(isinstance(value, Apply) and value.head in ("union", "intersection", "difference") for value in (a, b)):
        return "interval"
    return "number" if all(isinstance(value, Num) for value in (a, b)) else "symbolic"


def _unsettled(a: Value, b: Value, how: str) -> bool:
    raise Unsettled


def same_writing(gold: str, answer: str) -> bool:
    """Whether two texts are the same but for space, dollars and sizes; words may differ in case."""
    a, b = squeezed(clean(gold)), squeezed(clean(answer))
    if not a:
        return False
    return a == b or (len(a) == len(b) and LONG_WORD.search(a) is not None and a.lower() == b.lower())


def _letter(text: str) -> str:
    return letter_of(clean(text), whole=True) or clean(text).strip("() .").upper()


def _compare_words(gold: str, answer: str) -> Verdict:
    a, b = parse(gold), parse(answer)
    if isinstance(a, Num) and isinstance(b, Num):
        return Verdict(a == b, "number")
    return Verdict(_letters_of(gold) == _letters_of(answer), "text")


def _letters_of(text: str) -> str:
    return words_of(clean(text)).replace(" ", "")


@dataclass(frozen=True, slots=True)
class Comparer:
    """Compares values; `settle` decides what arithmetic cannot."""

    settle: Settle

    def same(self, a: Value, b: Value) -> bool:
        """Say whether two values are the same answer."""
        if a == b:
            return True
        a, b = simplified(a), simplified(b)
        if a == b:
            return True
        for rule in (
            self._units,
            self._texts,
            self._plus_minus,
            self._relations,
            self._real_sets,
            self._matrices,
            self._bases,
            self._ratios,
            self._several,
            self._structures,
        ):
            decided = rule(a, b)
            if decided is not None:
                return decided
        if isinstance(a, Num | Sym | Apply) and isinstance(b, Num | Sym | Apply):
            return self._expressions(a, b)
        if isinstance(a, Unparsed) or isinstance(b, Unparsed):
            return self._unknown(a, b)
        return False

    def all_same(self, pairs: Iterable[tuple[Value, Value]]) -> bool:
        """Whether all pairs are the same; one that differs decides before one that is unsettled."""
        waiting: Unsettled | None = None
        for a, b in pairs:
            try:
                if not self.same(a, b):
                    return False
            except Unsettled as unsettled:
                waiting = unsettled
        if waiting is not None:
            raise waiting
        return True

    def any_same(self, a: Value, others: Iterable[Value]) -> bool:
        """Whether one of the others is the same as a."""
        waiting: Unsettled | None = None
        for other in others:
            try:
                if self.same(a, other):
                    return True
            except Unsettled as unsettled:
                waiting = unsettled
        if waiting is not None:
            raise waiting
        return False

    def same_members(self, first: Sequence[Value], second: Sequence[Value]) -> bool:
        """Whether each value has an equal on the other side; order and repetition do not count."""
        if max(len(first), len(second)) > MOST_ITEMS:
            return len(first) == len(second) and self.all_same(zip(first, second, strict=True))
        waiting: Unsettled | None = None
        for some, others in ((first, second), (second, first)):
            for value in some:
                try:
                    if not self.any_same(value, others):
                        return False
                except Unsettled as unsettled:
                    waiting = unsettled
        if waiting is not None:
            raise waiting
        return True

    # Rules: each decides about its own kind of value, and leaves the rest by returning None.

    def _units(self, a: Value, b: Value) -> bool | None:
        """A unit on one side only is dropped; two known units must be the same."""
        if isinstance(a, Measure) and isinstance(b, Measure):
            if a.unit != b.unit and a.unit.split("^")[0] in NAMES and b.unit.split("^")[0] in NAMES:
                return False
            return self.same(a.value, b.value)
        if isinstance(a, Measure):
            return not isinstance(b, Text) and self.same(a.value, b)
        if isinstance(b, Measure):
            return self._units(b, a)
        for head, scaled in (("percent", _hundredth), ("degree", _radians)):
            marked = [isinstance(value, Apply) and value.head == head for value in (a, b)]
            if all(marked):
                assert isinstance(a, Apply) and isinstance(b, Apply)
                return self.same(a.args[0], b.args[0])
            if any(marked):
                with_sign, without = (a, b) if marked[0] else (b, a)
                assert isinstance(with_sign, Apply)
                return self.any_same(without, [with_sign.args[0], scaled(with_sign.args[0])])
        return None

    def _texts(self, a: Value, b: Value) -> bool | None:
        if not (isinstance(a, Text) or isinstance(b, Text)):
            return None
        words = [_as_words(value) for value in (a, b)]
        return words[0] is not None and words[0] == words[1]

    def _plus_minus(self, a: Value, b: Value) -> bool | None:
        """An expression with a plus-minus sign is the list of its two values."""
        spread = [_spread(value) for value in (a, b)]
        if spread[0] is None and spread[1] is None:
            return None
        return self.same_members(
            *(members or list(_members(value)) for members, value in zip(spread, (a, b), strict=True))
        )

    def _relations(self, a: Value, b: Value) -> bool | None:
        """Equations up to their order and a factor; one that only names its value, and that value; inequalities as sets."""
        if isinstance(a, Relation) and isinstance(b, Relation):
            return self._two_relations(a, b)
        if not isinstance(a, Relation) and not isinstance(b, Relation):
            return None
        relation, other = (a, b) if isinstance(a, Relation) else (b, a)
        assert isinstance(relation, Relation)
        value = named_value(relation)
        if value is not None:
            return self.same(value, other)
        return same_reals(relation, other) or False

    def _two_relations(self, a: Relation, b: Relation) -> bool:
        names = name_of(a), name_of(b)
        values = named_value(a), named_value(b)
        if values[0] is not None and values[1] is not None and (None in names or _alike(*names)):
            return self.same(values[0], values[1])
        if (
            names[0] is None
            and names[1] is None
            and (values[0] is None) != (values[1] is None)
            and "=" in (*a.signs, *b.signs)
        ):
            return False
        described = same_reals(a, b)
        if described is not None:
            return described
        if len(a.signs) != 1 or len(b.signs) != 1:
            return self._same_chain(a, b)
        return self._same_balance(a, b)

    def _same_chain(self, a: Relation, b: Relation) -> bool:
        turned_b = Relation(tuple(turned(sign) for sign in reversed(b.signs)), tuple(reversed(b.sides)))
        for other in (b, turned_b):
            if a.signs == other.signs:
                return self.all_same(zip(a.sides, other.sides, strict=True))
        return False

    def _same_balance(self, a: Relation, b: Relation) -> bool:
        """Two equations or inequalities: the same sides, or differences in a constant ratio."""
        signs = a.signs[0], b.signs[0]
        if signs[0] != signs[1] and signs[0] != turned(signs[1]):
            return False
        straight, crossed = list(zip(a.sides, b.sides, strict=True)), list(zip(a.sides, b.sides[::-1], strict=True))
        pairs = ([straight] if signs[0] == signs[1] else []) + ([crossed] if signs[0] == turned(signs[1]) else [])
        for each in pairs:
            if all(left == right for left, right in each):
                return True
        if signs[0] not in ("=", "!=", "<", "<=", ">", ">=") or not all(map(_is_expression, (*a.sides, *b.sides))):
            return any(self.all_same(each) for each in pairs)
        first = _difference(*a.sides)
        second = _difference(*b.sides) if signs[0] == signs[1] else _difference(*b.sides[::-1])
        how = "ratio" if signs[0] in ("=", "!=") else "positive"
        try:
            return same_ratio(first, second, positive=how == "positive")
        except Unsettled:
            return self.settle(first, second, how)

    def _real_sets(self, a: Value, b: Value) -> bool | None:
        """Sets of reals, where at least one side can be nothing else."""
        if not any(map(_is_real_set, (a, b))):
            return None
        decided = same_reals(a, b)
        if decided is not None:
            return decided
        if isinstance(a, Apply) and isinstance(b, Apply) and a.head == b.head == "union":
            return self.same_members(_united(a), _united(b))
        if isinstance(a, Apply) and isinstance(b, Apply) and a.head == b.head:
            return self.all_same(zip(a.args, b.args, strict=True))
        if isinstance(a, Builder) and isinstance(b, Builder):
            return self.same(a.element, b.element) and self.same(a.condition, b.condition)
        for builder, other in ((a, b), (b, a)):
            if isinstance(builder, Builder) and not isinstance(other, Builder):
                return self.same(builder.condition, other) if isinstance(other, Relation) else False
        return False

    def _matrices(self, a: Value, b: Value) -> bool | None:
        if isinstance(a, Matrix) and isinstance(b, Matrix):
            if [len(row) for row in a.rows] != [len(row) for row in b.rows]:
                return False
            return self.all_same(
                pair for row, other in zip(a.rows, b.rows, strict=True) for pair in zip(row, other, strict=True)
            )
        for matrix, other in ((a, b), (b, a)):
            if isinstance(matrix, Matrix):
                line = _line_of(matrix)
                return (
                    isinstance(other, Bracketed)
                    and line is not None
                    and len(line) == len(other.items)
                    and self.all_same(zip(line, other.items, strict=True))
                )
        return None

    def _bases(self, a: Value, b: Value) -> bool | None:
        """Digits in the same base; without a base on one side, the digits or the value."""
        if isinstance(a, Based) and isinstance(b, Based):
            return a.base == b.base and a.digits.lstrip("0") == b.digits.lstrip("0")
        for based, other in ((a, b), (b, a)):
            if isinstance(based, Based):
                value = exact(other) if _is_expression(other) else None
                return value is not None and value in (
                    _digits_value(based.digits, 10),
                    _digits_value(based.digits, based.base),
                )
        return None

    def _ratios(self, a: Value, b: Value) -> bool | None:
        if isinstance(a, Ratio) and isinstance(b, Ratio):
            if len(a.parts) != len(b.parts):
                return False
            return self.all_same(zip(a.parts, b.parts, strict=True)) or self._proportional(a, b)
        for ratio, other in ((a, b), (b, a)):
            if isinstance(ratio, Ratio):
                return len(ratio.parts) == 2 and _is_expression(other) and self.same(Apply("div", ratio.parts), other)
        return None

    def _proportional(self, a: Ratio, b: Ratio) -> bool:
        """3:2 and 6:4; a part of zero is no ratio but a time of day, which has no other form."""
        numbers = [exact(part) if _is_expression(part) else None for part in (*a.parts, *b.parts)]
        known = [value for value in numbers if value]
        if len(known) < len(numbers):
            return False
        first, second = known[: len(a.parts)], known[len(a.parts) :]
        return all(x * second[0] == y * first[0] for x, y in zip(first, second, strict=True))

    def _several(self, a: Value, b: Value) -> bool | None:
        """Lists and sets: the same members; a list and a tuple: the same in order."""
        if not any(isinstance(value, ListOf | SetOf) for value in (a, b)):
            return None
        for several, other in ((a, b), (b, a)):
            if isinstance(other, Bracketed):
                return (
                    isinstance(several, ListOf)
                    and len(several.items) == len(other.items)
                    and self.all_same(zip(map(_value_of, several.items), other.items, strict=True))
                )
        return self.same_members(_members(a), _members(b))

    def _structures(self, a: Value, b: Value) -> bool | None:
        if isinstance(a, Bracketed) and isinstance(b, Bracketed):
            if len(a.items) != len(b.items) or (len(a.items) == 2 and _ends(a) != _ends(b)):
                return False
            return self.all_same(zip(a.items, b.items, strict=True))
        return None

    def _expressions(self, a: Value, b: Value) -> bool:
        if contains(a, "union", "intersection", "difference") or contains(b, "union", "intersection", "difference"):
            return False
        try:
            return same_number(a, b)
        except Unsettled:
            return self.settle(a, b, "same")

    def _unknown(self, a: Value, b: Value) -> bool:
        """Mathematics that our parser does not know, on one side at least."""
        texts = [value.text for value in (a, b) if isinstance(value, Unparsed)]
        if any(len(text) > MOST_CHARACTERS or not COMMAND.search(text) for text in texts):
            return False
        return self.settle(a, b, "same")


def simplified(value: Value) -> Value:
    """The value with its matrices added and multiplied, its workings read as their results, and single brackets gone."""
    match value:
        case Relation():
            named = named_value(value) if name_of(value) is None else None
            return named if named is not None else value
        case ListOf(items, joint):
            return _worked_out(ListOf(tuple(simplified(item) for item in items), joint), items)
        case Bracketed("(", (inner,), ")"):
            return inner
        case Measure(inner, "percent"):
            return Apply("percent", (inner,))
        case Measure(inner, "degree"):
            return Apply("degree", (inner,))
        case Apply("det", (Matrix(rows),)) if 0 < len(rows) == len(rows[0]) <= LARGEST_DETERMINANT:
            return _determinant(rows)
        case Apply("mul" | "add" | "neg" | "div"):
            return _folded(value)
    return value


def _worked_out(simpler: ListOf, items: Sequence[Value]) -> Value:
    """`2 + 2 = 4, 4 + 4 = 8`: steps of a calculation, of which the last has the answer."""
    if all(isinstance(item, Relation) and "=" in item.signs and not symbols_of(item) for item in items):
        return simpler.items[-1]
    return simpler


def _folded(value: Apply) -> Value:
    """Sums and multiples of matrices, entry by entry."""
    args = [simplified(argument) if isinstance(argument, Apply) else argument for argument in value.args]
    matrices = [argument for argument in args if isinstance(argument, Matrix)]
    if not matrices:
        return value
    if value.head == "neg":
        return _entrywise(matrices[0], negative)
    if value.head == "mul" and len(matrices) == 1:
        factors = [argument for argument in args if not isinstance(argument, Matrix)]
        return _entrywise(matrices[0], lambda entry: Apply("mul", (*factors, entry)))
    if value.head == "div" and isinstance(args[0], Matrix) and len(matrices) == 1:
        return _entrywise(matrices[0], lambda entry: Apply("div", (entry, args[1])))
    if value.head == "add" and len(matrices) == len(args):
        shapes = {tuple(len(row) for row in matrix.rows) for matrix in matrices}
        if len(shapes) == 1:
            return Matrix(
                tuple(
                    tuple(Apply("add", entries) for entries in zip(*rows, strict=True))
                    for rows in zip(*(matrix.rows for matrix in matrices), strict=True)
                )
            )
    return value


def _entrywise(matrix: Matrix, change: Callable[[Value], Value]) -> Matrix:
    return Matrix(tuple(tuple(change(entry) for entry in row) for row in matrix.rows))


def _determinant(rows: tuple[tuple[Value, ...], ...]) -> Value:
    """Leibniz' formula; the number of terms is bounded by the size."""
    terms: list[Value] = []
    for order in permutations(range(len(rows))):
        inversions = sum(order[i] > order[j] for i in range(len(order)) for j in range(i + 1, len(order)))
        term = Apply("mul", tuple(row[column] for row, column in zip(rows, order, strict=True)))
        terms.append(negative(term) if inversions % 2 else term)
    return Apply("add", tuple(terms))


def name_of(relation: Relation) -> Value | None:
    """What an equation names, where one of its ends is a name: a symbol, `f(x)`, `P(A)`, words, `(x, y)`."""
    if relation.signs[0] == "in":
        return relation.sides[0] if is_name(relation.sides[0]) else None
    if not set(relation.signs) <= {"=", "~"}:
        return None
    for end in (relation.sides[0], relation.sides[-1]):
        if is_name(end):
            return end
    return None


def named_value(relation: Relation) -> Value | None:
    """The value that a relation states, None where it states a condition."""
    sides, signs = list(relation.sides), list(relation.signs)
    if signs == ["in"] and is_name(sides[0]):
        return sides[1]
    if not set(signs) <= {"=", "~"}:
        return None
    if is_name(sides[0]) or isinstance(sides[0], Text):
        sides, signs = sides[1:], signs[1:]
        while signs and signs[0] == "=" and is_name(sides[0]):
            sides, signs = sides[1:], signs[1:]
    elif len(sides) == 2 and is_name(sides[1]) and signs[0] == "=":
        return sides[0]
    elif (signs[0] == "=" and symbols_of(sides[0]) and not (len(sides) > 2 and not symbols_of(sides[-1]))) or (
        signs[0] == "=" and len(sides) == 2 and symbols_of(sides[1])
    ):
        return None
    while signs and signs[-1] == "~":
        sides, signs = sides[:-1], signs[:-1]
    return sides[-1] if len(sides) == 1 or "~" not in signs else sides[0]


def is_name(value: Value) -> bool:
    """Whether a side of an equation only names the other: a variable, a function of variables, letters, words."""
    match value:
        case Sym(name):
            return name not in ("pi", "e", "i", "oo")
        case Text():
            return True
        case Apply(head, _) if head.startswith(("call:", "prime")):
            return True
        case Apply("mul" | "abs", args):
            return all(is_name(argument) for argument in args)
        case Apply("div", (Apply("mul", (Sym("d"), *_)), Apply("mul", (Sym("d"), *_)))):
            return True
        case Bracketed(_, items, _):
            return bool(items) and all(is_name(item) for item in items)
        case Ratio(parts):
            return all(is_name(part) for part in parts)
        case Matrix(rows):
            return all(is_name(entry) for row in rows for entry in row)
    return False


def _alike(a: Value | None, b: Value | None) -> bool:
    """Names that may stand for each other: the same, in another case, or `y` and `f(x)`."""
    if a == b:
        return True
    match a, b:
        case (Sym(first), Sym(second)):
            return first.lower() == second.lower()
        case (Sym("y"), Apply(head, _)) | (Apply(head, _), Sym("y")):
            return head.startswith("call:")
    return False


def _value_of(value: Value) -> Value:
    named = named_value(value) if isinstance(value, Relation) else None
    return value if named is None else named


def _members(value: Value) -> Sequence[Value]:
    """What a list or set holds, with lists inside it and plus-minus signs spread out; of another value, itself."""
    if isinstance(value, Relation) and isinstance(named := named_value(value), SetOf | ListOf):
        return _members(named)
    if not isinstance(value, ListOf | SetOf):
        return _spread(value) or [value]
    members: list[Value] = []
    for item in value.items:
        inner = _value_of(item)
        if isinstance(inner, ListOf) and _is_assignment(inner):
            members.append(Bracketed("(", tuple(map(_value_of, inner.items)), ")"))
        elif isinstance(inner, ListOf) or _spread(inner):
            members.extend(_members(inner))
        else:
            members.append(item)
    return members


def _is_assignment(value: ListOf) -> bool:
    return len(value.items) > 1 and all(
        isinstance(item, Relation) and named_value(item) is not None for item in value.items
    )


def _spread(value: Value) -> list[Value] | None:
    """The two values of an expression with plus-minus signs, all taken as plus or all as minus."""
    if isinstance(value, Relation):
        named = named_value(value)
        return None if named is None else _spread(named)
    if not _is_expression(value) or not contains(value, "pm", "mp"):
        return None
    return [_with_sign(value, plus=True), _with_sign(value, plus=False)]


def _with_sign(value: Value, *, plus: bool) -> Value:
    if not isinstance(value, Apply):
        return value
    args = tuple(_with_sign(argument, plus=plus) for argument in value.args)
    if value.head in ("pm", "mp"):
        return args[0] if plus == (value.head == "pm") else negative(args[0])
    return Apply(value.head, args)


def _is_real_set(value: Value) -> bool:
    match value:
        case Builder() | Sym("reals" | "integers" | "naturals" | "rationals" | "complexes"):
            return True
        case Apply("union" | "intersection" | "difference"):
            return True
        case ListOf(items, _):
            return (
                all(isinstance(item, Relation) and named_value(item) is None for item in items)
                and reals(value) is not None
            )
    return False


def _united(value: Value) -> list[Value]:
    if isinstance(value, Apply) and value.head == "union":
        return [part for argument in value.args for part in _united(argument)]
    return list(value.items) if isinstance(value, SetOf) else [value]


def _line_of(matrix: Matrix) -> tuple[Value, ...] | None:
    """The entries of a matrix of one row or one column."""
    if len(matrix.rows) == 1:
        return matrix.rows[0]
    return tuple(row[0] for row in matrix.rows) if all(len(row) == 1 for row in matrix.rows) else None


def _digits_value(digits: str, base: int) -> int | None:
    try:
        return int(digits[:4000], base)
    except ValueError:
        return None


def _ends(value: Bracketed) -> tuple[str, str]:
    return value.opening.replace("<", "("), value.closing.replace(">", ")")


def _is_expression(value: Value) -> bool:
    return isinstance(value, Num | Sym | Apply)


def _difference(left: Value, right: Value) -> Value:
    return Apply("add", (left, negative(right)))


def _hundredth(value: Value) -> Value:
    return Apply("div", (value, HUNDRED))


def _radians(value: Value) -> Value:
    return Apply("div", (Apply("mul", (value, PI)), number(180)))


def _as_words(value: Value) -> str | None:
    """A value as words: a text, a product of letters (`no`, `DNE`), a number that words name, a time of day."""
    match value:
        case Text(words):
            return words.replace(" ", "")
        case Sym(name):
            return name.lower()
        case Apply("mul", args) if all(isinstance(argument, Sym) for argument in args):
            return "".join(argument.name for argument in args if isinstance(argument, Sym)).lower()
        case Ratio(parts) if all(isinstance(part, Num) for part in parts):
            return ":".join(
                f"{part.value}" if not place else f"{part.value!s:0>2}"
                for place, part in enumerate(parts)
                if isinstance(part, Num)
            )
        case Num(amount):
            return next((word for word, count in NUMBER_WORDS.items() if count == amount), None)
    return None
