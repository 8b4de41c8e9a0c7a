"""A cursor over tokens, with the limits of what is read: how deep, and how long a chain.

Why: the grammar says what mathematics looks like; where the reading stands, what surrounds it and how far it may go is
kept here, in one place, so that it can be saved and taken back.
Promises: never moves past the end; raises `ParseError` beyond a limit; a place that was marked can be returned to.
"""

from collections.abc import Callable
from typing import NamedTuple

from inference_kit.grader.reading.tokens import END, ParseError, Token
from inference_kit.grader.values import Value

DEEPEST = 48
MOST_LINKS = 100


class Surroundings(NamedTuple):
    """What is open around the place of reading, up to the next bracket.

    `bars` counts the open `|`, of which the next one closes the last; `bar_ends` says that the next `|` or `:` ends the
    element of a set.
    """

    bars: int = 0
    bar_ends: bool = False


OPEN_GROUND = Surroundings()


class Reader:
    """Reads tokens from left to right; `next` is the one that comes, `END` after the last.

    `argument_end` is the place where the last argument without braces ended, so that a number there is a factor.
    """

    __slots__ = ("argument_end", "depth", "links", "next", "position", "surroundings", "tokens")

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = [*tokens, END]
        self.position = 0
        self.next = self.tokens[0]
        self.surroundings = OPEN_GROUND
        self.argument_end = -1
        self.depth = 0
        self.links = 0

    @property
    def previous(self) -> Token:
        """The token before the next one; `END` at the beginning."""
        return self.tokens[self.position - 1]

    def peek(self, ahead: int) -> Token:
        """Return the token that comes after `ahead` others."""
        place = self.position + ahead
        return self.tokens[place] if place < len(self.tokens) else END

    def take(self) -> Token:
        """Return the next token and move past it."""
        token = self.next
        if token is END:
            raise ParseError("ends too early")
        self.move_to(self.position + 1)
        return token

    def accept(self, *texts: str) -> bool:
        """Move past the next token if it is one of these; say whether it was."""
        if self.next.text in texts:
            self.move_to(self.position + 1)
            return True
        return False

    def expect(self, *texts: str) -> None:
        """Move past the next token, which has to be one of these."""
        if not self.accept(*texts):
            raise ParseError(f"expected {texts[0]}, found {self.next.text or 'the end'}")

    def move_to(self, position: int) -> None:
        """Read on at a place, such as one that was noted before."""
        self.position = position
        self.next = self.tokens[position]

    def take_digit(self) -> str:
        r"""Return one digit, as TeX takes an argument without braces; the rest of its numeral comes next: `\frac12`."""
        text = self.next.text
        if len(text) == 1 or self.next.kind != "digits":
            return self.take().text
        self.next = Token("digits", text[1:])  # the place stays, so the rest does not count as following a number
        return text[0]

    def split_word(self) -> None:
        """Let the letters of the next word come one by one, as TeX takes arguments without braces."""
        letters = [Token("word", letter) for letter in self.next.text]
        self.tokens[self.position : self.position + 1] = letters
        self.next = letters[0]

    def end_at(self, place: int) -> Token:
        """Let the tokens end at a place; return the one that stood there, for `go_on_after`."""
        token, self.tokens[place] = self.tokens[place], END
        if place == self.position:
            self.next = END
        return token

    def go_on_after(self, token: Token) -> None:
        """Put a token back where the tokens were made to end, and read on after it."""
        if self.next is not END:
            raise ParseError("something that does not end")
        self.tokens[self.position] = token
        self.move_to(self.position + 1)

    # Limits and surroundings

    def nest(self, read: Callable[[], Value]) -> Value:
        """Read something one level deeper, within the limit."""
        self._enter()
        value = read()
        self.depth -= 1
        return value

    def _enter(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise ParseError("nested too deeply")

    def link(self) -> None:
        """Count a value around another one, within the limit: chains like `1/1/1/1` and `5!!!!` nest as well."""
        self.links += 1
        if self.links > MOST_LINKS:
            raise ParseError("too long a chain")

    def open(self) -> Surroundings:
        """Begin what stands in brackets; return what is around them, for `close`."""
        self._enter()
        around, self.surroundings = self.surroundings, OPEN_GROUND
        return around

    def close(self, around: Surroundings, *closings: str) -> None:
        """End what stands in brackets, at one of their closing signs."""
        self.expect(*closings)
        self.surroundings = around
        self.depth -= 1
