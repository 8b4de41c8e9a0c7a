r"""The record of an operation, and what its meanings may ask of whoever evaluates an expression.

Why: how an operation is written, computed exactly, computed in numbers, proved and handed to sympy is one subject; a
reader of the table sees at a glance what is known of it and what is not.
Promises: a meaning that is None is not known; nobody guesses it, and the expression is decided by other means.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, Protocol

from inference_kit.grader.values import Apply, Value

Kind = Literal["number", "set", "structure"]
"""What comes out: a number, a set, or what only a comparison understands (a choice of sign, a matrix)."""

Domain = Literal["all", "part", "whole"]
"""Where an operation is at home: at all numbers, at a part of the real ones, or at whole numbers."""


class NoValue(ArithmeticError):
    """The expression has no number at this point: undefined, too large, or of a kind that is not computed."""


class Numbers(Protocol):
    """What a numeric meaning works with: a library (cmath or mpmath), its numbers, and values of parts.

    `log_base` is the base of a logarithm that names none, None for the natural one.
    """

    library: Any
    number: Callable[[Any], Any]
    log_base: Any

    def add(self, *terms: Any) -> Any:
        """Return the sum, and note where its terms nearly cancelled."""

    def power(self, power: Apply) -> Any:
        """Return the value of a power."""

    def series(self, series: Apply) -> Any:
        """Return the value of a finite sum or product, term by term."""


class Residues(Protocol):
    """What a meaning in a prime field works with: residues of parts, and those of powers and roots."""

    def value(self, expression: Value) -> int:
        """Return the residue of an expression."""

    def power(self, power: Apply) -> int:
        """Return the residue of a power."""

    def root(self, root: Apply) -> int:
        """Return the residue of a root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    r"""An operation: how it is written, and what it means to each way of computing.

    Args:
        functions: Words that call it before arguments, also as commands: `gcd(4, 6)`, `\gcd(4, 6)`. The parser turns
            the others into the first one.
        commands: LaTeX commands that take arguments or bounds: `\frac`, `\sum`.
        brackets: A pair of commands around the argument.
        signs: Signs between or after what it is applied to: `/`, `\cup`, `!`.
        arity: The numbers of arguments it may have; empty where it takes one or more.
        inverse: The function that `f^{-1}` means.
        binds: Its second argument is a variable that only the first one, its body, knows.
        exact: The rational value at rational arguments; raises `TooLarge` where there is none.
        number: The number at numbers, by the library that the first argument has.
        unevaluated: `number` takes the expression itself instead of the numbers of its arguments.
        residue: The residue in a prime field; where None, that of `exact`.
        sympy: The object of sympy, which is the first argument, for objects.
    """

    functions: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    brackets: tuple[str, str] | None = None
    signs: tuple[str, ...] = ()
    arity: tuple[int, ...] = (1,)
    inverse: str | None = None
    kind: Kind = "number"
    domain: Domain = "all"
    binds: bool = False
    exact: Callable[..., Fraction] | None = None
    number: Callable[..., Any] | None = None
    unevaluated: bool = False
    residue: Callable[[Residues, Apply], int] | None = None
    sympy: Callable[..., Any] | None = None

    @property
    def is_computed(self) -> bool:
        """Whether someone, here or in a worker, knows its value."""
        return self.number is not None or self.sympy is not None
