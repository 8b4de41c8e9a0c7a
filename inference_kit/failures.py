"""What may fail in a run before it stops.

Why: a server that fails whatever it is asked fails thousands of problems, each after many tries; a few problems that
fail are the run's daily life.
Promises: unless the user says how many problems may fail, a run stops only where the first dozens that asked somebody
have all failed for one reason and nobody was answered; one that is still waited for may be answered yet.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice, takewhile

from inference_kit.errors import EngineError, NoRoom, PromptRefused, RunStopped, UserError, named

MOST_UNANSWERED = 24
"""Problems that may fail for one reason while nothing was answered."""
FIRST = 4 * MOST_UNANSWERED
"""Problems that are looked at, so that a few other reasons may be among them."""


@dataclass(frozen=True, slots=True)
class MaxFailures:
    """So many problems may fail, or such a `share` of all."""

    count: int = 0
    share: float | None = None

    @classmethod
    def read(cls, text: str) -> "MaxFailures":
        """Read a count (20) or a share (0.1, 10%).

        Raises:
            UserError: where it is neither.
        """
        found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})(%?)", text.strip())
        share = float(found[1]) / (100 if found[2] else 1) if found and (found[2] or "." in found[1]) else None
        if not found or (share is not None and share > 1):
            raise UserError(
                f"expected a count or a share of the problems, got {text!r}",
                where=named("max_failures"),
                fix="Such as 20, 0.1 or 10%.",
            )
        return cls(share=share) if share is not None else cls(int(found[1]))

    def count_of(self, n_problems: int) -> int:
        """Return how many of so many problems may fail."""
        return self.count if self.share is None else int(self.share * n_problems)


@dataclass(slots=True)
class _Silence:
    """Who asked somebody that has not answered yet, in their order, each with the reason why that failed."""

    reasons: dict[object, str] = field(default_factory=dict)
    answered: bool = False


@dataclass(slots=True)
class Failures:
    """Counts what fails in a run: problems up to `most`, and where there is no such limit, those nobody answered."""

    most: int | None = None
    watches: bool = False
    _n_failed: int = 0
    _silences: dict[str, _Silence] = field(default_factory=dict)

    def count(self, error: str) -> str:
        """Count a problem that failed; return why the run stops, empty where it goes on."""
        self._n_failed += 1
        if self.most is None or self._n_failed <= self.most:
            return ""
        return f"{self._n_failed} problems failed, more than {named('max_failures')} allows; the last one: {error}"

    def awaits_answer(self, who: str) -> bool:
        """Whether it matters that somebody answers, because nobody there has answered yet."""
        return self.watches and not ((silence := self._silences.get(who)) and silence.answered)

    def note_answer(self, who: str) -> None:
        """Note that somebody has answered, who may fail as often as it may be from now on."""
        if self.watches and (silence := self._silences.get(who)) and not silence.answered:
            silence.answered = True
            silence.reasons.clear()

    @contextmanager
    def watch(self, who: str, asker: object) -> Iterator[None]:
        """Watch a question to `who` for a problem, which is known by `asker`.

        Raises:
            RunStopped: in the place of its error where there were enough of that.
        """
        silence = self._silences.setdefault(who, _Silence())
        if not self.watches or silence.answered:
            yield
            return
        silence.reasons.setdefault(asker, "")
        try:
            yield
        except (NoRoom, PromptRefused, RunStopped):  # about this prompt alone, or about none
            raise
        except Exception as error:
            if not silence.answered and (isinstance(error, EngineError) or not isinstance(error, UserError)):
                silence.reasons[asker] = generalize(str(error) or type(error).__name__)
                if n_failed := _count_failed(silence):
                    raise RunStopped(_explain(n_failed, error), higher=False) from error
            raise
        finally:
            if not silence.reasons.get(asker):
                silence.reasons.pop(asker, None)


def generalize(reason: str) -> str:
    """Return what is the same in all errors for one reason: all words without digits in them."""
    return " ".join(word for word in reason.split() if not re.search(r"\d", word))


def _count_failed(silence: _Silence) -> int:
    """Count the first problems that failed for one reason; 0 where these are not enough."""
    failed = takewhile(bool, islice(silence.reasons.values(), FIRST))
    [(_, most)] = Counter(failed).most_common(1) or [("", 0)]
    return most if most >= MOST_UNANSWERED else 0


def _explain(n_failed: int, error: Exception) -> str:
    reason = str(error).rstrip(".") or type(error).__name__
    return f"{n_failed} problems failed and nothing was answered ({reason}; {named('max_failures')} says how many may)"
