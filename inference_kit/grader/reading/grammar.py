r"""The levels of the grammar, as those who read its pieces see them.

Why: a bracket holds a list, a list is made of sums, and a sum has brackets in it. Who reads a bracket or a command
knows this class and not the parser, so that the pieces are files of their own.
Promises: each level reads as much as it can, and leaves the next token to who called it.
"""

from abc import ABC, abstractmethod

from inference_kit.grader.reading.reader import Reader
from inference_kit.grader.reading.tokens import ParseError
from inference_kit.grader.values import Apply, Sym, Text, Value, negate, to_num
from inference_kit.grader.vocabulary import BARS, ENDINGS, OPENINGS


class Grammar(ABC):
    """The levels, the loosest first; `reader` is where they read."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    @abstractmethod
    def read_group(self) -> Value:
        r"""Read what braces hold: a list, `a \over b` or `a \choose b`."""

    @abstractmethod
    def read_list(self) -> Value:
        """Read relations with commas, semicolons, `and` or `or` between them."""

    @abstractmethod
    def read_relation(self) -> Value:
        """Read sides with signs of relation between them."""

    @abstractmethod
    def read_sum(self) -> Value:
        """Read terms with + - ± between them."""

    @abstractmethod
    def read_term(self) -> Value:
        """Read factors with a sign of multiplication or division between them, or none; then a unit."""

    @abstractmethod
    def read_factor(self) -> Value:
        """Read a primary with its postfix signs and its exponent."""

    @abstractmethod
    def read_exponent(self) -> Value:
        """Read what stands right of `^`."""

    @abstractmethod
    def read_primary(self) -> Value:
        """Read a number, letter, function, group or command."""

    def read_nested_primary(self) -> Value:
        """Read a primary one level deeper."""
        return self.reader.nest(self.read_primary)

    def read_argument(self) -> Value:
        """Read an argument of a command: a group, one digit, one letter or a command with its own arguments."""
        reader = self.reader
        if reader.next.kind == "digits":
            digit = to_num(int(reader.take_digit()))
            reader.argument_end = reader.position
            return digit
        if len(reader.next.text) > 1 and reader.next.kind == "word":
            reader.split_word()
        if reader.accept("-"):
            return negate(reader.nest(self.read_argument))
        return self.read_nested_primary()

    def factor_follows(self) -> bool:
        """Say whether a factor comes next, with no sign before it: `2x`, `(a)(b)`, but no `4 3`."""
        token = self.reader.next
        match token.kind:
            case "digits" | "number":
                follows_argument = self.reader.argument_end == self.reader.position
                return follows_argument or not self.reader.previous.text[-1:].isdigit()
            case "text" | "primes" | "end":
                return False
        if token.text in BARS:
            around = self.reader.surroundings
            return not (around.bars or around.bar_ends)
        if token.kind == "sign":
            return token.text in OPENINGS or token.text == "{"
        return token.text not in ENDINGS


def multiply(left: Value, right: Value) -> Value:
    """Return a product, flat on its left."""
    if isinstance(right, Text):
        raise ParseError("words in a product")
    if isinstance(left, Apply) and left.head == "mul":
        return Apply("mul", (*left.args, right))
    return Apply("mul", (left, right))


def make_cross_product(left: Value, right: Value) -> Value:
    """Return a cross product, a function of which nothing is known but a x b = -(b x a) for two letters."""
    if isinstance(left, Sym) and isinstance(right, Sym) and right.name < left.name:
        return negate(Apply("call:cross", (right, left)))
    return Apply("call:cross", (left, right))
