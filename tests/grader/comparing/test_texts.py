"""The convention for each kind of answer: what counts as equal, what does not, and how it was decided."""

import pytest

from inference_kit.grader import GraderPool, equal, grade, math_equal, math_similarity
from inference_kit.grader.comparing.texts import compare_texts
from inference_kit.grader.verdicts import UNKNOWN

EQUAL = {
    "numbers": r"""
        1234 | 1,234
        7 | 07
        -7 | −7
        123456789012345678901234567890 | 123456789012345678901234567890.0
        \frac12 | 0.5
        \frac123 | \frac32
        1/2/3 | 1/6
        2\frac34 | 11/4
        5 3/8 | 43/8
        1.5\times 10^{-3} | 0.0015
        1.6e-19 | 1.6 \times 10^{-19}
        5000000 | 5 million
        12 | twelve
        21 | twenty-one
        \frac12 | ½
        42 | ４２
    """,
    "percent, money, units, degrees": r"""
        50\% | 0.5
        50\% | 50
        28\% | 28 percent
        33\frac13\% | \frac13
        \$1,000.00 | 1000
        €10 | 10
        5\text{ cm} | 5
        5\text{ cm}^2 | 5 square centimeters
        60\text{ mph} | 60
        9.8\ \mathrm{m/s^2} | 9.8
        3 | 3 cups of flour
        90^\circ | 90
        90^\circ | 90 degrees
        5平方厘米 | 5
        15th | 15
    """,
    "repeating decimals, bases, ratios, times": r"""
        0.\overline{3} | \frac13
        0.1\overline{6} | 1/6
        0.\dot{3} | 1/3
        2516_8 | 2516_{\text{8}}
        101_2 | 101
        3:2 | 3\colon 2
        6:4 | 3:2
        4:30 p.m. | 4:30\text{ PM}
        July 4 | July 4
    """,
    "surds, logarithms, angles, complex numbers": r"""
        2\sqrt2 | \sqrt8
        √2 | 2^{1/2}
        \sqrt[3]{-8} | -2
        \frac1{\sqrt2} | \frac{\sqrt2}2
        \log_2 3 | \frac{\log 3}{\log 2}
        \ln 6 | \ln 2+\ln 3
        \cos 60^\circ | 0.5
        \cos 2x | 2\cos^2 x-1
        \arcsin x | \sin^{-1} x
        \sqrt{5+2\sqrt6} | \sqrt2+\sqrt3
        e^{i\pi} | -1
        (1+i)^2 | 2i
        4.123105625617661 | \sqrt{17}
    """,
    "combinatorics and large numbers": r"""
        \binom52 | 10
        \frac{10!}{3!7!} | \binom{10}{3}
        2^{2024} | 4^{1012}
        20!-1 | 2432902008176639999
        \gcd(18,3) | 3
        \lfloor 3.7\rfloor | 3
        \sum_{k=1}^{n}k | \frac{n(n+1)}2
    """,
    "polynomials and functions": r"""
        (x+1)^2 | x^2+2x+1
        3x^2y | 3yx^2
        2^{n+1} | 2\cdot 2^n
        \frac{x+2}7 | \frac x7+\frac27
        x² + 1 | x^2+1
        f(x)=x^2 | x^2
        3-2f(x) | -2f(x)+3
        x_1+x_2 | x_2+x_1
    """,
    "equations": r"""
        x=5 | 5
        x=2+3=5 | 5
        P(A)=\frac12 | \frac12
        |AB|=12 | 12
        y=2x+1 | 2x+1=y
        x-5=0 | x=5
        \frac{x^2}4+\frac{y^2}9=1 | 9x^2+4y^2=36
        \sqrt7\approx 2.65 | \sqrt7
        (x,y)=(1,2) | (1,2)
        a=1,b=2 | b=2, a=1
    """,
    "sets, lists, tuples": r"""
        1,2 | 2,1
        \{1,2\} | 1\text{ and }2
        x=1\text{ or }x=2 | 1,2
        \{1,1,2\} | \{1,2\}
        \pm 2 | \{-2,2\}
        1\pm\sqrt2 | 1-\sqrt2,1+\sqrt2
        (1,2),(3,4) | (3,4) and (1,2)
        (1,2) | （1，2）
        \emptyset | no solution
    """,
    "intervals and inequalities": r"""
        (2,\infty) | x>2
        [1,2] | 1\le x\le 2
        x>5 | 2x>10
        x<1 | -x>-1
        (-\infty,0)\cup(0,\infty) | x\ne 0
        x<-1\text{ or }x>1 | (-\infty,-1)\cup(1,\infty)
        1<x\text{ and }x<3 | (1,3)
        [1,2]\cup[2,3] | [1,3]
        \mathbb{R}\setminus\{0\} | x\ne 0
        \{x\mid x>0\} | (0,\infty)
        [0,1)\cap[1,2] | \emptyset
        2|x|<6 | |x|<3
    """,
    "matrices and vectors": r"""
        \begin{pmatrix}1&2\\3&4\end{pmatrix} | \left[\begin{array}{cc}1&2\\3&4\\\end{array}\right]
        2\begin{pmatrix}1&2\\3&4\end{pmatrix} | \begin{pmatrix}2&4\\6&8\end{pmatrix}
        \begin{vmatrix}1&2\\3&4\end{vmatrix} | -2
        \begin{pmatrix}1\\2\end{pmatrix} | (1,2)
    """,
    "texts and choices": r"""
        Yes | \text{yes}
        \text{right angle} | right  angle
        \text{(C)} | C
    """,
}
DIFFERENT = {
    "numbers": r"""
        1234567890123456789012345678901 | 1234567890123456789012345678902
        9007199254740993 | 9007199254740992
        12345 | 12346
        \frac13 | 0.333
        \pi | 3.14
        0.99999 | 1
        0.5 | 50
        10^{-12} | 0
        \frac1{2^{99}} | \frac1{2^{98}}
        2^{100}+1 | 2^{100}
        1\frac12 | \frac12
        4 3 | 43
        1 | l
    """,
    "units, bases, times, ratios": r"""
        50\% | 5
        5\text{ cm} | 6\text{ cm}
        5\text{ cm} | 5\text{ m}
        101_2 | 101_3
        12:00 | 1:00
        4:30 p.m. | 4:30 a.m.
        1:2 | 2:1
    """,
    "expressions": r"""
        \sqrt2 | 2
        \sqrt[3]2 | 3\sqrt2
        2x+1 | 2x-1
        (x+1)^2 | x^2+1
        \sin 1 | \sin 1^\circ
        \sqrt{x^2} | x
        2\pi | 6.28
        1+2i | 1-2i
    """,
    "structures": r"""
        (1,2) | (2,1)
        [1,2) | [1,2]
        [1,2) | (1,2]
        x>5 | x\ge 5
        2x=4 | 4
        7=11a+c | 11a+c
        1,2,3 | 1,2
        \pm 2 | 2
        x\ne 3 | x=3
        2|x|<6 | x<3
        \lfloor x\rfloor>2 | x>2
        a=1,b=2 | a=2,b=1
        \begin{pmatrix}1&2\\3&4\end{pmatrix} | \begin{pmatrix}1&3\\2&4\end{pmatrix}
        \{0\} | \emptyset
        no solution | 0
        A | B
        \text{odd} | \text{even}
        (1,234) | 1234
    """,
}


def _pairs(table: dict[str, str]) -> list[tuple[str, str]]:
    return [
        (a.strip(), b.strip())
        for block in table.values()
        for a, _, b in (line.partition(" | ") for line in block.strip().splitlines())
    ]


@pytest.mark.parametrize(("a", "b"), _pairs(EQUAL))
def test_equal_by_convention_in_either_direction(pool: GraderPool, a: str, b: str) -> None:
    """MAIN-66: one documented convention for each kind of answer."""
    assert pool.equal(a, b)
    assert pool.equal(b, a)


@pytest.mark.parametrize(("a", "b"), _pairs(DIFFERENT))
def test_different_by_convention_in_either_direction(pool: GraderPool, a: str, b: str) -> None:
    assert not pool.equal(a, b)
    assert not pool.equal(b, a)


@pytest.mark.parametrize(
    ("gold", "answer", "method"),
    [
        ("42", "42", "string"),
        ("42", "42.0", "number"),
        (r"\{1,2\}", "2,1", "set"),
        ("(1,2)", "(1,3)", "tuple"),
        ("x>1", r"(1,\infty)", "relation"),
        (r"\text{red}", r"\text{blue}", "text"),
        ("x^2-1", "(x-1)(x+1)", "symbolic"),
    ],
)
def test_a_verdict_names_how_it_was_decided(gold: str, answer: str, method: str) -> None:
    assert compare_texts(gold, answer, "math").method == method


def test_only_a_proof_is_left_to_a_worker() -> None:
    """Sums, fractions, powers and square roots are proved here; an identity of angles is not."""
    assert compare_texts(r"(2+\sqrt3)^2", r"7+4\sqrt3", "math").equal
    assert compare_texts(r"\cos 2x", r"1-2\sin^2 x", "math").verdict is UNKNOWN


def test_the_kind_decides_what_is_compared() -> None:
    assert equal("The Eiffel Tower", "eiffel tower.", "text")
    assert not equal("1/2", "0.5", "text")
    assert equal("(b)", "B", "choice")
    assert not equal("A", "B", "choice")


def test_a_gold_answer_may_be_a_list_of_acceptable_ones() -> None:
    assert grade(["1", "2"], r"\boxed{2}").correct
    assert not grade(["1", "2"], r"\boxed{3}").correct


def test_scripts_have_two_functions_of_their_own() -> None:
    assert math_equal(r"\frac{1}{2}", "0.5")
    assert math_similarity(r"\frac{1}{2}", "0.5") == 1.0
    assert 0 < math_similarity("x^2+1", "x^2+2") < 1
