"""A list or set holds the same members however it is written."""

import pytest

from inference_kit.grader.comparing.members import list_members, spread_signs
from inference_kit.grader.reading.latex import parse_latex


@pytest.mark.parametrize(
    ("text", "members"),
    [
        (r"\{1,2\}", ["1", "2"]),
        ("1,2", ["1", "2"]),
        (r"1\text{ and }2", ["1", "2"]),
        (r"x\in\{1,2\}", ["1", "2"]),
        (r"S=\{1,2\}", ["1", "2"]),
        (r"x=1\text{ or }x=2", ["x=1", "x=2"]),
        (r"\pm 2", ["2", "-2"]),
        (r"1, \pm 2", ["1", "2", "-2"]),
        ("1,2;3,4", ["1", "2", "3", "4"]),
        ("x=1,y=2;x=3,y=4", ["(1,2)", "(3,4)"]),  # two solutions, not four numbers
        ("5", ["5"]),
        ("(1,2)", ["(1,2)"]),
        (r"\{\}", []),
    ],
)
def test_the_members_of_a_value(text: str, members: list[str]) -> None:
    assert list(list_members(parse_latex(text))) == [parse_latex(member) for member in members]


@pytest.mark.parametrize(
    ("text", "plus", "minus"),
    [
        (r"\pm 2", "2", "-2"),
        (r"1\pm\sqrt2", r"1+\sqrt2", r"1+(-\sqrt2)"),
        (r"1\mp 2", "1+(-2)", "1+2"),
        (r"\pm 1\mp 2", "1+(-2)", "-1+2"),  # the signs belong together: two values, not four
        (r"x=\pm 2", "2", "-2"),
        (r"\frac{1\pm 3}{2}", r"\frac{1+3}{2}", r"\frac{1+(-3)}{2}"),
    ],
)
def test_plus_minus_signs_are_all_plus_or_all_minus(text: str, plus: str, minus: str) -> None:
    assert spread_signs(parse_latex(text)) == [parse_latex(plus), parse_latex(minus)]


@pytest.mark.parametrize("text", ["2", "1,2", r"\{\pm 2\}", "x=2", r"2x\pm 1=0", "x>2"])
def test_what_has_no_signs_of_its_own_is_not_spread(text: str) -> None:
    assert spread_signs(parse_latex(text)) is None
