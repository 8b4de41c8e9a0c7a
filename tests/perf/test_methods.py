"""The table of methods: every row is a run that exists, and rows of one curve differ in their numbers alone."""

from inference_kit.registry import read_settings
from inference_kit.search import METHODS, Needs
from inference_kit.voting import VOTES
from perf.methods import CELLS, Cell, format_table


def test_every_method_that_fits_the_bundled_model_has_a_row() -> None:
    missing = set(METHODS) - {cell.method for cell in CELLS}
    assert missing == {"universal_self_consistency", "vanilla"}
    assert {name for name, each in METHODS.items() if each.needs != Needs()} <= {cell.method for cell in CELLS}


def test_every_setting_of_a_row_is_one_of_its_method() -> None:
    for cell in CELLS:
        words = [word.removeprefix("--").replace("-", "_") for word in cell.settings.split() if word.startswith("--")]
        assert set(words) <= {*read_settings(METHODS[cell.method].function), "temperature", "step_tokens"}
        assert not cell.vote or cell.vote in VOTES


def test_budgets_of_one_method_make_one_curve() -> None:
    assert len({Cell("mcts", f"--iterations {n} --c-puct 0.02").curve for n in (8, 32)}) == 1
    assert Cell("mcts", "--value rollout").curve != Cell("mcts").curve


def test_the_table_shows_accuracy_with_its_interval_and_tokens_of_earlier_runs_too() -> None:
    """BEY-03."""
    metrics = {
        "accuracy": 0.5,
        "ci95": [0.4, 0.6],
        "generated_tokens": 100,
        "cached_tokens": 300,
        "reward_tokens": 800,
        "total": 10,
    }
    assert format_table([(Cell("greedy"), metrics)]).splitlines()[-1] == (
        "| greedy |  | its own | 50.0 [40, 60] | 40 | 80 |"
    )
