r"""Environments: matrices, determinants and systems of equations between `\begin` and `\end`.

Why: an array holds entries or equations, and only its contents tell which.
Promises: a matrix has rows of equal length and a bounded number of cells.
"""

from collections.abc import Callable

from inference_kit.grader.reading.grammar import Grammar
from inference_kit.grader.reading.reader import Reader
from inference_kit.grader.reading.tokens import END, ParseError
from inference_kit.grader.values import Apply, Bracketed, ListOf, Matrix, Value
from inference_kit.grader.vocabulary import RELATIONS

MOST_CELLS = 256
MATRICES = frozenset("matrix pmatrix bmatrix Bmatrix vmatrix Vmatrix smallmatrix array".split())
SYSTEMS = frozenset("cases aligned align array".split())
CONDITIONS = frozenset({'"if', '"otherwise', '"for', '"when', "if", "for", "when"})
"""Words before the condition of a case; those of `\\text{...}` begin with a quote."""

ROW_ENDS = frozenset({r"\\", r"\cr"})


def read_environment(grammar: Grammar) -> Value:
    r"""Read an environment from behind its `\begin`."""
    reader = grammar.reader
    reader.expect("{")
    name = _read_name(reader)
    if name == "array" and reader.next.text in ("{", "["):  # the alignment of its columns
        _skip_braces(reader)
    if name in SYSTEMS and (name == "cases" or _has_relations(reader)):
        rows = _read_rows(grammar, grammar.read_relation)
        return ListOf(tuple(row[0] if len(row) == 1 else Bracketed("(", row, ")") for row in rows if row), "and")
    rows = _read_rows(grammar, grammar.read_sum)
    if name not in MATRICES:
        raise ParseError(f"unknown environment {name}")
    if len({len(row) for row in rows}) != 1 or sum(map(len, rows)) > MOST_CELLS:
        raise ParseError("a matrix with uneven rows")
    matrix = Matrix(rows)
    return Apply("det", (matrix,)) if name == "vmatrix" else matrix


def _read_name(reader: Reader) -> str:
    name = reader.take().text
    while not reader.accept("}"):
        name += reader.take().text
    return name


def _skip_braces(reader: Reader) -> None:
    while reader.take().text != "}":
        pass


def _has_relations(reader: Reader) -> bool:
    """Say whether the rows up to the next end are relations, not entries."""
    for place in range(reader.position, len(reader.tokens)):
        token = reader.tokens[place]
        if token is END or token.text == r"\end":
            break
        if token.text in RELATIONS or token.text in ('"if', '"otherwise'):
            return True
    return False


def _read_rows(grammar: Grammar, read: Callable[[], Value]) -> tuple[tuple[Value, ...], ...]:
    r"""Read cells up to `\end`, and its name."""
    reader = grammar.reader
    around = reader.surroundings
    reader.surroundings = around._replace(bars=0)
    rows: list[tuple[Value, ...]] = []
    row: list[Value] = []
    while not reader.accept(r"\end"):
        if reader.accept(r"\hline", "&"):
            continue
        if reader.accept(*ROW_ENDS):
            rows.append(tuple(row))
            row = []
        elif reader.next.text in CONDITIONS and reader.peek(1).text not in (r"\\", r"\end"):
            reader.take()
        else:
            row.append(reader.nest(read))
            reader.accept(",", ";")
    if row:
        rows.append(tuple(row))
    reader.expect("{")
    _skip_braces(reader)
    reader.surroundings = around
    return tuple(rows)
