"""Tensor parallel: one decode loop on several GPUs, each with its share of every layer, in a process of its own.

Why: `transformers` shares layers out between processes that must all run the same passes in the same order; the decode
loop is deterministic, so each process runs a whole one and is told the same things at the same time.
Promises: rows say what they would say on one GPU, as far as floating-point sums do; where a process dies, all end and
the error says so; they end with the program, however it ends.
"""

import os
import shutil
import tempfile
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference_kit.errors import EngineError, UserError
from inference_kit.models.decode.decode_loop import DecodeLoop
from inference_kit.models.decode.detokenize import ReplyText
from inference_kit.models.decode.masks import set_attention
from inference_kit.models.decode.sampling import Sureness
from inference_kit.models.decode.sequences import Row
from inference_kit.models.local.devices import Placement, choose_device
from inference_kit.models.local.loading import load_model
from inference_kit.models.local.weights import Weights
from inference_kit.records import FinishReason, GenerationConfig

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

SECONDS_TO_END = 5.0


@dataclass(frozen=True, slots=True)
class Share:
    """What each process needs to load its share of a model; `tokenizer` finds stop texts and step boundaries."""

    weights: Weights
    tokenizer: Any
    slots: int
    eos: frozenset[int]
    placement: Placement = Placement()
    attention: str = "auto"
    trust_remote_code: bool = False


@dataclass(frozen=True, slots=True)
class _Job:
    """A row on its way to the processes."""

    prompt: tuple[int, ...]
    config: GenerationConfig
    seed: int
    room: int
    begun: int


@dataclass(frozen=True, slots=True)
class _Progress:
    """What a row has become."""

    written: list[int]
    logprob: float
    sureness: list[Sureness]
    finish_reason: FinishReason | None
    error: EngineError | None


def check_size(size: int, device: str, config: Any) -> None:
    """Refuse what cannot be shared out.

    Raises:
        UserError: for more processes than GPUs, and for attention heads that do not divide.
    """
    import torch

    place = choose_device(device)
    if place == "cuda" and size > torch.cuda.device_count():
        raise UserError(
            f"{size} GPUs are wanted and {torch.cuda.device_count()} are here",
            where="--tensor-parallel-size",
            fix="Lower it, or look at CUDA_VISIBLE_DEVICES.",
        )
    heads = config.get("num_key_value_heads") or config.get("num_attention_heads") or size
    if heads % size:
        raise UserError(
            f"{heads} key-value heads cannot be shared out between {size}",
            where="--tensor-parallel-size",
            fix="Choose a number that divides them, or --device-map auto.",
        )


class ParallelLoop:
    """A `DecodeLoop` in `size` processes; to its caller, a loop like any other.

    Raises:
        UserError: where a share does not load.
    """

    def __init__(self, share: Share, size: int) -> None:
        import multiprocessing

        self.waiting: deque[Row] = deque()
        self._live: dict[int, Row] = {}
        self._born = 0
        context = multiprocessing.get_context("spawn")
        folder = Path(tempfile.mkdtemp())
        ends = [context.Pipe() for _ in range(size)]
        self._pipes = [ours for ours, _ in ends]
        self._processes = [
            context.Process(target=_work, args=(rank, size, str(folder / "meeting"), share, theirs), daemon=True)
            for rank, (_, theirs) in enumerate(ends)
        ]
        for process in self._processes:
            process.start()
        for _, theirs in ends:
            theirs.close()
        try:
            self._answers()
        finally:
            shutil.rmtree(folder)

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self.waiting or self._live)

    def advance(self, steps: int) -> list[Row]:
        """Take up to `steps` steps in all processes, and stop early once a row has finished; return those."""
        jobs: dict[int, _Job] = {}
        for row in self.waiting:
            if not row.cancelled:
                jobs[self._born] = _Job(row.prompt, row.config, row.seed, row.room, row.begun)
                self._live[self._born] = row
                self._born += 1
        self.waiting.clear()
        cancelled = [number for number, row in self._live.items() if row.cancelled]
        for number in cancelled:
            del self._live[number]
        try:
            for pipe in self._pipes:
                pipe.send((steps, jobs, cancelled))
        except OSError as error:
            self._kill()
            raise _died() from error
        finished: list[Row] = []
        for number, progress in self._answers()[0].items():
            row = self._live[number]
            row.written, row.logprob, row.sureness = progress.written, progress.logprob, progress.sureness
            row.finish_reason, row.error = progress.finish_reason, progress.error
            if row.finish_reason or row.error:
                finished.append(self._live.pop(number))
        return finished

    def close(self) -> None:
        """End the processes."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(SECONDS_TO_END)
            if process.is_alive():
                process.kill()

    def _answers(self) -> list[Any]:
        """What each process has to say; the first error is raised, and ends all of them."""
        from multiprocessing.connection import wait

        answers: dict[int, Any] = {}
        sentinels = [process.sentinel for process in self._processes]
        while len(answers) < len(self._pipes):
            open_pipes = [pipe for rank, pipe in enumerate(self._pipes) if rank not in answers]
            ready = wait([*open_pipes, *sentinels])
            for rank, pipe in enumerate(self._pipes):
                if pipe in ready:
                    answers[rank] = _received(pipe)
            error = next((answer for answer in answers.values() if isinstance(answer, Exception)), None)
            if error is None and not any(pipe in ready for pipe in open_pipes):
                error = _died()
            if error is not None:
                self._kill()
                raise error
        return [answers[rank] for rank in range(len(self._pipes))]

    def _kill(self) -> None:
        for process in self._processes:
            process.kill()


def _received(pipe: "Connection") -> Any:
    try:
        return pipe.recv()
    except (EOFError, OSError):
        return _died()


def _died() -> EngineError:
    return EngineError("a process of the tensor-parallel engine has died", fix="Its log is above.")


def _work(rank: int, size: int, meeting: str, share: Share, pipe: "Connection") -> None:
    """A process: load a share, then do as told until nobody is there to tell."""
    try:
        loop = _loop(rank, size, meeting, share)
        pipe.send({})
        rows: dict[int, Row] = {}
        while not isinstance(orders := _received(pipe), EngineError):
            steps, jobs, cancelled = orders
            for number, job in jobs.items():
                watch = ReplyText(share.tokenizer, (), ()).watch(job.config)
                rows[number] = Row(job.prompt, job.config, job.seed, job.room, watch, job.begun)
                loop.waiting.append(rows[number])
            for number in cancelled:
                rows.pop(number).cancelled = True
            loop.advance(steps)
            progress = {number: _progress(row) for number, row in rows.items() if row.written or row.error}
            pipe.send(progress if rank == 0 else {})
            rows = {number: row for number, row in rows.items() if not (row.finish_reason or row.error)}
    except Exception as error:  # noqa: BLE001 - handed to the caller
        pipe.send(error)


def _loop(rank: int, size: int, meeting: str, share: Share) -> DecodeLoop:
    import torch
    from torch import distributed

    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(size))
    place = choose_device(share.placement.device)
    if place == "cuda":
        torch.cuda.set_device(rank)
    else:
        torch.set_num_threads(max(1, torch.get_num_threads() // size))
    distributed.init_process_group(
        "nccl" if place == "cuda" else "gloo", init_method=f"file://{meeting}", rank=rank, world_size=size
    )
    model = load_model(
        share.weights,
        "AutoModelForCausalLM",
        share.placement,
        attention=share.attention,
        tensor_parallel=True,
        trust_remote_code=share.trust_remote_code,
    )
    set_attention(model, share.attention)
    loop = DecodeLoop(model, slots=share.slots, eos=share.eos)
    loop.check()
    return loop


def _progress(row: Row) -> _Progress:
    return _Progress(row.written, row.logprob, row.sureness, row.finish_reason, row.error)
