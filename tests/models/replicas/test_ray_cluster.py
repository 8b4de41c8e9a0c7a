"""Copies on a Ray cluster: the same answers, and a lost actor's prompts go elsewhere."""

import asyncio
import importlib.util
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path

import pytest
from fakes import SeededEngine
from replica_fakes import Broken, Mortal, Unmakeable

from inference_kit.errors import EngineError, UserError
from inference_kit.models.base import Engine
from inference_kit.models.replicas.engine import Replicas
from inference_kit.models.replicas.ray_cluster import RayCluster, divide
from inference_kit.records import Completion, GenerationConfig, Message, Prompt

CONFIG = GenerationConfig()
needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """One local cluster of two cores for all tests here, started as a user starts one."""
    import ray
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", started.address)
        yield
    ray.shutdown()
    started.shutdown()


def prompts(n_prompts: int, n: int) -> list[Prompt]:
    return [Prompt((Message("user", f"question {i}"),), seeds=tuple(range(i, i + n))) for i in range(n_prompts)]


async def written(engine: Engine, asked: Sequence[Prompt]) -> list[list[Completion]]:
    async def one(prompt: Prompt) -> list[Completion]:
        found = [each async for each in engine.generate(prompt, CONFIG)]
        return [completion for _, completion in sorted(found, key=lambda each: each[0])]

    try:
        return await asyncio.gather(*map(one, asked))
    finally:
        await engine.close()


@needs_ray
def test_actors_write_what_the_engine_writes(cluster: None) -> None:
    asked = prompts(6, 4)
    engine = Replicas(partial(SeededEngine, answers=5), 2, RayCluster())
    assert asyncio.run(written(engine, asked)) == asyncio.run(written(SeededEngine(answers=5), asked))


@needs_ray
def test_others_take_over_from_an_actor_that_dies(cluster: None, tmp_path: Path) -> None:
    asked = prompts(6, 4)
    engine = Replicas(partial(Mortal, mark=str(tmp_path / "mark")), 2, RayCluster())
    assert asyncio.run(written(engine, asked)) == asyncio.run(written(SeededEngine("mortal"), asked))
    assert (tmp_path / "mark").exists()


@needs_ray
def test_with_all_actors_dead_the_run_ends_with_one_line(cluster: None) -> None:
    with pytest.raises(UserError, match=r"replica \d has died .* What is finished is kept") as caught:
        asyncio.run(written(Replicas(Mortal, 2, RayCluster()), prompts(4, 4)))
    assert len(str(caught.value)) < 300


@needs_ray
def test_errors_arrive_as_they_were_raised(cluster: None) -> None:
    with pytest.raises(EngineError, match="this prompt is too long"):
        asyncio.run(written(Replicas(partial(Broken, "problem"), 2, RayCluster()), prompts(1, 1)))


@needs_ray
def test_an_actor_whose_engine_cannot_be_made_says_why(cluster: None) -> None:
    with pytest.raises(UserError, match="no such folder on this machine"):
        asyncio.run(written(Replicas(partial(Unmakeable, home=os.getpid()), 2, RayCluster()), prompts(1, 1)))


@needs_ray
def test_a_copy_that_still_waits_for_a_place_holds_up_no_close(cluster: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """BEY-14: Ctrl-C while others use the cluster."""

    async def scene() -> None:
        engine = Replicas(SeededEngine, 2, RayCluster())
        answers = engine.generate(prompts(1, 1)[0], CONFIG)
        async with aclosing(answers):  # type: ignore[type-var]
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(answers), timeout=1.0)
        await engine.close()

    monkeypatch.setattr("inference_kit.models.replicas.ray_cluster.divide", lambda amounts, n: 2.0 * sum(amounts))
    asyncio.run(scene())


@needs_ray
def test_what_ray_says_of_a_death_is_kept_from_standard_output(cluster: None) -> None:
    """It belongs to `--json`. In a process of its own, because Ray reads its settings when it is imported."""
    script = """
        import asyncio
        from replica_fakes import Mortal
        from inference_kit.errors import UserError
        from inference_kit.models.replicas.ray_cluster import RayCluster
        from inference_kit.models.replicas.engine import Replicas
        from inference_kit.records import GenerationConfig, Message, Prompt

        async def main():
            engine = Replicas(Mortal, 1, RayCluster())
            try:
                async for _ in engine.generate(Prompt((Message("user", "?"),), seeds=(1, 2, 3)), GenerationConfig()):
                    pass
            except UserError as error:
                await asyncio.sleep(2)
                print("at the end:", error.what.split(" (")[0])
            await engine.close()

        asyncio.run(main())
    """
    home = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(home), str(home / "tests")])},
    )
    assert done.stdout == "at the end: replica 1 has died\n"


@needs_ray
def test_too_few_cores_are_said(cluster: None) -> None:
    with pytest.raises(UserError, match="3 replicas need 3 cores, and the cluster has 2"):
        asyncio.run(written(Replicas(SeededEngine, 3, RayCluster()), prompts(1, 1)))


@pytest.mark.parametrize(
    ("address", "said"),
    [("127.0.0.1:1", "no Ray cluster answers at 127.0.0.1:1"), ("ray://127.0.0.1:10001", "RAY_ADDRESS=HOST:PORT")],
)
def test_a_cluster_that_cannot_be_used_is_said_at_once(
    monkeypatch: pytest.MonkeyPatch, address: str, said: str
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    with pytest.raises(UserError, match=said):
        Replicas(SeededEngine, 2, RayCluster()).check(CONFIG)


def test_without_ray_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"Ray is not installed\. Run: .* -m pip install -r requirements-ray\.txt"):
        Replicas(SeededEngine, 2, RayCluster()).check(CONFIG)


@pytest.mark.parametrize(
    ("amounts", "n", "each"),
    [
        ([8], 2, 4.0),
        ([8], 3, 2.0),
        ([3, 3], 3, 1.0),
        ([1, 1, 1, 1], 2, 1.0),
        ([2, 4], 3, 2.0),
        ([1], 4, 0.25),
        ([1, 1], 3, 0.5),
        ([], 2, 0.0),
        ([0, 0], 2, 0.0),
    ],
)
def test_machines_are_shared_out_so_that_every_copy_has_a_place(amounts: list[int], n: int, each: float) -> None:
    assert divide(amounts, n) == each
