"""The drawing of a search tree, as text."""

from io import StringIO

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from inference_kit.records import Candidate, Message, Problem, Solution, TreeNode, Usage
from inference_kit.records.events import CandidateWhole, NodeMerged, NodeNoted, NodeScored, NodeWritten, Piece
from inference_kit.report.tree import GrowingTree, draw_tree

PROBLEM = Problem(7, (Message("user", "How many\nlegs?"),))


def shown(
    tree: tuple[TreeNode, ...], candidates: tuple[Candidate, ...], chosen: int = 0, *, colour: bool = False
) -> str:
    file = StringIO()
    console = Console(file=file, width=200, force_terminal=colour, color_system="standard" if colour else None)
    console.print(draw_tree(PROBLEM, Solution(candidates, Usage(), tree), chosen))
    return file.getvalue()


def test_steps_stand_below_one_another_with_scores_notes_and_ends() -> None:
    tree = (
        TreeNode((0,), "First\n\n", "boundary", step_scores=(0.25,), notes={"visits": 3.0, "value": 0.5}),
        TreeNode((0, 0), "So 4.", "stop", step_scores=(0.25, 0.75), candidate=0),
        TreeNode((1,), "Or not", "length", candidate=1),
    )
    drawing = shown(tree, (Candidate("First\n\nSo 4.", "4", score=0.75), Candidate("Or not", None)))
    assert drawing.splitlines() == [
        "problem 7: How many legs?",
        "├── First  [score 0.25, visits 3, value 0.5]",
        "│   └── So 4.  [score 0.75, candidate]",
        "├── Or not  [candidate, cut off]",
        "└── chosen: 4, score 0.75",
    ]
    assert shown(tree, (Candidate("", "4"), Candidate("Or not", None)), 1).endswith("chosen: no answer\n")


def test_the_chosen_path_is_green_and_no_other() -> None:
    tree = (
        TreeNode((0,), "left", "boundary"),
        TreeNode((0, 0), "leaf", "stop", candidate=0),
        TreeNode((1,), "right", "boundary"),
        TreeNode((1, 0), "end", "stop", candidate=1),
    )
    lines = shown(tree, (Candidate("left leaf", "1"), Candidate("right end", "2")), 1, colour=True).splitlines()
    green = [word for word in ("left", "leaf", "right", "end") if any(f"\x1b[32m{word}" in line for line in lines)]
    assert green == ["right", "end"]


def test_a_node_whose_parent_is_not_there_hangs_below_the_nearest_that_is() -> None:
    """Rewritten and further turns begin below a node of before."""
    drawing = shown(
        (TreeNode((0,), "a", "boundary"), TreeNode((0, 3, 1), "b", "stop", candidate=0)), (Candidate("", "1"),)
    )
    assert "├── a\n│   └── b" in drawing


@given(st.text(), st.text())
def test_whatever_a_model_writes_is_one_line_of_printable_text(step: str, answer: str) -> None:
    """Escapes, markup, direction marks and line breaks are text."""
    tree = (TreeNode((0,), step, "stop", candidate=0),)
    drawing = shown(tree, (Candidate(step, answer),))
    assert drawing.count("\n") == 3
    assert all(character.isprintable() or character == "\n" for character in drawing)


def test_markup_is_shown_and_not_obeyed() -> None:
    assert "[bold]x[/bold]" in shown(
        (TreeNode((0,), "[bold]x[/bold]", "stop", candidate=0),), (Candidate("", "[red]"),)
    )


def test_a_tree_is_drawn_while_it_grows() -> None:
    """What is being written, too; equal siblings become one, and notes and scores come when they are known."""
    tree = GrowingTree(PROBLEM)
    for event in (
        Piece((0,), "Fir"),
        Piece((1,), "Fir"),
        Piece((0,), "st"),
        NodeWritten(TreeNode((0,), "First\n\n", "boundary")),
        NodeWritten(TreeNode((1,), "First\n\n", "boundary")),
        NodeMerged((1,), (0,)),
        NodeScored((0,), (0.25,), 0.25),
        NodeNoted((), {"visits": 1.0}),
        NodeNoted((0,), {"visits": 1.0}),
        Piece((0, 0), "So"),
        NodeWritten(TreeNode((2,), "It is 4.", "stop")),
        CandidateWhole((2,), "It is 4.", "4"),
    ):
        tree.add(event)
    file = StringIO()
    Console(file=file, width=200).print(tree)
    assert file.getvalue().splitlines() == [
        "problem 7: How many legs?",
        "├── First  [score 0.25, visits 1]",
        "│   └── So",
        "└── It is 4.  [candidate]",
    ]
