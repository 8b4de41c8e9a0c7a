"""The last formula or number of a text, where nothing marks the answer."""

import pytest

from inference_kit.grader.finding.formulas import find_last_mathematics, take_right_side


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("There are 42 ways.", "42"),
        ("There are 12 boys and 42 girls.", "42"),
        ("She pays $1,250.50 in all.", "$1,250.50"),
        ("It is -3 degrees.", "-3"),
        ("We get $x^2$.", "x^2"),
        (r"We get \(x^2\).", "x^2"),
        ("We get\n$$x^2$$", "x^2"),
        (r"Thus $6\cdot 7=42$.", "42"),
        ("Thus $x=y=42$.", "42"),
        ("Thus $y=2x$.", "y=2x"),
        ("First 41. Then $42$. That is all.", "42"),
        ("About 35% of them.", "35%"),
        ("It takes 3/4 of it.", "3/4"),
        ("In $x$ there are 5.", "5"),
    ],
)
def test_the_last_mathematics_of_the_last_sentence_that_has_any(text: str, found: str) -> None:
    assert find_last_mathematics(text) == found


@pytest.mark.parametrize("text", ["", "Nothing here.", "x2y", "step1", "a_1", "$unclosed"])
def test_what_is_no_number_and_no_formula_is_not_found(text: str) -> None:
    assert find_last_mathematics(text) is None


@pytest.mark.parametrize(
    ("formula", "side"),
    [
        ("6*7=42", "42"),
        ("x=y=42", "42"),
        (r"\frac{1}{2}+\frac{1}{2}=1", "1"),
        ("y=2x", "y=2x"),
        ("2x=4", "2x=4"),
        ("42", "42"),
        ("6*7=", "6*7="),
        ("=42", "=42"),
    ],
)
def test_the_right_side_of_a_calculation_is_its_result_and_an_equation_stays_whole(formula: str, side: str) -> None:
    assert take_right_side(formula) == side
