"""The problems are what they promise: right, disjoint by split, the same each time."""

import json
import re
from itertools import islice
from random import Random

import pytest

from training import benchmark
from training.loop import Recipe
from training.policy import RECIPE as POLICY_RECIPE
from training.problems import (
    BENCHMARK_MIX,
    LARGEST_VALUE,
    TRAINING_MIX,
    Problem,
    draw_problems,
    render_step,
    write_solution,
)
from training.reward_model import FIRST, SECOND

EQUATION = re.compile(r"(\d+(?: [-+*/] \d+)+) = (\d+)")


@pytest.fixture(scope="module")
def training_problems() -> list[Problem]:
    return list(islice(draw_problems(5, "train", TRAINING_MIX), 1000))


def benchmark_rows() -> list[dict[str, str]]:
    return [json.loads(line) for line in benchmark.PATH.read_text(encoding="utf-8").splitlines()]


def compute(expression: str) -> float:
    first, *rest = expression.split()
    value = float(first)
    for operator, number in zip(rest[::2], map(float, rest[1::2]), strict=True):
        value = {"+": value + number, "-": value - number, "*": value * number, "/": value / number}[operator]
    return value


def test_a_seed_gives_the_same_problems(training_problems: list[Problem]) -> None:
    assert list(islice(draw_problems(5, "train", TRAINING_MIX), 200)) == training_problems[:200]
    assert list(islice(draw_problems(6, "train", TRAINING_MIX), 200)) != training_problems[:200]


def test_every_rendering_of_a_step_is_right(training_problems: list[Problem]) -> None:
    for problem in training_problems:
        for index in problem.steps:
            for line in render_step(problem, index, problem.values):
                (equation,) = EQUATION.findall(line)
                assert compute(equation[0]) == float(equation[1]) == problem.values[index], line


def test_a_solution_ends_with_the_gold_answer_in_a_box(training_problems: list[Problem]) -> None:
    rng = Random(0)
    for problem in training_problems:
        *steps, last = write_solution(problem, rng)
        assert len(steps) == len(problem.steps)
        assert last == f"The answer is \\boxed{{{problem.answer}}}."
        assert all(1 <= value <= LARGEST_VALUE for value in problem.values)


def test_sentences_in_another_order_are_the_same_split(training_problems: list[Problem]) -> None:
    for problem in training_problems[:200]:
        assert Problem(problem.sentences[::-1], problem.quantities).split == "train"


def test_slips_happen_at_their_rate(training_problems: list[Problem]) -> None:
    rng = Random(0)
    lines = [line for problem in training_problems for line in write_solution(problem, rng, slip_rate=0.1)[:-1]]
    slips = sum(compute(left) != float(right) for line in lines for left, right in EQUATION.findall(line))
    assert 0.08 < slips / len(lines) < 0.13


def test_the_benchmark_has_1000_different_problems_with_computed_gold_answers() -> None:
    rows = benchmark_rows()
    assert len({row["question"] for row in rows}) == len(rows) == 1000
    for row in rows:
        *steps, last = row["answer"].split("\n")
        for step in steps:
            (equation,) = EQUATION.findall(step)
            assert compute(equation[0]) == float(equation[1])
        assert last == f"#### {EQUATION.findall(steps[-1])[0][1]}"


def test_the_committed_benchmark_begins_as_it_is_made() -> None:
    stream = draw_problems(benchmark.SEED, "test", BENCHMARK_MIX)
    for row, problem in zip(benchmark_rows()[:60], stream, strict=False):
        assert problem.split == "test"
        assert (row["question"], row["answer"].rpartition("#### ")[2]) == (problem.question, str(problem.answer))


@pytest.mark.slow
def test_the_committed_benchmark_is_exactly_what_is_made() -> None:
    made = "".join(line + "\n" for line in benchmark.write_lines())
    assert benchmark.PATH.read_text(encoding="utf-8") == made


@pytest.mark.parametrize("recipe", [POLICY_RECIPE, FIRST, SECOND], ids=["policy", "reward model", "its second round"])
def test_no_problem_that_is_trained_on_is_in_the_benchmark(recipe: Recipe) -> None:
    tested = {sentences(row["question"]) for row in benchmark_rows()}
    trained = {
        sentences(problem.question) for problem in islice(draw_problems(recipe.seed, "train", TRAINING_MIX), 1000)
    }
    assert len(trained) == 1000
    assert not trained & tested


def sentences(question: str) -> tuple[str, ...]:
    """The sentences of a question in an order of their own, so that a shuffled twin is the same."""
    return tuple(sorted(re.split(r"(?<=[.?]) ", question)))
