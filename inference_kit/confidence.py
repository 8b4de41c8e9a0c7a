"""Confidence: how sure the model was of a solution, from the details of its tokens.

Why: a model's own probabilities are a free score where there is no reward model.
Promises: pure arithmetic. None where the details do not say.
Source: self-certainty Kang et al. 2025, arXiv:2502.18581; tail confidence Fu et al. 2025, "DeepConf", arXiv:2508.15260;
answer margin Wang, Zhou 2024, "CoT-decoding", arXiv:2402.10200.
"""

from collections.abc import Sequence
from statistics import fmean

from inference_kit.records import Token

TAIL = 2048
"""Tokens at the end of a solution over which tail confidence is taken (Fu et al. 2025)."""


def self_certainty(tokens: Sequence[Token]) -> float | None:
    """Return the mean over tokens of KL(uniform || p), in nats, at least 0; larger is surer.

    None where any token lacks its `certainty`, or there are no tokens.
    """
    certainties = [token.certainty for token in tokens if token.certainty is not None]
    return fmean(certainties) if certainties and len(certainties) == len(tokens) else None


def tail_confidence(tokens: Sequence[Token]) -> float | None:
    """Return the mean `confidence` of the last 2048 tokens, in nats; larger is surer. None without tokens."""
    return fmean(token.confidence for token in tokens[-TAIL:]) if tokens else None


def answer_margin(tokens: Sequence[Token], answer: str | None) -> float | None:
    """Return the mean `margin`, in [0, 1], of the tokens that overlap the answer's last occurrence in the text.

    None where there is no answer, or the text does not hold it.
    """
    text = "".join(token.text for token in tokens)
    start = text.rfind(answer) if answer else -1
    if not answer or start < 0:
        return None
    margins: list[float] = []
    begin = 0
    for token in tokens:
        end = begin + len(token.text)
        if end > start and begin < start + len(answer):
            margins.append(token.margin)
        begin = end
    return fmean(margins)
