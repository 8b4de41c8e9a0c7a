"""Matrices: sums, multiples and determinants, worked out entry by entry.

Why: `2 [[1, 0], [0, 1]]` and `[[2, 0], [0, 2]]` are one matrix, and small determinants are numbers.
Promises: entries stay expressions, nothing is evaluated; only small determinants are expanded.
"""

from collections.abc import Callable, Sequence
from itertools import permutations

from inference_kit.grader.values import Apply, Bracketed, Matrix, Value, is_expression, negate

LARGEST_DETERMINANT = 5


def fold_matrices(value: Apply) -> Value:
    """Work out sums, multiples and determinants of matrices; return any other operation as it is."""
    args = [fold_matrices(argument) if isinstance(argument, Apply) else argument for argument in value.args]
    matrices = [argument for argument in args if isinstance(argument, Matrix)]
    if not matrices:
        return value
    if value.head == "det" and 0 < len(matrices[0].rows) == len(matrices[0].rows[0]) <= LARGEST_DETERMINANT:
        return _expand_determinant(matrices[0].rows)
    if value.head == "neg":
        return _change_entries(matrices[0], negate)
    if value.head == "mul" and len(matrices) == 1:
        factors = [argument for argument in args if not isinstance(argument, Matrix)]
        return _change_entries(matrices[0], lambda entry: Apply("mul", (*factors, entry)))
    if value.head == "div" and isinstance(args[0], Matrix) and len(matrices) == 1:
        return _change_entries(matrices[0], lambda entry: Apply("div", (entry, args[1])))
    if value.head == "add" and len(matrices) == len(args) and len(set(map(_measure_rows, matrices))) == 1:
        return _add(matrices)
    return value


def fold_tuple(value: Value) -> Value:
    """Work out a multiple of a tuple, `2(1, 3)`; return any other value as it is."""
    match value:
        case Apply("mul" | "neg", args):
            vectors = [argument for argument in args if isinstance(argument, Bracketed)]
            factors = [argument for argument in args if is_expression(argument)]
            if len(vectors) == 1 and len(factors) == len(args) - 1 and vectors[0].opening in "(<":
                opening, items, closing = vectors[0].opening, vectors[0].items, vectors[0].closing
                return Bracketed(
                    opening,
                    tuple(negate(item) if value.head == "neg" else Apply("mul", (*factors, item)) for item in items),
                    closing,
                )
    return value


def _measure_rows(matrix: Matrix) -> tuple[int, ...]:
    return tuple(map(len, matrix.rows))


def _add(matrices: Sequence[Matrix]) -> Matrix:
    rows = zip(*(matrix.rows for matrix in matrices), strict=True)
    return Matrix(tuple(tuple(Apply("add", entries) for entries in zip(*row, strict=True)) for row in rows))


def _change_entries(matrix: Matrix, change: Callable[[Value], Value]) -> Matrix:
    return Matrix(tuple(tuple(change(entry) for entry in row) for row in matrix.rows))


def _expand_determinant(rows: tuple[tuple[Value, ...], ...]) -> Value:
    """Expand by Leibniz' formula: over all permutations, the product of a[i, p(i)] with the sign of p."""
    terms: list[Value] = []
    for order in permutations(range(len(rows))):
        inversions = sum(order[i] > order[j] for i in range(len(order)) for j in range(i + 1, len(order)))
        term = Apply("mul", tuple(row[column] for row, column in zip(rows, order, strict=True)))
        terms.append(negate(term) if inversions % 2 else term)
    return Apply("add", tuple(terms))


def list_entries(matrix: Matrix) -> tuple[Value, ...] | None:
    """List the entries of a matrix of one row or one column, None of another one."""
    if len(matrix.rows) == 1:
        return matrix.rows[0]
    return tuple(row[0] for row in matrix.rows) if all(len(row) == 1 for row in matrix.rows) else None
