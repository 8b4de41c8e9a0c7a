"""Errors that a user can mend, as one line: what is wrong, where, and what to do.

Why: a wrong path deserves one sentence, a bug deserves a traceback, and nothing in between.
Promises: the command line prints a `UserError` as one line and exits with code 2. Every other exception is a bug.
"""


class UserError(Exception):
    """Something the user can mend.

    Args:
        what: What is wrong, without a final full stop.
        where: A file (`path:line`), flag, URL or field.
        fix: What to do, as whole sentences.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(str(self))

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        line = f"{line.rstrip('.')}. {self.fix}" if self.fix else line
        return " ".join(line.split())


class EngineError(UserError):
    """An engine could not answer one call; the problem fails with this line and the run goes on."""


class NoRoom(EngineError):
    """A prompt leaves the model's context no room for a reply."""


class RunStopped(Exception):
    """A limit of the whole run is reached; the message names it. Everything finished is kept."""


class BudgetSpent(Exception):
    """A problem's tokens or calls, or the model's context, are used up; the solver keeps what was written so far."""


def first_line(error: Exception) -> str:
    """Return the first line of another library's error; the rest is rarely for the user."""
    return str(error).strip().split("\n", 1)[0]
