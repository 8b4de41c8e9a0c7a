"""Equal forms have equal fingerprints; of forms that were computed completely, different ones have different."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_kit.grader.operations.residues import PRIME, take_square_root, to_residue
from inference_kit.grader.proving.prime_field import fingerprint
from inference_kit.grader.reading.latex import parse_latex

SMALL = st.integers(-99, 99)


def _agree(a: str, b: str) -> bool:
    pairs = [(fingerprint(parse_latex(a), seed), fingerprint(parse_latex(b), seed)) for seed in "ab"]
    assert all(first is not None and second is not None for first, second in pairs)
    return all(first.residue == second.residue for first, second in pairs if first and second)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("(x+1)^2", "x^2+2x+1"),
        ("(x-y)(x^2+xy+y^2)", "x^3-y^3"),
        (r"\frac{1}{n}-\frac{1}{n+1}", r"\frac{1}{n(n+1)}"),
        ("x^{-2}", r"\frac1{x^2}"),
        ("2^{2024}", "4^{1012}"),
        ("3^{n+2}", r"9\cdot 3^n"),
        ("x^{n-1}", "x^n/x"),
        (r"(2+\sqrt3)^2", r"7+4\sqrt3"),
        (r"\sqrt2\sqrt3", r"\sqrt6"),
        (r"\sqrt8", r"2\sqrt2"),
        (r"\frac{1}{\sqrt2}", r"\frac{\sqrt2}{2}"),
        (r"\sqrt{\frac34}", r"\frac{\sqrt3}{2}"),
        ("2^{1/2}", r"\sqrt2"),
        ("8^{3/2}", r"16\sqrt2"),
        (r"\sqrt{-4}", "2i"),
        ("(1+i)^2", "2i"),
        (r"\sin(2x)\cdot 2", r"2\sin(x+x)"),  # the same function of the same argument
        ("f(x+1)", "f(1+x)"),
        (r"50\%", r"\frac12"),
        ("5!", "120"),
        (r"\sqrt{1009}\sqrt{1009}", "1009"),
    ],
)
def test_equal_forms_have_equal_fingerprints(a: str, b: str) -> None:
    assert _agree(a, b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("(x+1)^2", "x^2+1"),
        ("(x-y)^3", "x^3-y^3"),
        ("2^{2024}", "4^{1012}+1"),
        ("3^{n+2}", "3^n+9"),
        ("3^{2n}", "3^n"),
        (r"\sqrt2+\sqrt3", r"\sqrt5"),
        (r"\sqrt8", r"3\sqrt2"),
        (r"\sqrt{1013}\sqrt{1013}", "1009"),
        ("1+2i", "1-2i"),
        ("f(x)", "f(y)"),
        ("f(x)", "g(x)"),
        (r"\sin x", r"\cos x"),
        ("x_1", "x_2"),
        (r"\pi", "3"),
    ],
)
def test_different_forms_have_different_fingerprints(a: str, b: str) -> None:
    assert not _agree(a, b)


@settings(max_examples=100, deadline=None)
@given(SMALL, SMALL, SMALL)
def test_expanding_changes_no_fingerprint_and_a_wrong_term_does(a: int, b: int, c: int) -> None:
    product = f"(x+({a}))(x+({b}))(y+({c}))"
    expanded = f"x^2y+({c})x^2+({a + b})xy+({(a + b) * c})x+({a * b})y+({a * b * c})"
    assert _agree(product, expanded)
    assert not _agree(product, f"{expanded}+x")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31]), min_size=1, max_size=6), st.integers(1, 999))
def test_the_root_of_a_product_is_the_product_of_the_roots(primes: list[int], whole: int) -> None:
    """All these primes are squares in the field, which is why it was chosen."""
    roots = "".join(rf"\sqrt{{{prime}}}" for prime in primes)
    assert _agree(rf"\sqrt{{{math.prod(primes)}}}", roots)
    assert _agree(rf"\sqrt{{{whole**2 * math.prod(primes)}}}", rf"{whole}{roots}")
    assert _agree(roots + roots, str(math.prod(primes)))


def test_the_root_of_another_prime_is_only_named() -> None:
    root = fingerprint(parse_latex(r"\sqrt{41}"), "a")
    assert root is not None and not root.complete
    assert root == fingerprint(parse_latex(r"\frac{\sqrt{164}}{2}"), "a")


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("x^2+1", True),
        (r"\sqrt6", True),
        (r"2^{10}", True),
        (r"\pi x", True),
        (r"\sin x", False),  # only named: sin x and cos(pi/2 - x) have different names
        (r"\ln 2", False),
        ("e^x", False),
        ("e", False),
        (r"\sqrt[3]2", False),
        (r"\sqrt{x}", False),
        ("2^x", False),
        ("f(x)", False),
    ],
)
def test_it_is_said_where_a_part_was_only_named(text: str, complete: bool) -> None:
    found = fingerprint(parse_latex(text), "a")
    assert found is not None and found.complete is complete


@pytest.mark.parametrize("text", [r"\infty", r"\frac{1}{0}", r"\frac{1}{x-x}", r"(1-1)^{-1}", r"A\cup B", r"\pm 2"])
def test_what_is_no_number_has_no_fingerprint(text: str) -> None:
    assert fingerprint(parse_latex(text), "a") is None


def test_another_seed_is_another_point() -> None:
    first, second = fingerprint(parse_latex("x"), "a"), fingerprint(parse_latex("x"), "b")
    assert first is not None and second is not None and first.residue != second.residue
    assert fingerprint(parse_latex("7"), "a") == fingerprint(parse_latex("7"), "b")


@settings(max_examples=60, deadline=None)
@given(st.fractions(-1000, 1000, max_denominator=1000), st.fractions(-1000, 1000, max_denominator=1000))
def test_residues_add_and_multiply_as_numbers_do(a: Fraction, b: Fraction) -> None:
    assert to_residue(a + b) == (to_residue(a) + to_residue(b)) % PRIME
    assert to_residue(a * b) == to_residue(a) * to_residue(b) % PRIME


@settings(max_examples=60, deadline=None)
@given(st.integers(1, PRIME - 1))
def test_a_square_has_a_root_whose_square_it_is(number: int) -> None:
    root = take_square_root(number * number % PRIME)
    assert root is not None
    assert root * root % PRIME == number * number % PRIME
