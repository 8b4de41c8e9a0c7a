"""Errors that a user can mend, as one line: what is wrong, where, and what to do.

Why: a wrong path deserves one sentence, a bug deserves a traceback, and nothing in between.
Promises: the command line prints a `UserError` as one line and exits with code 2. Every other exception is a bug. An
error names a setting by `named(name)`, and whoever shows the error decides how that is spelled.
"""

import re
from collections.abc import Callable

_MARK = "\ue000"
"""Stands before and after the name of a setting; a private character, which no other text holds."""
_MARKED = re.compile(f"{_MARK}(\\w+){_MARK}")


def named(name: str) -> str:
    """Return what stands for the setting `name` in the text of an error until the error is shown."""
    return f"{_MARK}{name}{_MARK}"


def flag_of(name: str) -> str:
    """Spell a setting as a flag."""
    return "--" + name.replace("_", "-")


def spell_settings(text: str, spell: Callable[[str], str] = flag_of) -> str:
    """Spell the settings that a text names."""
    return _MARKED.sub(lambda found: spell(found[1]), text)


class UserError(Exception):
    """Something the user can mend; `spell` is how the face that shows it spells a setting, by default as a flag.

    Args:
        what: What is wrong, without a final full stop.
        where: A file (`path:line`), setting, URL or field.
        fix: What to do, as whole sentences.
    """

    spell: Callable[[str], str] = staticmethod(flag_of)

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(str(self))

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        line = f"{line.rstrip('.')}. {self.fix}" if self.fix else line
        return spell_settings(" ".join(line.split()), self.spell)


class EngineError(UserError):
    """An engine could not answer one call; the problem fails with this line and the run goes on."""


class NoRoom(EngineError):
    """A prompt leaves the model's context no room for a reply."""


class PromptRefused(EngineError):
    """A server's content filter refuses this prompt; it may answer others."""


class RunStopped(Exception):
    """A limit of the whole run is reached; the message names it. Everything finished is kept.

    `higher` says that the run goes on once the limit is a higher one.
    """

    def __init__(self, what: str, *, higher: bool = True) -> None:
        self.higher = higher
        super().__init__(what)

    def __str__(self) -> str:
        return spell_settings(super().__str__())


class BudgetSpent(Exception):
    """A problem's tokens or calls, or the model's context, are used up; the solver keeps what was written so far."""


def first_line(error: Exception) -> str:
    """Return the first line of another library's error; the rest is rarely for the user."""
    return str(error).strip().split("\n", 1)[0]
