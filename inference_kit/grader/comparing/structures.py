"""Compare two values by what they are: units, words, relations, sets, structures, and at last expressions.

Why: each kind of answer has one convention (docs/grading.md), and a structure is only as equal as its parts.
Promises: symmetric; what only a proof can tell goes to `prove`, which knows nothing outside a worker.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from inference_kit.grader.comparing.intervals import reals, same_reals, turned
from inference_kit.grader.comparing.matrices import folded, line_of
from inference_kit.grader.comparing.members import members_of, spread
from inference_kit.grader.comparing.naming import alike, name_of, named_value, stated
from inference_kit.grader.proving.equality import Claim, prove_equal, prove_proportional
from inference_kit.grader.proving.exact import compute_rational
from inference_kit.grader.reading.parse import COMMAND
from inference_kit.grader.reading.tokens import MOST_CHARACTERS
from inference_kit.grader.reading.units import NAMES
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
    is_expression,
    negative,
    number,
    symbols_of,
)
from inference_kit.grader.verdicts import NO, UNKNOWN, YES, Verdict, all_equal, any_equal, decide
from inference_kit.grader.vocabulary import NUMBER_WORDS

MOST_ITEMS = 64

Prove = Callable[[Value, Value, Claim], Verdict]
"""Says whether a claim about two expressions holds."""


@dataclass(frozen=True, slots=True)
class Comparer:
    """Compares values; `prove` decides what arithmetic cannot."""

    prove: Prove

    def same(self, a: Value, b: Value) -> Verdict:
        """Say whether two values are the same answer."""
        if a == b:
            return YES
        a, b = simplified(a), simplified(b)
        if a == b:
            return YES
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
        return NO

    def all_same(self, pairs: Iterable[tuple[Value, Value]]) -> Verdict:
        """Say whether all pairs are the same."""
        return all_equal(self.same(a, b) for a, b in pairs)

    def same_in_order(self, first: Sequence[Value], second: Sequence[Value]) -> Verdict:
        """Say whether two sequences have the same values at the same places."""
        return all_equal(map(self.same, first, second)) if len(first) == len(second) else NO

    def any_same(self, a: Value, others: Iterable[Value]) -> Verdict:
        """Say whether one of the others is the same as a."""
        return any_equal(self.same(a, other) for other in others)

    def same_members(self, first: Sequence[Value], second: Sequence[Value]) -> Verdict:
        """Say whether each value has an equal on the other side; order and repetition do not count."""
        if max(len(first), len(second)) > MOST_ITEMS:
            return self.same_in_order(first, second)
        return all_equal(
            self.any_same(value, others) for some, others in ((first, second), (second, first)) for value in some
        )

    # Rules: each decides about its own kind of value, and leaves the rest by returning None.

    def _units(self, a: Value, b: Value) -> Verdict | None:
        """A unit on one side only is dropped; two known units must be the same."""
        if isinstance(a, Measure) and isinstance(b, Measure):
            if a.unit != b.unit and a.unit.split("^")[0] in NAMES and b.unit.split("^")[0] in NAMES:
                return NO
            return self.same(a.value, b.value)
        if isinstance(a, Measure):
            if isinstance(b, Apply) and b.head == "mul" and b.args[-1] == Sym(a.unit):  # 3.5 m is no product here
                b = b.args[0] if len(b.args) == 2 else Apply("mul", b.args[:-1])
            return NO if isinstance(b, Text) else self.same(a.value, b)
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

    def _texts(self, a: Value, b: Value) -> Verdict | None:
        if not (isinstance(a, Text) or isinstance(b, Text)):
            return None
        words = [_as_words(value) for value in (a, b)]
        return decide(words[0] is not None and words[0] == words[1])

    def _plus_minus(self, a: Value, b: Value) -> Verdict | None:
        """An expression with a plus-minus sign is the list of its two values."""
        both_signs = [spread(value) for value in (a, b)]
        if both_signs[0] is None and both_signs[1] is None:
            return None
        members = [found or members_of(value) for found, value in zip(both_signs, (a, b), strict=True)]
        return self.same_members(*members)

    def _relations(self, a: Value, b: Value) -> Verdict | None:
        """Equations up to order and a factor; one that only names its value, and that value; inequalities as sets."""
        if isinstance(a, Relation) and isinstance(b, Relation):
            return self._two_relations(a, b)
        if not isinstance(a, Relation) and not isinstance(b, Relation):
            return None
        relation, other = (a, b) if isinstance(a, Relation) else (b, a)
        assert isinstance(relation, Relation)
        value = named_value(relation)
        if value is not None:
            return self.same(value, other)
        return decide(same_reals(relation, other) is True)

    def _two_relations(self, a: Relation, b: Relation) -> Verdict:
        names = name_of(a), name_of(b)
        values = named_value(a), named_value(b)
        if values[0] is not None and values[1] is not None and (None in names or alike(*names)):
            return self.same(values[0], values[1])
        if (
            names[0] is None
            and names[1] is None
            and (values[0] is None) != (values[1] is None)
            and "=" in (*a.signs, *b.signs)
        ):
            return NO
        described = same_reals(a, b)
        if described is not None:
            return decide(described)
        if len(a.signs) != 1 or len(b.signs) != 1:
            return self._same_chain(a, b)
        return self._same_balance(a, b)

    def _same_chain(self, a: Relation, b: Relation) -> Verdict:
        turned_b = Relation(tuple(turned(sign) for sign in reversed(b.signs)), tuple(reversed(b.sides)))
        for other in (b, turned_b):
            if a.signs == other.signs:
                return self.same_in_order(a.sides, other.sides)
        return NO

    def _same_balance(self, a: Relation, b: Relation) -> Verdict:
        """Two equations or inequalities: the same sides, or differences in a constant ratio."""
        signs = a.signs[0], b.signs[0]
        if signs[0] != signs[1] and signs[0] != turned(signs[1]):
            return NO
        straight, crossed = list(zip(a.sides, b.sides, strict=True)), list(zip(a.sides, b.sides[::-1], strict=True))
        pairs = ([straight] if signs[0] == signs[1] else []) + ([crossed] if signs[0] == turned(signs[1]) else [])
        for each in pairs:
            if all(left == right for left, right in each):
                return YES
        if signs[0] not in ("=", "!=", "<", "<=", ">", ">=") or not all(map(is_expression, (*a.sides, *b.sides))):
            return any_equal(map(self.all_same, pairs))
        first = _difference(*a.sides)
        second = _difference(*b.sides) if signs[0] == signs[1] else _difference(*b.sides[::-1])
        claim: Claim = "proportional" if signs[0] in ("=", "!=") else "positively proportional"
        known = prove_proportional(first, second, positive=claim == "positively proportional")
        return self.prove(first, second, claim) if known is UNKNOWN else known

    def _real_sets(self, a: Value, b: Value) -> Verdict | None:
        """Sets of reals, where at least one side can be nothing else."""
        if not any(map(_is_real_set, (a, b))):
            return None
        described = same_reals(a, b)
        if described is not None:
            return decide(described)
        if isinstance(a, Apply) and isinstance(b, Apply) and a.head == b.head == "union":
            return self.same_members(_united(a), _united(b))
        if isinstance(a, Apply) and isinstance(b, Apply) and a.head == b.head:
            return self.same_in_order(a.args, b.args)
        if isinstance(a, Builder) and isinstance(b, Builder):
            return self.same_in_order((a.element, a.condition), (b.element, b.condition))
        for builder, other in ((a, b), (b, a)):
            if isinstance(builder, Builder) and not isinstance(other, Builder):
                return self.same(builder.condition, other) if isinstance(other, Relation) else NO
        return NO

    def _matrices(self, a: Value, b: Value) -> Verdict | None:
        if isinstance(a, Matrix) and isinstance(b, Matrix):
            return all_equal(map(self.same_in_order, a.rows, b.rows)) if len(a.rows) == len(b.rows) else NO
        for matrix, other in ((a, b), (b, a)):
            if isinstance(matrix, Matrix):
                line = line_of(matrix)
                return (
                    self.same_in_order(line, other.items) if line is not None and isinstance(other, Bracketed) else NO
                )
        return None

    def _bases(self, a: Value, b: Value) -> Verdict | None:
        """Digits in the same base; without a base on one side, the digits or the value."""
        if isinstance(a, Based) and isinstance(b, Based):
            return decide(a.base == b.base and a.digits.lstrip("0") == b.digits.lstrip("0"))
        for based, other in ((a, b), (b, a)):
            if isinstance(based, Based):
                value = compute_rational(other) if is_expression(other) else None
                meanings = (_digits_value(based.digits, 10), _digits_value(based.digits, based.base))
                return decide(value is not None and value in meanings)
        return None

    def _ratios(self, a: Value, b: Value) -> Verdict | None:
        if isinstance(a, Ratio) and isinstance(b, Ratio):
            if len(a.parts) != len(b.parts):
                return NO
            same = self.same_in_order(a.parts, b.parts)
            return YES if same is not YES and self._proportional(a, b) else same
        for ratio, other in ((a, b), (b, a)):
            if isinstance(ratio, Ratio):
                two_parts = len(ratio.parts) == 2 and is_expression(other)
                return self.same(Apply("div", ratio.parts), other) if two_parts else NO
        return None

    def _proportional(self, a: Ratio, b: Ratio) -> bool:
        """3:2 and 6:4; a part of zero is no ratio but a time of day, which has no other form."""
        numbers = [compute_rational(part) if is_expression(part) else None for part in (*a.parts, *b.parts)]
        known = [value for value in numbers if value]
        if len(known) < len(numbers):
            return False
        first, second = known[: len(a.parts)], known[len(a.parts) :]
        return all(x * second[0] == y * first[0] for x, y in zip(first, second, strict=True))

    def _several(self, a: Value, b: Value) -> Verdict | None:
        """Lists and sets: the same members; a list and a tuple: the same in order."""
        if not any(isinstance(value, ListOf | SetOf) for value in (a, b)):
            return None
        for several, other in ((a, b), (b, a)):
            if isinstance(other, Bracketed):
                return (
                    self.same_in_order([*map(stated, several.items)], other.items)
                    if isinstance(several, ListOf)
                    else NO
                )
        return self.same_members(members_of(a), members_of(b))

    def _structures(self, a: Value, b: Value) -> Verdict | None:
        if isinstance(a, Bracketed) and isinstance(b, Bracketed):
            return NO if len(a.items) == 2 and _ends(a) != _ends(b) else self.same_in_order(a.items, b.items)
        return None

    def _expressions(self, a: Value, b: Value) -> Verdict:
        if contains(a, "union", "intersection", "difference") or contains(b, "union", "intersection", "difference"):
            return NO
        known = prove_equal(a, b)
        return self.prove(a, b, "equal") if known is UNKNOWN else known

    def _unknown(self, a: Value, b: Value) -> Verdict:
        """Mathematics that our parser does not know, on one side at least."""
        texts = [value.text for value in (a, b) if isinstance(value, Unparsed)]
        if any(len(text) > MOST_CHARACTERS or not _is_mathematics(text) for text in texts):
            return NO
        return self.prove(a, b, "equal")


def simplified(value: Value) -> Value:
    """The value with its matrices worked out, its calculations read as their results, and single brackets gone."""
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
        case Apply("mul" | "add" | "neg" | "div" | "det"):
            return folded(value)
    return value


def _worked_out(simpler: ListOf, items: Sequence[Value]) -> Value:
    """`2 + 2 = 4, 4 + 4 = 8`: steps of a calculation, of which the last has the answer."""
    if all(isinstance(item, Relation) and "=" in item.signs and not symbols_of(item) for item in items):
        return simpler.items[-1]
    return simpler


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


def _digits_value(digits: str, base: int) -> int | None:
    try:
        return int(digits[:4000], base)
    except ValueError:
        return None


def _ends(value: Bracketed) -> tuple[str, str]:
    return value.opening.replace("<", "("), value.closing.replace(">", ")")


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


def _is_mathematics(text: str) -> bool:
    """Whether a text that our parser does not know has commands, and something that they are about."""
    return COMMAND.search(text) is not None and any(sign.isalnum() for sign in COMMAND.sub("", text))
