"""Confidence against straightforward computations from the papers' formulas."""

import math
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_kit.confidence import TAIL, answer_margin, self_certainty, tail_confidence
from inference_kit.records import Token

distributions = st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3).map(
    lambda shares: [share / sum(shares) for share in shares]
)


def token(text: str = "a", probabilities: list[float] | None = None, margin: float = 0.0) -> Token:
    """What an engine says of a token from a vocabulary of three."""
    p = probabilities or [1 / 3] * 3
    logs = [math.log(each) for each in p]
    return Token(text, logs[0], margin, confidence=-fmean(logs), certainty=-fmean(math.log(3 * each) for each in p))


@given(st.lists(distributions, min_size=1, max_size=6))
def test_self_certainty_is_the_mean_divergence_from_the_uniform_distribution(rows: list[list[float]]) -> None:
    """Kang et al. 2502.18581: -(1 / (n |V|)) times the sum over tokens and words of ln(|V| p)."""
    expected = -math.fsum(math.log(3 * p) for row in rows for p in row) / (3 * len(rows))
    assert self_certainty([token(probabilities=row) for row in rows]) == pytest.approx(expected, abs=1e-12)
    assert expected >= -1e-12


def test_where_one_token_is_not_known_there_is_no_self_certainty() -> None:
    """An engine that sees only the likeliest tokens cannot say."""
    known, unknown = token(), Token("b", -1.0, 0.5, 2.0)
    assert self_certainty([known]) == pytest.approx(0.0)
    assert self_certainty([known, unknown]) is None
    assert self_certainty([unknown]) is None
    assert self_certainty([]) is None


def test_tail_confidence_is_the_mean_of_the_last_tokens_only() -> None:
    """Fu et al. 2508.15260: the tail is 2048 tokens, or all where there are fewer."""
    assert TAIL == 2048
    tokens = [Token("a", -1.0, 0.0, float(place)) for place in range(3000)]
    assert tail_confidence(tokens) == pytest.approx(fmean(range(3000 - 2048, 3000)))
    assert tail_confidence(tokens[:10]) == pytest.approx(4.5)
    assert tail_confidence([]) is None


@given(st.lists(st.text("ab1", min_size=1, max_size=3), min_size=1, max_size=8), st.text("ab1", max_size=3))
def test_the_margin_is_the_mean_over_the_tokens_in_which_the_answer_stands_last(pieces: list[str], answer: str) -> None:
    """Wang, Zhou 2402.10200; here letter by letter."""
    tokens = [token(piece, margin=place / 8) for place, piece in enumerate(pieces)]
    letters = [place for place, piece in enumerate(pieces) for _ in piece]
    starts = [at for at in range(len(letters)) if "".join(pieces)[at : at + len(answer)] == answer]
    if not answer or not starts:
        assert answer_margin(tokens, answer) is None
    else:
        touched = sorted(set(letters[starts[-1] : starts[-1] + len(answer)]))
        assert answer_margin(tokens, answer) == fmean(place / 8 for place in touched)


def test_no_answer_has_no_margin() -> None:
    assert answer_margin([token()], None) is None
