"""What a user can mend, as one line: what is wrong, where, and what to do.

Why: a wrong path deserves one sentence, a bug deserves a traceback, and nothing in between.
Promises: the command line prints a `UserError` as one line and exits with 2; every other exception is a bug.
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
    """A limit of the whole run is reached, and this is its name; everything finished is kept."""


class BudgetSpent(Exception):
    """A problem's tokens or calls are used up, or its context; the solver keeps what was written until then."""


def first_line(error: Exception) -> str:
    """What an error of another library says first; the rest is rarely for the user."""
    return str(error).strip().split("\n", 1)[0]
