"""The answer is found however it is marked, and by the strict rule the last one counts."""

import pytest

from inference_kit.grader import GraderPool, extract, grade
from inference_kit.grader.finding.boxes import find_boxes
from inference_kit.grader.finding.extract import find_candidates


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"So $x = \boxed{42}$.", "42"),
        (r"\boxed{\frac{1}{2}} and then \boxed{\frac{3}{4}}", r"\frac{3}{4}"),
        (r"\boxed{\left\{1,2\right\}}", r"\left\{1,2\right\}"),
        (r"\fbox{7}", "7"),
        (r"\boxed 3", "3"),
        (r"}}}} \boxed{5}", "5"),
        (r"we have \boxed{42", "42"),
        (r"$\boxed{42$ and so on", "42"),
        (r"\boxed{1}, \boxed{2} and \boxed{3}", "1, 2, 3"),
        ("6*7=42\n#### 42", "42"),
        ("#### $1,234", "$1,234"),
        ("The answer is 42.", "42"),
        ("The answer is 3.14.", "3.14"),
        ("The final answer is $x^2$. I hope it is correct.", "x^2"),
        ("**Final Answer:** 42", "42"),
        ("### Final answer\n\n$$42$$", "42"),
        ("ANSWER: 42", "42"),
        ("Working...\nA: 18", "18"),
        ("答案是42。", "42"),
        ("Ответ: 42", "42"),
        ("La respuesta es 42.", "42"),
        ("Die Antwort ist 42.", "42"),
        ("Therefore, there are 42 ways.", "42"),
        (r"Hence the total is $6 \cdot 7 = 42$.", "42"),
        ("So she pays $10,455 in all", "$10,455"),
        (r"\frac{1}{2}", r"\frac{1}{2}"),
        ("(a, b)", "(a, b)"),
        ("3 apples", "3 apples"),
        ("The curve is a hyperbola.", "a hyperbola"),
        ("So x = -6 and x = 5.", "x = -6, x = 5"),
        ("Therefore the lines meet at (4, -1).", "(4, -1)"),
        ("所以还剩下 **12米**。", "12"),
        ('{"steps": [7, 9], "answer": 63}', "63"),
        (r"\boxed{\text{Area: } 72 \text{ cm}}", "72 cm"),
        ("<think>\\boxed{1}</think> The answer is 2.", "2"),
        ("<think>The answer is 2.</think>", "2"),
        ("The answer is 7.<|im_start|>user 8", "7"),
    ],
)
def test_the_strict_answer(response: str, answer: str) -> None:
    """MAIN-68: every usual way of marking an answer is found."""
    assert extract(response) == answer


@pytest.mark.parametrize("response", ["", "   ", "I don't know.", r"\boxed{}", "No idea at all, sorry about that."])
def test_a_response_without_an_answer(response: str) -> None:
    assert not grade("42", response).correct


@pytest.mark.parametrize(
    ("response", "letter"),
    [
        ("The answer is (C).", "C"),
        ("ANSWER: C", "C"),
        (r"\boxed{\text{C}}", "C"),
        (r"$\boxed{\textbf{(C) } 12}$", "C"),
        ("C. 42", "C"),
        ("【C】", "C"),
        ("The correct option is C", "C"),
        ("故选C.", "C"),
        ("It's not A because that is odd, therefore I think it's C", "C"),
        ("The answer is for sure C, it can't be A or B", "C"),
        ("a longer text that ends in: seven", None),
        ("No valid answer here", None),
    ],
)
def test_the_letter_of_a_choice(response: str, letter: str | None) -> None:
    assert extract(response, "choice") == letter


def test_the_words_of_an_option_name_its_letter() -> None:
    assert extract("The answer is Paris.", "choice", ("London", "Paris", "Rome")) == "B"
    assert grade("B", r"\boxed{Paris}", kind="choice", choices=("London", "Paris")).correct
    assert not grade("A", r"\boxed{Paris}", kind="choice", choices=("London", "Paris")).correct


def test_any_box_may_be_right_by_the_lenient_rule_and_only_the_last_by_the_strict_one() -> None:
    """MAIN-68: both verdicts are there, whichever is asked for."""
    response = r"First \boxed{5}, no, it is \boxed{6}."
    lenient = grade("5", response)
    assert lenient.correct and not lenient.strict and lenient.extracted == "5"
    assert not grade("5", response, strict=True).correct
    assert grade("6", response, strict=True).correct


def test_boxes_side_by_side_are_one_list() -> None:
    assert find_boxes(r"$\boxed{1}$ and $\boxed{2}$") == ["1", "2", "1, 2"]
    assert grade(r"\{1,2\}", r"$\boxed{1}$, $\boxed{2}$").strict


def test_a_statement_after_the_last_box_is_one_more_candidate() -> None:
    assert find_candidates(r"\boxed{255} per year. The final answer is 10,455.") == ["10,455", "255"]


def test_a_gold_answer_equals_itself_even_where_it_is_a_paragraph(pool: GraderPool) -> None:
    essay = "We invert both sides. Therefore $A=BC^{-1}-B$.\n\nTo solve for $B$, note that $B=A(C^{-1}-I)^{-1}$."
    assert pool.grade(essay, essay).correct
