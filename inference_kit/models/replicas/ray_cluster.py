"""Copies of an engine on a Ray cluster, each an actor with its share of the GPUs, or else of the cores.

Why: Ray knows the machines of a cluster and what is free on them; the run itself stays where it was started.
Promises: RAY_ADDRESS names the cluster, without it one is started here and ended again; a copy on a machine that is
lost counts as dead, and its prompts go elsewhere.
"""

import asyncio
import contextlib
import importlib.util
import os
import pickle
import socket
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from inference_kit.errors import UserError, first_line, named
from inference_kit.models.base import Engine
from inference_kit.models.replicas.replica import KEPT, Answer, EngineFactory, ReplicaLost, Request, answer_request
from inference_kit.processes.messages import Raised, wrap_error

REACH_SECONDS, CLOSING_SECONDS = 5.0, 10.0
AT_ONCE = 10_000
"""Requests that an actor takes at a time; its engine knows better how many to work on."""


class RayCluster:
    """Starts copies on a Ray cluster."""

    def check(self, make: EngineFactory) -> None:
        """Refuse where Ray is not installed, or its cluster does not answer; Ray itself would try for minutes."""
        if importlib.util.find_spec("ray") is None:
            raise UserError(
                "Ray is not installed",
                where=f"{named('distributed')} ray",
                fix=f"Run: {sys.executable} -m pip install -r requirements-ray.txt.",
            )
        address = os.environ.get("RAY_ADDRESS", "")
        host, _, port = address.rpartition(":")
        if "://" in address:
            raise UserError(
                f"RAY_ADDRESS is {address}, and Ray's client protocol cannot carry answers as they come",
                where=f"{named('distributed')} ray",
                fix="Start the run on a machine of the cluster, with RAY_ADDRESS=HOST:PORT of its head.",
            )
        if port.isdecimal():
            _try_to_connect(host, int(port))

    def start(self, make: EngineFactory, n: int) -> Sequence["RayReplica"]:
        """Start `n` actors, spread over the machines.

        Raises:
            UserError: where the cluster cannot be joined, or has too few cores.
        """
        os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".*")  # else it tells of deaths on standard output
        import ray

        try:
            ray.init(log_to_driver=False, logging_level="ERROR", include_dashboard=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UserError(
                f"Ray cannot be started: {first_line(error)}",
                where=f"{named('distributed')} ray",
                fix="Look at RAY_ADDRESS; a cluster that asks for a token finds it in RAY_AUTH_TOKEN.",
            ) from error
        machines = [machine["Resources"] for machine in ray.nodes() if machine["Alive"]]
        all_cores, all_gpus = ([int(each.get(name, 0)) for each in machines] for name in ("CPU", "GPU"))
        cores, gpus = divide(all_cores, n), divide(all_gpus, n)
        if cores < 1:
            raise UserError(
                f"{n} replicas need {n} cores, and the cluster has {sum(all_cores)}",
                where=named("replicas"),
                fix="Lower it, or add machines.",
            )
        host = ray.remote(RayHost).options(
            num_cpus=1 if gpus else cores,  # Ray gives as many threads; a copy on a GPU must not wait for cores
            num_gpus=gpus,
            max_concurrency=AT_ONCE,
            scheduling_strategy="SPREAD",
        )
        packed = ray.cloudpickle.dumps(make)
        return [RayReplica(f"replica {number + 1}", host.remote(sys.path, packed)) for number in range(n)]

    def end(self) -> None:
        """Leave the cluster; one that was started here ends."""
        if "ray" in sys.modules:
            sys.modules["ray"].shutdown()


def _try_to_connect(host: str, port: int) -> None:
    try:
        socket.create_connection((host, port), REACH_SECONDS).close()
    except OSError as error:
        raise UserError(
            f"no Ray cluster answers at {host}:{port} ({error})",
            where=f"{named('distributed')} ray",
            fix="Look at RAY_ADDRESS; `ray start --head` starts a cluster, and without RAY_ADDRESS the run does.",
        ) from error


def divide(amounts: Sequence[int], n: int) -> float:
    """Return how much each of `n` copies can have, where machines have `amounts`: whole units, or else a part of one.

    No copy spans machines, and none may be left without a place.
    """
    if not sum(amounts):
        return 0.0
    for size in range(max(amounts), 0, -1):
        if sum(amount // size for amount in amounts) >= n:
            return float(size)
    return 1.0 / -(-n // sum(amounts))


class RayHost:
    """The actor: an engine, and what it answers; where the engine cannot be made, why not."""

    def __init__(self, path: Sequence[str], packed: bytes) -> None:
        sys.path += [folder for folder in path if folder not in sys.path]  # Ray knows that of its script only
        self._engine: Engine | None = None
        try:
            self._engine = pickle.loads(packed)()
        except UserError as error:
            self._failure = Raised(error)
        except Exception as error:  # noqa: BLE001 - handed to the owner
            self._failure = Raised(ReplicaLost(f"a replica cannot be made ({type(error).__name__}: {error})"))

    async def ask(self, request: Request) -> AsyncIterator[Answer | Raised]:
        """Yield the answers to a request as they come; what the engine raises comes last, as a value."""
        if self._engine is None:
            yield self._failure
            return
        try:
            async with aclosing(answer_request(self._engine, request)) as answers:
                async for answer in answers:
                    yield answer
        except Exception as error:  # noqa: BLE001 - handed to the owner
            yield wrap_error(error)

    async def close(self) -> None:
        """End what the engine has started."""
        if self._engine is not None:
            await self._engine.close()


class RayReplica:
    """A copy in an actor."""

    def __init__(self, name: str, actor: Any) -> None:
        self.name, self._actor, self._has_answered = name, actor, False

    async def ask(self, request: Request) -> AsyncGenerator[Answer]:
        """Yield the answers to a request as they come; what is closed before its end is taken back.

        Raises:
            ReplicaLost: where the actor or its machine is lost.
        """
        import ray
        from ray.exceptions import ObjectLostError, RayActorError

        replies = self._actor.ask.remote(request)
        finished = False
        try:
            async for reply in replies:
                self._has_answered = True
                answer = await reply
                if isinstance(answer, Raised):
                    raise answer.error
                yield answer
            finished = True
        except (RayActorError, ObjectLostError) as error:
            finished = True
            reason = first_line(error).rstrip(".")
            raise ReplicaLost(
                f"{self.name} has died ({reason})", where=f"{named('distributed')} ray", fix=KEPT
            ) from error
        finally:
            if not finished and ray.is_initialized():  # else Ray would start a cluster to ask it
                ray.cancel(replies)

    async def close(self) -> None:
        """End the actor; its engine first, unless that has not loaded or the actor still waits for a place."""
        import ray
        from ray.exceptions import RayActorError

        if self._has_answered:
            with contextlib.suppress(RayActorError, TimeoutError):
                await asyncio.wait_for(self._actor.close.remote(), CLOSING_SECONDS)
        await asyncio.to_thread(ray.kill, self._actor)
