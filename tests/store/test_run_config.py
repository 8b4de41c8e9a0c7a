"""config.json: one entry a method, and a resumed run is the same run."""

from pathlib import Path
from typing import Any

import pytest

from inference_kit.errors import UserError
from inference_kit.store.run_config import (
    check_same_run,
    list_changes,
    read_entries,
    read_entry,
    write_entry,
)


def entry(**settings: Any) -> dict[str, Any]:
    return {"dataset": "abacus", "method": "greedy", "problems": 3, "config": {"depends_on": settings}}


def test_each_method_has_an_entry_of_its_own(tmp_path: Path) -> None:
    write_entry(tmp_path, "greedy", entry(n=1), fresh=False)
    write_entry(tmp_path, "best_of_n", entry(n=4), fresh=False)
    assert read_entry(tmp_path, "greedy")["config"] == {"depends_on": {"n": 1}}
    assert read_entry(tmp_path, "mcts") == {}
    assert [sorted(each) for each in read_entries(tmp_path)] == [["config", "dataset", "method"]] * 2


def test_a_run_keeps_its_id_until_it_starts_anew(tmp_path: Path) -> None:
    first = write_entry(tmp_path, "greedy", entry(n=1), fresh=False)
    assert write_entry(tmp_path, "greedy", entry(n=2), fresh=False) == first
    assert write_entry(tmp_path, "greedy", entry(n=2), fresh=True) != first
    assert len(first) == 16


def test_a_run_with_other_settings_is_refused_and_each_difference_named(tmp_path: Path) -> None:
    check_same_run(tmp_path, "greedy", {"n": 1})
    write_entry(tmp_path, "greedy", entry(n=1, seed=0), fresh=False)
    check_same_run(tmp_path, "greedy", {"n": 1, "seed": 0})
    with pytest.raises(UserError, match=r"other settings \(n: 1 -> 2; top_k: None -> 5\)"):
        check_same_run(tmp_path, "greedy", {"n": 2, "seed": 0, "top_k": 5})


def test_a_run_of_an_earlier_version_goes_on_where_it_meant_the_same(tmp_path: Path) -> None:
    write_entry(tmp_path, "greedy", entry(model="mine", n=1), fresh=False)
    now = {"model": "mine:ends=7", "n": 1}
    check_same_run(tmp_path, "greedy", now, {"model": "mine"})
    for former in ("", "other"):
        with pytest.raises(UserError, match="model: 'mine' -> 'mine:ends=7'"):
            check_same_run(tmp_path, "greedy", now, {"model": former})
    with pytest.raises(UserError, match=r"other settings \(n: 1 -> 2\)"):
        check_same_run(tmp_path, "greedy", now | {"n": 2}, {"model": "mine"})


def test_changes_are_listed_with_both_values() -> None:
    assert list_changes({"a": 1, "b": 2}, {"b": 2, "c": "x"}) == ["a: 1 -> None", "c: None -> 'x'"]


@pytest.mark.parametrize(("text", "said"), [("[]", "not a config of this program"), ('{"schema": 99}', "is newer")])
def test_a_config_of_another_program_or_a_newer_schema_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        read_entry(tmp_path, "greedy")
