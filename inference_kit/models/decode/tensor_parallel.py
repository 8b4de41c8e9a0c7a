"""Tensor parallel: one decode loop on several GPUs, each with its share of every layer, in a process of its own.

Why: `transformers` shares layers out between processes that must all run the same passes in the same order; the decode
loop is deterministic, so each process runs a whole one and gets the same orders at the same time.
Promises: a sequence gets the tokens that it would get on one GPU, as far as floating-point sums do; where a process
dies, all end and the error says why; they end with the program, however it ends.
"""

import os
import tempfile
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference_kit.errors import EngineError, UserError, named
from inference_kit.models.decode.decode_loop import DecodeLoop
from inference_kit.models.decode.detokenize import Detokenizer
from inference_kit.models.decode.masks import set_attention
from inference_kit.models.decode.sampling import TokenDetails
from inference_kit.models.decode.sequences import SequenceState
from inference_kit.models.local.devices import Placement, choose_device
from inference_kit.models.local.loading import load_model
from inference_kit.models.local.weights import Weights
from inference_kit.processes.child import ChildLost, ChildProcess, receive_from_all
from inference_kit.processes.messages import Packed, pack, wrap_error
from inference_kit.processes.owner import Owner
from inference_kit.records import FinishReason, GenerationConfig


@dataclass(frozen=True, slots=True)
class Share:
    """What each process needs to load its share of a model; `tokenizer` finds stop texts and step boundaries."""

    weights: Weights
    tokenizer: Any
    slots: int
    end_ids: frozenset[int]
    placement: Placement = Placement()
    attention: str = "auto"
    trust_remote_code: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """The first message to a process: which one it is of how many, where they meet, and its `Share`, packed."""

    rank: int
    size: int
    meeting: str
    share: Packed


@dataclass(frozen=True, slots=True)
class NewSequence:
    """A sequence on its way to the processes."""

    prompt_ids: tuple[int, ...]
    config: GenerationConfig
    seed: int
    max_tokens: int
    n_prefix: int


@dataclass(frozen=True, slots=True)
class Orders:
    """What every process does next: add sequences, give others up, and take up to so many steps."""

    steps: int
    new: Mapping[int, NewSequence]
    cancelled: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SequenceProgress:
    """What a sequence has become."""

    token_ids: list[int]
    logprob: float
    details: list[TokenDetails]
    finish_reason: FinishReason | None
    error: EngineError | None


@dataclass(frozen=True, slots=True)
class Progress:
    """The sequences that have been written on, by their numbers; only the first process tells."""

    sequences: Mapping[int, SequenceProgress]


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
            where=named("tensor_parallel_size"),
            fix="Lower it, or look at CUDA_VISIBLE_DEVICES.",
        )
    heads = config.get("num_key_value_heads") or config.get("num_attention_heads") or size
    if heads % size:
        raise UserError(
            f"{heads} key-value heads cannot be shared out between {size}",
            where=named("tensor_parallel_size"),
            fix=f"Choose a number that divides them, or {named('device_map')} auto.",
        )


class ParallelLoop:
    """A `DecodeLoop` in `size` processes; to its caller, a loop like any other.

    Raises:
        UserError: where a share does not load.
    """

    def __init__(self, share: Share, size: int) -> None:
        self.waiting: deque[SequenceState] = deque()
        self._live: dict[int, SequenceState] = {}
        self._n_numbered = 0
        packed = pack(share)
        self._children = [ChildProcess(__name__, f"rank {rank}") for rank in range(size)]
        with tempfile.TemporaryDirectory() as folder:
            for rank, child in enumerate(self._children):
                child.send(Member(rank, size, str(Path(folder, "meeting")), packed))
            self._receive()

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return bool(self.waiting or self._live)

    def advance(self, steps: int) -> list[SequenceState]:
        """Take up to `steps` steps in all processes, and stop early once a sequence has ended; return those."""
        orders = Orders(steps, self._take_in(), self._give_up())
        for child in self._children:
            child.send(orders)
        finished: list[SequenceState] = []
        for number, state in self._receive().sequences.items():
            sequence = self._live[number]
            sequence.token_ids, sequence.logprob, sequence.details = state.token_ids, state.logprob, state.details
            sequence.finish_reason, sequence.error = state.finish_reason, state.error
            if sequence.ended:
                finished.append(self._live.pop(number))
        return finished

    def close(self) -> None:
        """End the processes."""
        for child in self._children:
            child.end()

    def _take_in(self) -> dict[int, NewSequence]:
        """Number the sequences that wait, and return them as messages."""
        new: dict[int, NewSequence] = {}
        for sequence in self.waiting:
            if not sequence.cancelled:
                new[self._n_numbered] = NewSequence(
                    sequence.prompt_ids, sequence.config, sequence.seed, sequence.max_tokens, sequence.n_prefix
                )
                self._live[self._n_numbered] = sequence
                self._n_numbered += 1
        self.waiting.clear()
        return new

    def _give_up(self) -> tuple[int, ...]:
        """Drop the sequences that nobody wants any more, and return their numbers."""
        cancelled = tuple(number for number, sequence in self._live.items() if sequence.cancelled)
        for number in cancelled:
            del self._live[number]
        return cancelled

    def _receive(self) -> Progress:
        """Return what the first process tells; an error or a death of any of them ends all."""
        try:
            first: Progress = receive_from_all(self._children)[0]
        except ChildLost as loss:
            self.close()
            raise EngineError(
                f"a process of the tensor-parallel engine has died ({loss.reason})", fix="--debug shows its log."
            ) from loss
        except Exception:
            self.close()
            raise
        return first


def main(owner: Owner) -> None:
    """Load a share, and follow orders until the owner is gone."""
    owner.watch()
    owner.forward_log()
    member = owner.receive()
    if member is None:
        return
    try:
        _work(owner, member)
    except Exception as error:  # noqa: BLE001 - handed to the owner
        owner.send(wrap_error(error))


def _work(owner: Owner, member: Member) -> None:
    """Run the decode loop of one process until the owner is gone."""
    share: Share = member.share.unpack()
    loop = _load_loop(member, share)
    owner.send(Progress({}))
    sequences: dict[int, SequenceState] = {}
    while (orders := owner.receive()) is not None:
        for number, new in orders.new.items():
            prefix = new.prompt_ids[len(new.prompt_ids) - new.n_prefix :]
            find_end = Detokenizer(share.tokenizer, new.prompt_ids, prefix).build_end_finder(new.config)
            sequences[number] = SequenceState(
                new.prompt_ids, new.config, new.seed, new.max_tokens, find_end, new.n_prefix
            )
            loop.waiting.append(sequences[number])
        for number in orders.cancelled:
            sequences.pop(number).cancelled = True
        loop.advance(orders.steps)
        states = {
            number: _measure_progress(sequence)
            for number, sequence in sequences.items()
            if sequence.token_ids or sequence.error
        }
        owner.send(Progress(states if member.rank == 0 else {}))
        sequences = {number: sequence for number, sequence in sequences.items() if not sequence.ended}


def _load_loop(member: Member, share: Share) -> DecodeLoop:
    """Join the group of processes, and load this one's share."""
    import torch
    from torch import distributed

    rank, size = member.rank, member.size
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(size))
    place = choose_device(share.placement.device)
    if place == "cuda":
        torch.cuda.set_device(rank)
    else:
        torch.set_num_threads(max(1, torch.get_num_threads() // size))
    distributed.init_process_group(
        "nccl" if place == "cuda" else "gloo", init_method=f"file://{member.meeting}", rank=rank, world_size=size
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
    loop = DecodeLoop(model, slots=share.slots, end_ids=share.end_ids)
    loop.check()
    return loop


def _measure_progress(sequence: SequenceState) -> SequenceProgress:
    """Return how far a sequence has come."""
    return SequenceProgress(
        sequence.token_ids, sequence.logprob, sequence.details, sequence.finish_reason, sequence.error
    )
