"""Whether two expressions have the same value: exactly, in a prime field, at points, by sympy."""
