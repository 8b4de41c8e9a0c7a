"""What a whole run may cost, and who may still ask for something once it has cost that.

Why: a problem's own budget ends its search, but the run's ends the run, wherever its problems are. Hundreds of requests
wait for a place while the last one is paid for, so each asks here when it gets its place. A search applies its budget
to all that it awaits, because neither an engine nor a reward model has a word for it.
Promises: what was answered from another run's log costs nothing; nothing is sent once the budget is spent, and what
was sent before is still answered; a resumed run goes on counting where it was.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from inference_kit.errors import RunStopped, UserError, named
from inference_kit.failures import Failures
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
    """Counts what a run generates, and what fails; None is no limit, and without prices nothing costs money."""

    max_tokens: int | None = None
    max_cost: float | None = None
    prices: Prices | None = None
    spent: Usage = field(default_factory=Usage)
    failures: Failures = field(default_factory=Failures)
    _reason: RunStopped | None = None
    _pauses: set["asyncio.Future[None]"] = field(default_factory=set)

    def check_prices(self, model: str) -> None:
        """Refuse a limit of cost where tokens have no prices.

        Args:
            model: The name of the model, for the message.

        Raises:
            UserError: naming the settings that give prices.
        """
        if self.max_cost is not None and self.prices is None:
            prices = f"{named('prompt_price')} and {named('completion_price')}"
            raise UserError(
                f"{model} has no prices, so its cost is not known",
                where=named("max_cost"),
                fix=f"Add {prices}, in dollars for a million tokens.",
            )

    @property
    def counts(self) -> bool:
        """Whether what is spent can end the run, so that an answer is to be counted before the next question."""
        return self.max_tokens is not None or self.max_cost is not None

    @property
    def is_spent(self) -> bool:
        """Whether nothing more may be asked for."""
        return self._reason is not None

    def count(self, usage: Usage) -> None:
        """Add what a call cost."""
        self.spent += usage
        if self.max_tokens is not None and self.spent.generated_tokens >= self.max_tokens:
            self.stop(f"{named('max_tokens_total')} {self.max_tokens} is spent")
        if self.max_cost is not None and self.prices and self.prices.cost(self.spent) >= self.max_cost:
            self.stop(f"{named('max_cost')} {self.max_cost:g} is spent")

    def stop(self, reason: str, *, higher: bool = True) -> None:
        """Let nothing more be asked for; the first reason holds."""
        self._reason = self._reason or RunStopped(reason, higher=higher)
        for pause in self._pauses:
            if not pause.done():
                pause.set_result(None)

    def explain(self) -> RunStopped:
        """Build what is raised where somebody may ask for nothing more."""
        assert self._reason
        return RunStopped(str(self._reason), higher=self._reason.higher)

    def check(self) -> None:
        """Stop who is about to ask for something where the budget is spent.

        Raises:
            RunStopped: naming the limit.
        """
        if self._reason:
            raise self.explain()

    def count_failure(self, error: str) -> None:
        """Count a problem that failed.

        Raises:
            RunStopped: where so many may not fail.
        """
        if reason := self.failures.count(error):
            self.stop(reason)
            raise self.explain()

    @contextmanager
    def watch(self, who: str, asker: object) -> Iterator[None]:
        """Watch a question to `who`, as `Failures.watch` does; where that stops, nobody asks for anything more."""
        try:
            with self.failures.watch(who, asker):
                yield
        except RunStopped as stop:
            self.stop(str(stop), higher=stop.higher)
            raise

    async def pause(self, seconds: float) -> None:
        """Wait before something is asked for again.

        Raises:
            RunStopped: as soon as the budget is spent.
        """
        self.check()
        pause = asyncio.get_running_loop().create_future()
        self._pauses.add(pause)
        try:
            await asyncio.wait([pause], timeout=seconds)
        finally:
            self._pauses.discard(pause)
        self.check()

    @contextmanager
    def apply(self) -> Iterator[None]:
        """Make this the budget of all that is awaited meanwhile, in tasks that begin there too."""
        token = _APPLIED.set(self)
        try:
            yield
        finally:
            _APPLIED.reset(token)


_APPLIED: ContextVar[RunBudget | None] = ContextVar("run_budget", default=None)


def applied_budget() -> RunBudget:
    """Return the budget that applies here; outside a search one without limits."""
    return _APPLIED.get() or RunBudget()
