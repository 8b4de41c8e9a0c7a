"""How sure a majority is, in exact fractions: no integration, no floats."""

import math
from fractions import Fraction
from itertools import combinations


def beta(votes: list[int]) -> Fraction:
    """P(p > 1/2) under Beta(v1 + 1, v2 + 1): the polynomial p^v1 (1 - p)^v2, integrated term by term."""
    first, second = [*votes, 0][:2]

    def integral(upper: Fraction) -> Fraction:
        return sum(
            (
                Fraction((-1) ** k * math.comb(second, k), first + k + 1) * upper ** (first + k + 1)
                for k in range(second + 1)
            ),
            Fraction(0),
        )

    return 1 - integral(Fraction(1, 2)) / integral(Fraction(1))


def dirichlet(votes: list[int]) -> Fraction:
    """P(p1 is the largest) under Dirichlet(v + 1), one answer unseen, by inclusion and exclusion.

    Shares are gamma variates over their sum, so the first one must beat the others: the integral of its density times
    the product over others of 1 - e^-x sum(x^k / k!), multiplied out.
    """
    first, *others = [*votes, 0]
    total = Fraction(0)
    for size in range(len(others) + 1):
        for subset in combinations(others, size):
            polynomial = {0: Fraction(1)}
            for each in subset:
                product: dict[int, Fraction] = {}
                for power, factor in polynomial.items():
                    for k in range(each + 1):
                        product[power + k] = product.get(power + k, Fraction(0)) + factor / math.factorial(k)
                polynomial = product
            for power, factor in polynomial.items():
                whole = Fraction(math.factorial(first + power), math.factorial(first))
                total += (-1) ** size * factor * whole / Fraction(size + 1) ** (first + power + 1)
    return total
