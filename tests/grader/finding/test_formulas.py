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
        ("There are $9$ possible values of $x$.", "9"),
        ("So $x=3$. This value of $x$ fits.", "x=3"),
        ("So it is $x$.", "x"),
        ("Hence $36 - 19 = 17 = x$.", "17"),
        ("&= 6r + 24 - 6r = 24.", "24"),
        (r"&\equiv 9 \pmod{11}.", r"9 \pmod{11}"),
        ("Thus $x^2-4,$ and $x^2-1.$", "x^2-4, x^2-1"),
        ("so $-2 \\le x \\le 7$ and $x \\in [-2,7]$.", r"x \in [-2,7]"),
        ("The roots are x = 1 and x = 6.", "x = 1, x = 6"),
        ("We need x < 3 or x > 5.", r"x < 3 \text{ or } x > 5"),
        ("The values are 1, 2, 3.", "1, 2, 3"),
        ("In 2020, 35 people came.", "35"),
        ("34 is the sum of 14 and 20.", "20"),
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
