"""Rules: what holds for every problem of a run, whatever the method."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every problem of a run, whatever the method.

    `aggregate` makes one score of step scores; `step_tokens` ends a step after so many tokens instead of at the
    separator, 0 for never; `max_tokens` and `max_calls` are what one problem may cost, None for no limit.
    """

    seed: int = 0
    aggregate: str = "last"
    step_tokens: int = 0
    max_tokens: int | None = None
    max_calls: int | None = None
