"""Grade a response: by the lenient rule any box may be right, by the strict one the last decides.

Why: pool and worker grade by the same few lines, each with its own way to compare two answers.
Promises: strict implies lenient; the strict verdict is always there; pure but for `compare`, which is given.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inference_kit.grader.comparing.texts import Comparison, are_written_alike
from inference_kit.grader.finding.boxes import find_boxes
from inference_kit.grader.finding.choice import find_option, is_choice
from inference_kit.grader.finding.expressions import FORMULA, take_inside
from inference_kit.grader.finding.extract import find_candidates, read_wanted
from inference_kit.grader.verdicts import NO, UNKNOWN
from inference_kit.records import AnswerKind

MOST_CANDIDATES = 400
WRAPPING = 40
"""Characters by which a response that is nothing but the gold answer may be longer."""

Compare = Callable[[str, str, AnswerKind], Comparison]
"""Compares a gold answer with an answer, both bare."""


@dataclass(frozen=True, slots=True)
class GradeItem:
    """A response to be graded; `gold` may be several acceptable answers, `cut_off` says that a limit ended it."""

    gold: str | tuple[str, ...]
    response: str
    kind: AnswerKind = "math"
    choices: tuple[str, ...] = ()
    strict: bool = False
    cut_off: bool = False

    @property
    def golds(self) -> tuple[str, ...]:
        """The acceptable answers, also where there is one; of a worked solution, what follows its `####`."""
        if isinstance(self.gold, str):
            return (_read_gold(self.gold),)
        return tuple(map(_read_gold, self.gold))


@dataclass(frozen=True, slots=True)
class Grade:
    """Correct or not, and by which rule.

    `correct` is by the rule asked for and `strict` by the strict one. `extracted` is what was compared: the candidate
    that matched, else the last. `method` says how it was decided: string, number, symbolic, set, choice, timeout,
    no_answer, ...
    """

    correct: bool
    strict: bool
    extracted: str | None
    method: str


def grade_item(item: GradeItem, compare: Compare) -> Grade | None:
    """Grade a response: its last candidate first, then, by the lenient rule, the others from the end.

    Returns:
        None where the grade hangs on a comparison that `compare` leaves unknown.
    """
    golds = _read_golds(item)
    if any(len(item.response) < len(gold) + WRAPPING and are_written_alike(gold, item.response) for gold in golds):
        return Grade(True, True, _unwrap(item.response), "string")
    found = _find(item, golds)
    if not found:
        return Grade(False, False, None, "no_answer")
    last = _compare_with_any(golds, found[-1], item.kind, compare)
    if last.verdict is UNKNOWN:
        return None
    if last.equal or item.strict:
        return Grade(last.equal, last.equal, found[-1], last.method)
    for candidate in found[-2 : -MOST_CANDIDATES - 2 : -1]:
        other = _compare_with_any(golds, candidate, item.kind, compare)
        if other.verdict is UNKNOWN:
            return None
        if other.equal:
            return Grade(True, False, candidate, other.method)
        if other.method == "timeout":  # one response may cost a time limit, not one for each of its boxes
            return Grade(False, False, found[-1], "timeout")
    return Grade(False, False, found[-1], last.method)


def _read_golds(item: GradeItem) -> tuple[str, ...]:
    """Return the acceptable answers; an option that is given by its own words or value as its letter."""
    if item.kind != "choice" or not item.choices:
        return item.golds
    return tuple(gold if is_choice(gold) else find_option(gold, item.choices) or gold for gold in item.golds)


def _read_gold(gold: str) -> str:
    """Return what follows the `####` of a worked solution, as GSM8K stores it; any other gold answer as it is."""
    if "####" not in gold:
        return gold
    return gold.rpartition("####")[2].strip() or gold


def _unwrap(response: str) -> str:
    """Return the answer of a response that is nothing but the gold answer: what its box or its dollars hold."""
    boxes = find_boxes(response)
    bare = boxes[-1] if boxes else response.strip()
    formula = FORMULA.fullmatch(bare)
    return take_inside(formula) if formula else bare


def _find(item: GradeItem, golds: Sequence[str]) -> list[str]:
    """Return the candidates of a response: letters where the gold answer is one, and anything where it names none."""
    wanted = read_wanted(golds, item.kind)
    found = find_candidates(item.response, item.kind, item.choices, wanted=wanted, cut_off=item.cut_off)
    if found or wanted != "letter" or item.kind == "choice":
        return found
    return find_candidates(item.response, item.kind, item.choices, cut_off=item.cut_off)


def _compare_with_any(golds: Sequence[str], answer: str, kind: AnswerKind, compare: Compare) -> Comparison:
    """Return the first comparison that is not a no, else the last one."""
    comparison = Comparison(NO, "no_gold")
    for gold in golds:
        comparison = compare(gold, answer, kind)
        if comparison.verdict is not NO:
            break
    return comparison
