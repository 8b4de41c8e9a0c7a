"""Experiment: a run in a folder. Claim it, survey the data, solve the problems, conclude with votes and grades.

Promises: it parses no words and prints nothing; whoever opened engine and reward model closes them.
"""
