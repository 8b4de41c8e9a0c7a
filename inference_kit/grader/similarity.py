"""Measure how alike two answers are, from 0 to 1: by the tree edit distance between their expressions.

Why: equality says nothing about how near a wrong answer is; a run can report how its wrong answers move.
Promises: 1 for the same tree, 0 where one of the two does not parse; symmetric; bounded by the size of the trees.
Source: Zhang and Shasha 1989, "Simple fast algorithms for the editing distance between trees and related problems".
"""

from collections import Counter
from collections.abc import Sequence

from inference_kit.grader.reading.parse import parse
from inference_kit.grader.values import (
    Apply,
    Based,
    Bracketed,
    Measure,
    Num,
    Relation,
    Sym,
    Text,
    Unparsed,
    Value,
    list_parts,
)
from inference_kit.records import AnswerKind

MOST_NODES = 60
"""Of larger trees only the labels are compared: the distance takes the fourth power of their size."""

UNORDERED = frozenset({"add", "mul"})


def measure_similarity(golds: Sequence[str], answer: str | None, kind: AnswerKind, *, correct: bool) -> float:
    """Measure how like the gold answer an answer is that has been graded.

    Returns:
        1 for a correct one; for a wrong mathematical one its similarity to the nearest gold answer; else 0.
    """
    if correct or answer is None or kind not in ("math", "number"):
        return float(correct)
    return max((similarity(gold, answer) for gold in golds), default=0.0)


def similarity(a: str, b: str) -> float:
    """Measure how alike two answers are: 1 - edits / (nodes of both); an edit inserts, removes or renames a node."""
    first, second = parse(a), parse(b)
    if isinstance(first, Unparsed | Text) or isinstance(second, Unparsed | Text):
        return 1.0 if first == second and isinstance(first, Text) else 0.0
    trees = _Tree(first), _Tree(second)
    nodes = len(trees[0]) + len(trees[1])
    if max(map(len, trees)) > MOST_NODES:
        shared = Counter(trees[0].labels) & Counter(trees[1].labels)
        return 2 * shared.total() / nodes
    return 1.0 - _measure_distance(*trees) / nodes


class _Tree:
    """A tree in postorder: the label of each node, and the first leaf below it."""

    def __init__(self, value: Value) -> None:
        self.labels: list[str] = []
        self.first_leaf: list[int] = []
        self._add(value)

    def __len__(self) -> int:
        return len(self.labels)

    def _add(self, value: Value) -> int:
        parts = list_parts(value)
        if isinstance(value, Apply) and value.head in UNORDERED:
            parts = tuple(sorted(parts, key=repr))
        leaves = [self._add(part) for part in parts]
        leaf = leaves[0] if leaves else len(self.labels)
        self.labels.append(_name(value))
        self.first_leaf.append(leaf)
        return leaf

    @property
    def key_roots(self) -> list[int]:
        """The highest node of each first leaf: the subtrees whose distances Zhang and Shasha compute in this order."""
        return sorted({leaf: node for node, leaf in enumerate(self.first_leaf)}.values())


def _measure_distance(a: _Tree, b: _Tree) -> int:
    distances = [[0] * len(b) for _ in range(len(a))]
    for i in a.key_roots:
        for j in b.key_roots:
            _fill_distances(a, b, i, j, distances)
    return distances[-1][-1]


def _fill_distances(a: _Tree, b: _Tree, i: int, j: int, distances: list[list[int]]) -> None:
    """Compute the distances of all pairs of subtrees whose first leaves are those of i and j.

    `forest[row][column]` is the distance of the first `row` nodes from the first leaf of i on and the first `column`
    from that of j on: the least of removing a node, of inserting one, and of keeping or renaming both.
    """
    start_a, start_b = a.first_leaf[i], b.first_leaf[j]
    rows, columns = i - start_a + 2, j - start_b + 2
    forest = [[row + column if not row or not column else 0 for column in range(columns)] for row in range(rows)]
    for row in range(1, rows):
        for column in range(1, columns):
            x, y = start_a + row - 1, start_b + column - 1
            least = 1 + min(forest[row - 1][column], forest[row][column - 1])
            if a.first_leaf[x] == start_a and b.first_leaf[y] == start_b:
                forest[row][column] = min(least, forest[row - 1][column - 1] + (a.labels[x] != b.labels[y]))
                distances[x][y] = forest[row][column]
            else:  # both subtrees are whole: what is before them, and their own distance
                before = forest[a.first_leaf[x] - start_a][b.first_leaf[y] - start_b]
                forest[row][column] = min(least, before + distances[x][y])


def _name(value: Value) -> str:
    """Return what a node is, without what is below it."""
    match value:
        case Num(amount):
            return str(amount) if amount.numerator.bit_length() + amount.denominator.bit_length() < 4000 else "large"
        case Sym(name):
            return name
        case Apply(head, _):
            return head
        case Bracketed(opening, _, closing):
            return opening + closing
        case Relation(signs, _):
            return " ".join(signs)
        case Measure(_, unit):
            return unit
        case Based(digits, base):
            return f"{digits}_{base}"
    return type(value).__name__
