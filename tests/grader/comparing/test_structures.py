"""Each kind of answer has its convention, with its near misses: what is compared by which rule, without a worker."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference_kit.grader.comparing.structures import compare_values
from inference_kit.grader.proving.equality import Claim
from inference_kit.grader.reading.parse import parse
from inference_kit.grader.values import Value
from inference_kit.grader.verdicts import NO, UNKNOWN, YES, Verdict

RELAXED = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))

TABLE: dict[str, str] = {
    "measures": r"""
        5\text{ cm} = 5
        5\text{ cm} = 5\text{ centimeters}
        5\text{ cm} # 5\text{ m}
        5\text{ cm} # 6\text{ cm}
        5\text{ cm} = 5\text{ widgets}
        3.5\text{ m} = 3.5m
        5\text{ cm} # x
        5\text{ cm} # right angle
    """,
    "percent and degrees": r"""
        50\% = 50
        50\% = \frac12
        50\% = 50\%
        50\% # 0.5\%
        50\% # 5
        90^\circ = 90
        90^\circ = \frac{\pi}{2}
        90^\circ # 100
        90^\circ # 9^\circ
    """,
    "words": r"""
        right angle = Right Angle
        right angle # right angles
        no = \text{no}
        no # yes
        twelve = 12
        twelve # 13
        8:34 p.m. = 20:34
        8:34 p.m. # 8:34 a.m.
        8:05 a.m. = 8:05
        red car # 5
        red car # (1,2)
    """,
    "plus-minus": r"""
        \pm 2 = 2,-2
        \pm 2 = \{-2,2\}
        \pm 2 # 2
        \pm 2 # 2,-3
        1\pm\sqrt2 = 1-\sqrt2, 1+\sqrt2
        \pm 1\pm 2 = 3,-3
        1\mp 2 = 3,-1
        x=\pm 2 = 2,-2
        x=\pm 2 # x=2
    """,
    "relations": r"""
        x=5 = 5
        5=x = 5
        x=5 # 6
        x=5 # y=5
        X=5 = x=5
        x_1=5 # x_2=5
        2x=4 # 4
        2x=4 = x=2
        2x=4 # x=3
        y=2x+1 = y-2x-1=0
        y=2x+1 = 2y-4x=2
        y=2x+1 # y=2x-1
        x+y=1 # x-y=1
        y=2x = f(x)=2x
        P(A)=\frac12 = \frac12
        2+3=5 = 5
        2+3=5 # 6
        a+b>c = c<a+b
        a+b>c = 2a+2b>2c
        a+b>c # a+b<c
        a+b>c # a+b\ge c
        -a-b>-c # a+b>c
        a\ne b = b\ne a
        a<b<c = c>b>a
        a<b<c # a<c<b
        A\subset B = A\subset B
        A\subset B # A\subset C
        a\equiv b = b\equiv a
        x>2 = (2,\infty)
        x>2 # [2,\infty)
        x>2 # 2
        x^2>4 # 4
    """,
    "sets of reals": r"""
        [1,2]\cup[2,3] = [1,3]
        [1,2)\cup(2,3] # [1,3]
        (1,3)\cap(2,4) = (2,3)
        [0,1)\cap[1,2] = \emptyset
        \mathbb{R}\setminus\{0\} = x\ne 0
        \mathbb{R}\setminus\{0\} # \mathbb{R}
        \{x\mid x>2\} = (2,\infty)
        \{x\mid x>2\} # \{x\mid x<2\}
        \{t\mid t>2\} = (2,\infty)
        \{x\mid x^2>2\} = \{x\mid x^2>2\}
        x<1\text{ and }x>0 = (0,1)
        x<0\text{ or }x>1 = (-\infty,0)\cup(1,\infty)
        x<0\text{ and }x>1 = (-\infty,0)\cup(1,\infty)
        x<0\text{ or }y>1 # (-\infty,0)\cup(1,\infty)
        [a,b]\cup[c,d] = [c,d]\cup[a,b]
        [a,b]\cup[c,d] # [a,b]\cup[c,e]
        [a,b]\cap[c,d] = [a,b]\cap[c,d]
        x\in\{1\} = 1
        \mathbb{Z} # \mathbb{N}
        \mathbb{R} = (-\infty,\infty)
    """,
    "matrices": r"""
        \begin{pmatrix}1&2\\3&4\end{pmatrix} = \begin{bmatrix}1&2\\3&4\end{bmatrix}
        \begin{pmatrix}1&2\\3&4\end{pmatrix} # \begin{pmatrix}1&3\\2&4\end{pmatrix}
        \begin{pmatrix}1&2\\3&4\end{pmatrix} # \begin{pmatrix}1&2\end{pmatrix}
        \begin{pmatrix}1\\2\end{pmatrix} = (1,2)
        \begin{pmatrix}1\\2\end{pmatrix} # (2,1)
        \begin{pmatrix}1\\2\end{pmatrix} # (1,2,3)
        \begin{pmatrix}1\\2\end{pmatrix} # \begin{pmatrix}1&2\end{pmatrix}
        \begin{pmatrix}1&2\\3&4\end{pmatrix} # (1,2,3,4)
        2\begin{pmatrix}1\\2\end{pmatrix} = \begin{pmatrix}2\\4\end{pmatrix}
        \begin{pmatrix}1\\2\end{pmatrix} # 5
    """,
    "bases": r"""
        101_2 = 101_2
        101_2 = 0101_2
        101_2 # 101_3
        101_2 = 101
        101_2 = 5
        101_2 # 6
        101_2 # x
    """,
    "ratios": r"""
        3:2 = 3:2
        3:2 = 6:4
        3:2 = \frac32
        3:2 # 2:3
        3:2 # \frac23
        1:2:3 = 2:4:6
        1:2:3 # 1:2
        1:2:3 # 6
        12:00 # 1:00
        0:30 # 0:45
        a:b = a:b
    """,
    "lists and sets": r"""
        1,2 = 2,1
        1,2 = \{2,1\}
        1,2 = 1\text{ and }2
        1,2 # 1,3
        1,2 # 1
        1,1 = 1
        1,2 = (1,2)
        1,2 # (2,1)
        \{1,2\} # (1,2)
        x=1,y=2 = (1,2)
        x=1,y=2 = y=2,x=1
        x=1,y=2 # x=2,y=1
        x=1\text{ or }x=2 = 1,2
        \emptyset = \{\}
        \emptyset # \{0\}
        \{1\} = 1
        \{\frac12\} = 0.5
        2+2=4, 4+4=8 = 8
    """,
    "brackets": r"""
        (1,2) = (1,2)
        (1,2) # (2,1)
        (1,2) # [1,2]
        [1,2) # (1,2]
        (1,2,3) = [1,2,3]
        (1,2,3) # (1,2)
        \langle 1,2\rangle = (1,2)
        (5) = 5
        (1,\frac12) = (1,0.5)
        (1,2) # 3
    """,
    "expressions": r"""
        \frac12 = 0.5
        x+1 = 1+x
        x+1 # x+2
        (x+1)^2 = x^2+2x+1
        \sin^2 x ? 1-\cos^2 x
        \infty = \infty
        \infty # -\infty
        A\cup B # A
        f(x)=x^2 = x^2
    """,
    "structures with unknown parts": r"""
        (\cos 2x, 1) ? (1-2\sin^2 x, 1)
        (\cos 2x, 1) # (1-2\sin^2 x, 2)
        \cos 2x, 1 ? 1, 1-2\sin^2 x
        \cos 2x, 1 # 2, 1-2\sin^2 x
        y=\cos 2x ? y=1-2\sin^2 x
        \{\cos 2x\} ? 1-2\sin^2 x
        \begin{pmatrix}\cos 2x\\1\end{pmatrix} ? \begin{pmatrix}1-2\sin^2 x\\1\end{pmatrix}
        (\cos 2x):1 ? (1-2\sin^2 x):1
    """,
    "unparsed": r"""
        \unknown{x} ? \unheard{x}
        \unknown{x} ? 5
        \unknown{x} # right angle
        \unknown{} # 5
    """,
}
VERDICTS = {"=": YES, "#": NO, "?": UNKNOWN}


def _rows() -> list[tuple[str, str, str, Verdict]]:
    found = []
    for name, block in TABLE.items():
        for line in block.strip().splitlines():
            sign = next(sign for sign in "#?=" if f" {sign} " in line)
            a, _, b = line.strip().rpartition(f" {sign} ")
            found.append((name, a, b, VERDICTS[sign]))
    return found


def _nobody_knows(a: Value, b: Value, claim: Claim) -> Verdict:
    return UNKNOWN


def _compare(a: str, b: str) -> Verdict:
    return compare_values(parse(a), parse(b), _nobody_knows)


@pytest.mark.parametrize("name", TABLE)
def test_values_are_compared_by_what_they_are(name: str) -> None:
    wrong = [
        (a, b, verdict.value)
        for kind, a, b, verdict in _rows()
        if kind == name and not (_compare(a, b) is _compare(b, a) is verdict)
    ]
    assert wrong == []


@pytest.mark.parametrize("a", sorted({text for _, a, b, _ in _rows() for text in (a, b)}))
def test_every_value_is_the_same_as_itself(a: str) -> None:
    assert _compare(a, f" {a} ") is YES


@RELAXED
@given(st.lists(st.sampled_from(sorted({text for _, a, b, _ in _rows() for text in (a, b)})), min_size=2, max_size=2))
def test_any_two_kinds_of_values_are_compared_alike_from_either_side(pair: list[str]) -> None:
    assert _compare(pair[0], pair[1]) is _compare(pair[1], pair[0])


def test_what_only_a_proof_can_tell_goes_to_the_one_who_proves() -> None:
    asked: list[Claim] = []

    def prove(a: Value, b: Value, claim: Claim) -> Verdict:
        asked.append(claim)
        return YES

    assert compare_values(parse(r"\cos 2x"), parse(r"1-2\sin^2 x"), prove) is YES
    assert compare_values(parse(r"10^{-12}a=10^{-12}b"), parse("a=b"), prove) is YES
    assert compare_values(parse(r"10^{-12}a>10^{-12}b"), parse("a>b"), prove) is YES
    assert asked == ["equal", "proportional", "positively proportional"]


def test_nothing_is_asked_where_a_rule_knows() -> None:
    def never(a: Value, b: Value, claim: Claim) -> Verdict:
        raise AssertionError(claim)

    for a, b in (("1/2", "0.5"), ("(1,2)", "(1,3)"), ("x>2", r"(2,\infty)"), ("x^2-1", "(x-1)(x+1)"), (r"\pi", "3")):
        compare_values(parse(a), parse(b), never)
