"""Whether two expressions have the same value: exactly, in a prime field, in numbers, by sympy."""
