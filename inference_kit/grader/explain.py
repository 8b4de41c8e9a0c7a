"""Show each stage of grading one pair, as lines of text.

Why: a grade that surprises is settled by looking at what was extracted, how it was read and what decided.
Promises: grades with the pool that is given, so what is shown is what a run would have done.
"""

from collections.abc import Iterator

from inference_kit.grader.finding.boxes import find_boxes
from inference_kit.grader.finding.extract import find_candidates, read_wanted
from inference_kit.grader.finding.thoughts import drop_thinking
from inference_kit.grader.reading.parse import clean, parse
from inference_kit.grader.similarity import measure_similarity
from inference_kit.grader.values import (
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
)  # fmt: skip
from inference_kit.grader.workers.pool import GraderPool

LONGEST = 200


def explain(pool: GraderPool, gold: str, response: str) -> Iterator[str]:
    """Yield a line for each stage: boxes, candidates, how both sides are read, each verdict, the grade."""
    found = find_candidates(response, wanted=read_wanted([gold], "math"))
    boxed = find_boxes(drop_thinking(response))
    yield f"boxes       {len(boxed)}"
    for place, candidate in enumerate(found, start=1):
        yield f"candidate   {place} of {len(found)}: {_shorten(candidate)}{'  (strict)' if place == len(found) else ''}"
    yield f"gold        {_shorten(clean(gold))}  read as {_shorten(show(parse(gold)))}"
    for candidate in found:
        comparison = pool.compare(gold, candidate)
        yield f"answer      {_shorten(clean(candidate))}  read as {_shorten(show(parse(candidate)))}"
        yield f"verdict     {'equal' if comparison.equal else 'not equal'}, by {comparison.method}"
    grade = pool.grade(gold, response)
    if grade.extracted is not None:
        yield f"similarity  {measure_similarity([gold], grade.extracted, 'math', correct=grade.correct):.3f}"
    yield f"lenient     {'correct' if grade.correct else 'not correct'}, by {grade.method}"
    yield f"strict      {'correct' if grade.strict else 'not correct'}"


def show(value: Value) -> str:
    """Write a value as a formula that tells what each part was read as."""
    match value:
        case Num(amount, digits):
            return f"{amount}{f' (a decimal of {digits} digits)' if digits else ''}"
        case Sym(name):
            return name
        case Apply(head, args):
            return f"{head}({', '.join(map(show, args))})"
        case Bracketed(opening, items, closing):
            return f"{opening}{', '.join(map(show, items))}{closing}"
        case SetOf(items):
            return f"set {{{', '.join(map(show, items))}}}"
        case ListOf(items, joint):
            return f"list joined by {joint!r}: {'; '.join(map(show, items))}"
        case Builder(element, condition):
            return f"all {show(element)} with {show(condition)}"
        case Relation(signs, sides):
            return show(sides[0]) + "".join(
                f" {sign} {show(side)}" for sign, side in zip(signs, sides[1:], strict=True)
            )
        case Matrix(rows):
            return f"matrix {'; '.join(', '.join(map(show, row)) for row in rows)}"
        case Measure(inner, unit):
            return f"{show(inner)} in {unit!r}"
        case Based(digits, base):
            return f"{digits} in base {base}"
        case Ratio(parts):
            return f"ratio {' : '.join(map(show, parts))}"
        case Text(words):
            return f"text {words!r}"
        case Unparsed(text):
            return f"not parsed {text!r}"


def _shorten(text: str) -> str:
    """Return a text on one line, cut off where it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}… ({len(line)} characters)"
