"""Sets of real numbers: intervals, the inequalities that describe them, and the rule that compares both."""
