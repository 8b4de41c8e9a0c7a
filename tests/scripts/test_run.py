"""run.sh: every combination once, what a cell gets, and what a failing cell does to the others."""

import pytest
from checkout import Checkout


@pytest.fixture
def ready(checkout: Checkout) -> Checkout:
    """A checkout in which everything is installed."""
    checkout.run("setup.sh")
    checkout.calls()
    return checkout


def cells(checkout: Checkout) -> list[str]:
    """The arguments of each `main.py run`, without what all of them share."""
    return [
        call.removeprefix("main.py run --work-dir results --exp-name ")
        for call in checkout.calls()
        if call.startswith("main.py run --work-dir")
    ]


def test_the_defaults_compare_greedy_with_best_of_n(ready: Checkout) -> None:
    """MAIN-15: from any folder; a relative work_dir counts from the project's."""
    assert ready.run("run.sh")[0] == 0
    assert cells(ready) == [
        "default --model abacus --dataset abacus --method greedy --vote all --limit 200",
        "default --model abacus --dataset abacus --method best_of_n --vote all --limit 200 --n 16",
    ]


def test_lists_make_every_combination_and_votes_share_one_generation(ready: Checkout) -> None:
    """MAIN-16: N reaches only the methods that take it, and several N do not share a folder."""
    variables = {
        "MODEL_NAME": "a b",
        "REWARD_MODEL_NAME": "r none",
        "DATASET_NAME": "gsm8k",
        "COT_METHOD": "greedy best_of_n",
        "VOTE": "majority_vote last_vote",
        "N": "4 16",
        "LIMIT": "",
    }
    assert ready.run("run.sh", "--seed", "3", **variables)[0] == 0
    found = cells(ready)
    assert len(found) == 2 * 2 * (1 + 2)
    assert found[0] == (
        "default --model a --dataset gsm8k --method greedy --vote majority_vote,last_vote --reward-model r --seed 3"
    )
    assert found[2] == (
        "default-n16 --model a --dataset gsm8k --method best_of_n --vote majority_vote,last_vote "
        "--reward-model r --n 16 --seed 3"
    )


def test_paths_and_names_reach_the_run(ready: Checkout) -> None:
    variables = {"MODEL_PATH": "my weights", "REWARD_MODEL_NAME": "r", "REWARD_MODEL_PATH": "p", "COT_METHOD": "greedy"}
    ready.run("run.sh", EXP_NAME="first", N="", work_dir=str(ready.root / "elsewhere"), **variables)
    assert ready.calls() == [
        "main.py run --work-dir elsewhere --exp-name first --model abacus --dataset abacus --method greedy --vote all "
        "--reward-model r --reward-model-path p --model-path my weights --limit 200"
    ]


def test_ones_own_file_takes_the_place_of_a_data_set(ready: Checkout) -> None:
    """Issue 12: by variable or by argument; a name beside it says how the file is read."""
    once = {"COT_METHOD": "greedy", "LIMIT": ""}
    assert ready.run("run.sh", DATASET_PATH="my data.jsonl", **once)[0] == 0
    assert ready.run("run.sh", "--dataset_path=mine.csv", "--input-field", "q", **once)[0] == 0
    assert ready.run("run.sh", DATASET_PATH="g.jsonl", DATASET_NAME="gsm8k", **once)[0] == 0
    assert cells(ready) == [
        "default --model abacus --method greedy --vote all --dataset-path my data.jsonl",
        "default --model abacus --method greedy --vote all --dataset_path=mine.csv --input-field q",
        "default --model abacus --dataset gsm8k --method greedy --vote all --dataset-path g.jsonl",
    ]
    assert ready.run("run.sh", DATASET_PATH="g.jsonl", DATASET_NAME="gsm8k math", **once)[0] == 2


def test_one_table_of_everything_this_sweep_touched_closes_it(ready: Checkout) -> None:
    """MAIN-16: what other sweeps left in the same folder stays out of it."""
    ready.run("run.sh", MODEL_NAME="old", COT_METHOD="greedy")
    assert not [call for call in ready.calls() if "evaluate" in call], "a single run has a table of its own"
    ready.run("run.sh", MODEL_NAME="a b", COT_METHOD="greedy")
    assert ready.calls()[-1] == "main.py evaluate results/a-greedy.json results/b-greedy.json"


def test_a_failed_cell_does_not_stop_the_rest_and_the_worst_exit_code_counts(ready: Checkout) -> None:
    """MAIN-16."""
    failing = {"STUB_MAIN_FAILS": "--model b", "STUB_MAIN_EXIT": "2"}
    code, _ = ready.run("run.sh", MODEL_NAME="a b c", COT_METHOD="greedy", **failing)
    assert code == 2
    assert len(cells(ready)) == 3


def test_an_interrupted_cell_ends_the_sweep(ready: Checkout) -> None:
    failing = {"STUB_MAIN_FAILS": "--model b", "STUB_MAIN_EXIT": "130"}
    code, _ = ready.run("run.sh", MODEL_NAME="a b c", COT_METHOD="greedy", **failing)
    assert code == 130
    assert len(cells(ready)) == 2


def test_one_path_for_several_models_is_refused_before_anything_is_set_up(checkout: Checkout) -> None:
    code, said = checkout.run("run.sh", MODEL_NAME="a b", MODEL_PATH="weights")
    assert (code, len(said.splitlines())) == (2, 1)
    assert checkout.calls() == []


def test_dialogue_passes_its_variables_on(ready: Checkout) -> None:
    """MAIN-71."""
    assert ready.run("dialogue.sh")[0] == 0
    variables = {"model": "m", "model_path": "p", "reward_model": "r", "reward_model_path": "q"}
    assert ready.run("dialogue.sh", "--n", "8", **variables)[0] == 0
    assert ready.calls() == [
        "play.py --model abacus",
        "play.py --model m --model-path p --reward-model r --reward-model-path q --n 8",
    ]


def test_compare_passes_its_arguments_on(ready: Checkout) -> None:
    """MAIN-69."""
    assert ready.run("compare.sh", "a.json", "b.json", "--show", "3")[0] == 0
    assert ready.calls() == ["main.py compare a.json b.json --show 3"]
