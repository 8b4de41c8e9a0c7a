"""The tables of docs/real-models.md, from short runs with a scripted model."""

import sys
from functools import partial
from pathlib import Path

import pytest
from fakes import SeededEngine

from data_config import supported_dataset
from inference_kit import cli
from inference_kit.setup.registries import Registries
from inference_kit.store.results import read_final
from perf import real_models

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two engines, one of them without sampling, on six problems that stand for both data sets."""
    found = tmp_path_factory.mktemp("runs")
    registries = Registries({"toy": partial(SeededEngine)}, {}, supported_dataset, ROOT)
    data = ROOT / "benchmark" / "abacus.jsonl"
    votes = ("--n", "8", "--vote", "majority_vote,confidence_vote")
    for engine, words in [("huggingface", ("--method", "greedy")), ("huggingface", votes), ("vllm", votes)]:
        chosen = ("--model", "toy", "--dataset", "gsm8k", "--dataset-path", str(data), "--limit", "6")
        stored = ("--work-dir", str(found), "--exp-name", engine)
        assert cli.main(["run", *chosen, *stored, *words], registries) == 0
    return found


def test_there_is_a_column_for_each_engine_and_a_row_for_each_way_to_an_answer(work_dir: Path) -> None:
    header, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in real_models.write_table(work_dir, "gsm8k").splitlines()
    ]
    table = {label: cells for label, *cells in rows}
    assert header == ["GSM8K", "`huggingface`", "vLLM on the CPU"]
    assert table["problems"] == ["6", "6"]
    assert table["greedy"][1] == ""
    about, _ = read_final(work_dir / "gsm8k" / "toy+none+vllm" / "gsm8k-best_of_n-majority_vote.json")
    accuracy, passed = about["metrics"]["accuracy"], about["metrics"]["pass_at"]["8"]
    assert table["majority_vote, 8"][1].startswith(f"{100 * accuracy:.1f} [")
    assert table["pass@8"][1].startswith(f"{100 * passed:.1f} [")
    assert list(table) == [label for label in real_models.ROWS if label in table]


def test_a_page_gets_its_tables_and_missing_runs_are_one_line(
    work_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- results -->\nold\n<!-- /results -->\n")
    monkeypatch.setattr(real_models, "DATASETS", {"gsm8k": "GSM8K"})
    monkeypatch.setattr(sys, "argv", ["real_models.py", str(work_dir), "--page", str(page)])
    real_models.main()
    assert "| greedy |" in page.read_text()
    monkeypatch.setattr(sys, "argv", ["real_models.py", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"no runs on gsm8k.*real_models\.sh"):
        real_models.main()
