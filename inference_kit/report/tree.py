"""The tree of one search, for the terminal: steps with their scores and visits, while it grows and when it is whole.

Why: what a method does is seen at a glance in its tree, and where it goes wrong while it is still at work.
Promises: a model's text is shown as it is, without markup, and without characters that steer a terminal.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from inference_kit.records import Candidate, Problem, Solution, TreeNode
from inference_kit.records.events import (
    CandidateWhole,
    Event,
    NodeMerged,
    NodeNoted,
    NodeScored,
    NodeWritten,
    Piece,
    Solved,
)

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

WIDTH = 70
Path = tuple[int, ...]


def draw_tree(problem: Problem, solution: Solution, chosen: int) -> "Tree":
    """Draw every node below the one it goes on from.

    Args:
        problem: What was solved.
        solution: With its tree.
        chosen: The place of the candidate that the vote took.
    """
    from rich.text import Text

    path_of_choice = next((node.path for node in solution.tree if node.candidate == chosen), ())
    drawing = _draw(problem, solution.tree, path_of_choice)
    drawing.add(Text(_describe_choice(solution.candidates[chosen]), style="bold green"))
    return drawing


class GrowingTree:
    """The tree of a search that is watched; `rich` draws it as it is by then, also on a thread of its own.

    `solution` is there once the search is over.
    """

    def __init__(self, problem: Problem) -> None:
        self.solution: Solution | None = None
        self._problem = problem
        self._nodes: dict[Path, TreeNode] = {}
        self._candidates = 0

    def add(self, event: Event) -> None:
        """Take in what has happened."""
        match event:
            case Piece(path, text):
                node = self._nodes.get(path, TreeNode(path, "", "boundary"))
                self._nodes[path] = replace(node, text=node.text + text)
            case NodeWritten(node):
                self._nodes[node.path] = node
            case NodeMerged(path):
                del self._nodes[path]
            case NodeScored(path, step_scores):
                self._change(path, step_scores=step_scores)
            case NodeNoted(path, notes):
                self._change(path, notes=notes)
            case CandidateWhole(path):
                self._change(path, candidate=self._candidates)
                self._candidates += 1
            case Solved(solution):
                self.solution = solution

    @property
    def nodes(self) -> tuple[TreeNode, ...]:
        """The nodes so far, those too that are being written."""
        return tuple(self._nodes.values())

    def __rich__(self) -> "Tree":
        return _draw(self._problem, self.nodes)

    def _change(self, path: Path, **values: Any) -> None:
        """Change a node; the root of the tree, where the problem stands, has neither scores nor notes."""
        if path in self._nodes:
            self._nodes[path] = replace(self._nodes[path], **values)


def _draw(problem: Problem, nodes: Iterable[TreeNode], path_of_choice: Path = ()) -> "Tree":
    from rich.text import Text
    from rich.tree import Tree

    drawing = Tree(Text(f"problem {problem.index}: {_fit_line(problem.question)}", style="bold"))
    branches: dict[Path, Tree] = {(): drawing}
    for node in sorted(nodes, key=lambda each: each.path):
        above = next(node.path[:size] for size in range(len(node.path) - 1, -1, -1) if node.path[:size] in branches)
        on_path = node.path == path_of_choice[: len(node.path)]
        branches[node.path] = branches[above].add(_build_label(node, on_path))
    return drawing


def _build_label(node: TreeNode, on_path: bool) -> "Text":
    from rich.text import Text

    facts = [f"score {node.step_scores[-1]:.2f}"] if node.step_scores else []
    facts += [f"{name} {value:.4g}" for name, value in node.notes.items()]
    facts += ["candidate"] if node.candidate >= 0 else []
    facts += ["cut off"] if node.finish_reason == "length" else []
    label = Text(_fit_line(node.text), style="green" if on_path else "")
    return label.append(f"  [{', '.join(facts)}]", style="dim") if facts else label


def _describe_choice(candidate: Candidate) -> str:
    score = "" if candidate.score is None else f", score {candidate.score:.2f}"
    return f"chosen: {_fit_line(candidate.answer or 'no answer')}{score}"


def _fit_line(text: str) -> str:
    """Make one line of printable text, shortened."""
    line = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(line.split())
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
