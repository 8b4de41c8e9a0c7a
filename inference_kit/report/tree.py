"""The tree of one search, for the terminal: steps with their scores and visits, and the path that was chosen.

Promises: a model's text is shown as it is, without markup, and without characters that steer a terminal.
"""

from typing import TYPE_CHECKING

from inference_kit.records import Candidate, Problem, Solution, TreeNode

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

WIDTH = 70


def drawn_tree(problem: Problem, solution: Solution, chosen: int) -> "Tree":
    """Draw every node below the one it goes on from.

    Args:
        problem: What was solved.
        solution: With its tree.
        chosen: The place of the candidate that the vote took.
    """
    from rich.text import Text
    from rich.tree import Tree

    drawing = Tree(Text(f"problem {problem.index}: {_line(problem.question)}", style="bold"))
    path_of_choice = next((node.path for node in solution.tree if node.candidate == chosen), ())
    branches: dict[tuple[int, ...], Tree] = {(): drawing}
    for node in sorted(solution.tree, key=lambda each: each.path):
        above = next(node.path[:size] for size in range(len(node.path) - 1, -1, -1) if node.path[:size] in branches)
        on_path = node.path == path_of_choice[: len(node.path)]
        branches[node.path] = branches[above].add(_label(node, on_path))
    drawing.add(Text(_choice(solution.candidates[chosen]), style="bold green"))
    return drawing


def _label(node: TreeNode, on_path: bool) -> "Text":
    from rich.text import Text

    facts = [f"score {node.step_scores[-1]:.2f}"] if node.step_scores else []
    facts += [f"{name} {value:.4g}" for name, value in node.notes.items()]
    facts += ["candidate"] if node.candidate >= 0 else []
    facts += ["cut off"] if node.finish_reason == "length" else []
    label = Text(_line(node.text), style="green" if on_path else "")
    return label.append(f"  [{', '.join(facts)}]", style="dim") if facts else label


def _choice(candidate: Candidate) -> str:
    score = "" if candidate.score is None else f", score {candidate.score:.2f}"
    return f"chosen: {_line(candidate.answer or 'no answer')}{score}"


def _line(text: str) -> str:
    """One line of printable text, shortened."""
    line = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(line.split())
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
