"""Sums, multiples and determinants of matrices are what linear algebra says."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_kit.grader.comparing.matrices import LARGEST_DETERMINANT, fold_matrices, list_entries
from inference_kit.grader.proving.exact import compute_rational
from inference_kit.grader.reading.latex import parse_latex
from inference_kit.grader.values import Apply, Matrix, Value, to_num

Rows = tuple[tuple[int, ...], ...]

SQUARES = st.integers(1, 4).flatmap(lambda size: st.tuples(*[st.tuples(*[st.integers(-5, 5)] * size)] * size))


def _build(rows: Rows) -> Matrix:
    return Matrix(tuple(tuple(map(to_num, row)) for row in rows))


def _eliminate(rows: Rows) -> Fraction:
    """The determinant by Gauss: the product of the pivots, with a sign for each exchange of rows."""
    left = [[Fraction(entry) for entry in row] for row in rows]
    product = Fraction(1)
    for place in range(len(left)):
        pivot = next((row for row in range(place, len(left)) if left[row][place]), None)
        if pivot is None:
            return Fraction(0)
        if pivot != place:
            left[place], left[pivot] = left[pivot], left[place]
            product = -product
        product *= left[place][place]
        for row in range(place + 1, len(left)):
            factor = left[row][place] / left[place][place]
            left[row] = [entry - factor * above for entry, above in zip(left[row], left[place], strict=True)]
    return product


def _values(value: Value) -> list[list[Fraction | None]]:
    assert isinstance(value, Matrix)
    return [[compute_rational(entry) for entry in row] for row in value.rows]


@settings(max_examples=60, deadline=None)
@given(SQUARES)
def test_a_determinant_is_the_one_that_elimination_finds(rows: Rows) -> None:
    assert compute_rational(fold_matrices(Apply("det", (_build(rows),)))) == _eliminate(rows)


@settings(max_examples=60, deadline=None)
@given(SQUARES, st.integers(-5, 5), st.integers(1, 5))
def test_multiples_and_sums_are_worked_out_entry_by_entry(rows: Rows, factor: int, divisor: int) -> None:
    matrix = _build(rows)
    assert _values(fold_matrices(Apply("mul", (to_num(factor), matrix)))) == [[factor * e for e in row] for row in rows]
    assert _values(fold_matrices(Apply("add", (matrix, matrix)))) == [[2 * entry for entry in row] for row in rows]
    assert _values(fold_matrices(Apply("neg", (matrix,)))) == [[-entry for entry in row] for row in rows]
    quotient = fold_matrices(Apply("div", (matrix, to_num(divisor))))
    assert _values(quotient) == [[Fraction(entry, divisor) for entry in row] for row in rows]


@pytest.mark.parametrize(
    "text",
    [
        r"\begin{pmatrix}1\\2\end{pmatrix}+\begin{pmatrix}1&2\end{pmatrix}",  # other shapes
        r"\begin{pmatrix}1\\2\end{pmatrix}+1",
        r"\begin{pmatrix}1&2\\3&4\end{pmatrix}\begin{pmatrix}1\\2\end{pmatrix}",  # a product of two is not worked out
        r"\det\begin{pmatrix}1&2\end{pmatrix}",
        r"\frac{1}{\begin{pmatrix}1\\2\end{pmatrix}}",
        "2+3",
    ],
)
def test_what_is_not_worked_out_stays_as_it_is(text: str) -> None:
    value = parse_latex(text)
    assert isinstance(value, Apply)
    assert fold_matrices(value) == value


def test_a_large_determinant_is_not_expanded() -> None:
    size = LARGEST_DETERMINANT + 1
    value = Apply("det", (_build(((1,) * size,) * size),))
    assert fold_matrices(value) == value


def test_matrices_inside_of_matrix_operations_are_worked_out_first() -> None:
    found = fold_matrices(parse_latex(r"2(\begin{pmatrix}1\\2\end{pmatrix}+3\begin{pmatrix}1\\1\end{pmatrix})"))  # type: ignore[arg-type]
    assert _values(found) == [[8], [10]]


def test_the_entries_of_a_vector_stand_in_a_row_or_a_column() -> None:
    row, column = _build(((1, 2),)), _build(((1,), (2,)))
    assert list_entries(row) == list_entries(column) == (to_num(1), to_num(2))
    assert list_entries(_build(((1, 2), (3, 4)))) is None
