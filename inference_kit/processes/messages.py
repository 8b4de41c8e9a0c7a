"""Messages between a process and its child: records, and the one way in which they become bytes and records again.

Why: pickle writes records and lists of token ids faster than anything that is written in Python. It is safe here,
because nobody but this program writes into the pipes that it is read from.
Promises: only records travel; what is raised in one process can be raised in another, a bug with its traceback as a
note.
"""

import pickle
import sys
import traceback
from dataclasses import dataclass
from typing import Any

from inference_kit.errors import UserError


def encode(message: Any) -> bytes:
    """Return a record, which is a dataclass or a named tuple, as bytes."""
    assert hasattr(message, "__match_args__"), f"only records travel between processes, not {message!r}"
    return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)


def decode(content: bytes) -> Any:
    """Return the record that `encode` was given."""
    return pickle.loads(content)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, with the number by which its answers are known."""

    number: int
    request: Any


@dataclass(frozen=True, slots=True)
class Cancel:
    """Takes a request back."""

    number: int


@dataclass(frozen=True, slots=True)
class Close:
    """Asks a child to end."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A child has loaded; `about` is what it says of itself."""

    about: Any = None


@dataclass(frozen=True, slots=True)
class NotReady:
    """A child cannot load; `cause` is a record that says why."""

    cause: Any


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the answers to a request."""

    number: int
    answer: Any


@dataclass(frozen=True, slots=True)
class Finished:
    """A request has no more answers."""

    number: int


@dataclass(frozen=True, slots=True)
class Log:
    """A line for the owner's log."""

    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception on its way to another process."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Packed:
    """A value that can be read only with the import path of the process that packed it."""

    import_path: tuple[str, ...]
    content: bytes

    def unpack(self) -> Any:
        """Take over the import path, and return the value."""
        sys.path[:] = self.import_path
        return pickle.loads(self.content)


def pack(value: Any) -> Packed:
    """Pack a value.

    Raises:
        pickle.PicklingError, AttributeError, TypeError: where it holds what has no name in another process.
    """
    return Packed(tuple(sys.path), pickle.dumps(value))


def wrap_error(error: Exception) -> Raised:
    """Return an exception in a form that every process can read; a bug gets its traceback as a note."""
    if not isinstance(error, UserError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - a class of anyone's may refuse in any way
        return Raised(RuntimeError(f"{type(error).__name__}: {error}"))
    return Raised(error)
