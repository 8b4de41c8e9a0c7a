"""A rule as a reward model: steps that show their calculation score higher than those that do not."""

from collections.abc import Sequence

from inference_kit.records import Problem


def shows_its_work(problem: Problem, steps: Sequence[str]) -> list[float]:
    """One score for each step, from its digits and equals signs."""
    return [0.2 + 0.4 * any(sign.isdigit() for sign in step) + 0.4 * ("=" in step) for step in steps]
