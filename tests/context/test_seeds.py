"""Seeds follow from run, problem and place."""

import pytest

from inference_kit.context.seeds import derive_seed, problem_random, seeds_of_children
from inference_kit.records import GenerationConfig


def test_seeds_follow_from_run_problem_and_path_and_fit_32_bits() -> None:
    seeds = {derive_seed(run, index, path) for run in (0, 1) for index in (1, "one", 2) for path in ((), (0,), (0, 1))}
    assert len(seeds) == 18
    assert all(0 <= seed < 2**31 - 2**16 for seed in seeds)


def test_a_child_has_the_seed_of_its_place_a_rank_or_none() -> None:
    first = derive_seed(3, 17, (0, 2))
    sampled = GenerationConfig()
    assert seeds_of_children(sampled, 3, 17, (0, 2), range(4, 6)) == (first + 4, first + 5)
    assert seeds_of_children(GenerationConfig(temperature=0.0), 3, 17, (0, 2), range(4, 6)) == (0, 0)
    assert seeds_of_children(GenerationConfig(branch_first=True), 3, 17, (), range(2)) == (0, 1)


def test_random_numbers_of_a_problem_are_its_own() -> None:
    drawn = [problem_random(run, index).random() for run in (0, 1) for index in (1, "one", 2)]  # "1" is 1, see below
    assert len(set(drawn)) == 6
    assert problem_random(0, 1).random() == drawn[0]


@pytest.mark.parametrize("index", ["7", "7.0", 7])
def test_an_index_has_one_seed_however_its_file_writes_it(index: int | str) -> None:
    """Issue 12: a CSV file has only texts; "07" is a name."""
    assert derive_seed(0, index, (1,)) == derive_seed(0, 7, (1,)) != derive_seed(0, "07", (1,))
    assert problem_random(0, index).random() == problem_random(0, 7).random()
