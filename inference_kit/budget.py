"""What a whole run may cost: tokens and money, counted at each call.

Why: a problem's own budget ends its search, but the run's ends the run, wherever its problems are.
Promises: what was answered from another run's log costs nothing; nothing new is begun once the budget is spent; a
resumed run goes on counting where it was.
"""

from dataclasses import dataclass, field

from inference_kit.errors import RunStopped, named
from inference_kit.records import Usage


@dataclass(frozen=True, slots=True)
class Prices:
    """Dollars for a million tokens read, and for a million written."""

    prompt: float
    completion: float

    def cost(self, usage: Usage) -> float:
        """What `usage` costs in dollars."""
        return (usage.prompt_tokens * self.prompt + usage.generated_tokens * self.completion) / 1e6


@dataclass(slots=True)
class RunBudget:
    """Counts what a run generates; None is no limit, and without prices nothing costs money."""

    max_tokens: int | None = None
    max_cost: float | None = None
    prices: Prices | None = None
    spent: Usage = field(default_factory=Usage)

    def count(self, usage: Usage) -> None:
        """Add what a call cost."""
        self.spent += usage

    def check(self) -> None:
        """Stop the run where its budget is spent.

        Raises:
            RunStopped: naming the limit.
        """
        if self.max_tokens is not None and self.spent.generated_tokens >= self.max_tokens:
            raise RunStopped(f"{named('max_tokens_total')} {self.max_tokens} is spent")
        if self.max_cost is not None and self.prices and self.prices.cost(self.spent) >= self.max_cost:
            raise RunStopped(f"{named('max_cost')} {self.max_cost} is spent")
