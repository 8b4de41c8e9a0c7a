"""Writer: what a prompt becomes with its settings, in vLLM's words, and what vLLM's answers become.

Why: vLLM gives tokens, log-probabilities and a reason; text, steps and token details are made of these as for every
other engine of local weights.
"""

import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from inference_kit.errors import EngineError
from inference_kit.flow import as_finished
from inference_kit.models.decode.detokenize import Detokenizer, GrowingText
from inference_kit.models.decode.sampling import LEAST_LOGPROB, LIKELIEST, TokenDetails
from inference_kit.models.decode.sequences import SequenceState
from inference_kit.models.vllm.messages import Rivals, Write, Written
from inference_kit.models.vllm.process import VllmProcess
from inference_kit.records import Completion, FinishReason, GenerationConfig


class Writer:
    """One prompt with its settings, to be continued by vLLM."""

    def __init__(
        self, process: VllmProcess, text: Detokenizer, config: GenerationConfig, room: int, end_ids: frozenset[int]
    ) -> None:
        self.config = config
        self._process, self._text, self._room, self._end_ids = process, text, room, end_ids
        self._marks = text.find_marks(config)

    async def write(self, seeds: Sequence[int]) -> AsyncGenerator[tuple[int, Completion]]:
        """Write a completion with each seed; yield each with its place when it is whole."""
        request = Write(self._text.prompt_ids, tuple(seeds), self._build_sampling(self._room))
        async with aclosing(self._process.ask(request)) as answers:
            async for written in answers:
                yield written.place, self._build_completion(self._read_sequence(written))

    async def write_once(self, seeds: Sequence[int]) -> AsyncGenerator[tuple[int, Completion]]:
        """Write one completion and yield it at every place: at temperature 0 all are the same."""
        async with aclosing(self.write(seeds[:1])) as written:
            async for _, completion in written:
                for place in range(len(seeds)):
                    yield place, completion

    async def stream(self, place: int, seed: int) -> AsyncGenerator[tuple[int, str | Completion], None]:
        """Write one completion and show its text while it grows; each piece, and the completion, with `place`."""
        sequence = self._begin_sequence()
        growing = GrowingText(self._text, sequence)
        request = Write(self._text.prompt_ids, (seed,), self._build_sampling(self._room), streams=True)
        async with aclosing(self._process.ask(request)) as pieces:
            async for written in pieces:
                self._lengthen(sequence, written)
                if piece := growing.take_piece():
                    yield place, piece
        completion = self._build_completion(sequence)
        yield place, growing.take_rest(completion)
        yield place, completion

    async def write_branches(self, ranks: Sequence[int]) -> AsyncGenerator[tuple[int, Completion]]:
        """Write a completion from the first token of each of `ranks`; yield each with its place when it is whole."""
        sampling = self._build_sampling(1) | {"logprobs": max(LIKELIEST, max(ranks) + 1), "temperature": 0.0}
        first = await self._write_one(Write(self._text.prompt_ids, (0,), sampling))
        branches = [self._write_branch(place, first.rivals[0], rank) for place, rank in enumerate(ranks)]
        async with aclosing(as_finished(branches)) as finished:
            async for place, completion in finished:
                yield place, completion

    async def _write_branch(self, place: int, rivals: Rivals, rank: int) -> tuple[int, Completion]:
        token, logprob = rivals.likeliest[rank]
        sequence = self._begin_sequence()
        sequence.token_ids, sequence.logprob, sequence.details = [token], logprob, [measure_details(logprob, rivals)]
        watch = self._text.build_end_finder(self.config)
        sequence.finish_reason = "stop" if token in self._end_ids else watch(sequence.token_ids) if watch else None
        if sequence.finish_reason is None and self._room == 1:
            sequence.finish_reason = "length"
        if sequence.finish_reason is None:
            request = Write((*self._text.prompt_ids, token), (rank,), self._build_sampling(self._room - 1))
            rest = self._read_sequence(await self._write_one(request))
            sequence.token_ids += rest.token_ids
            sequence.logprob += rest.logprob
            sequence.details += rest.details
            sequence.finish_reason = rest.finish_reason
        return place, self._build_completion(sequence)

    async def _write_one(self, request: Write) -> Written:
        [written] = [each async for each in self._process.ask(request)]
        return written  # type: ignore[no-any-return]

    def _build_sampling(self, room: int) -> dict[str, Any]:
        """Build the settings by vLLM's names; texts to stop at are all it needs to decode for."""
        config, stops = self.config, [text for text in self._stop_texts if text not in self._marks]
        return {
            "max_tokens": room,
            "temperature": config.temperature,
            "top_p": config.top_p,
            "top_k": config.top_k,
            "min_p": config.min_p,
            "repetition_penalty": config.repetition_penalty,
            "frequency_penalty": config.frequency_penalty,
            "presence_penalty": config.presence_penalty,
            "stop": stops,
            "stop_token_ids": sorted({*self._end_ids, *self._marks.values()}),
            "detokenize": bool(stops),
            "logprobs": LIKELIEST if config.token_details else 0 if config.logprobs else None,
        }

    @property
    def _stop_texts(self) -> list[str]:
        return [*self.config.stop, *([self.config.boundary] if self.config.boundary else [])]

    def _begin_sequence(self) -> SequenceState:
        return SequenceState(self._text.prompt_ids, self.config, seed=0, max_tokens=self._room)

    def _read_sequence(self, written: Written) -> SequenceState:
        sequence = self._begin_sequence()
        self._lengthen(sequence, written)
        return sequence

    def _lengthen(self, sequence: SequenceState, written: Written) -> None:
        """Add what was written to a sequence, which is all of it or what came since the last piece."""
        sequence.token_ids += written.token_ids
        sequence.logprob = written.logprob or 0.0  # that of all tokens so far
        sequence.finish_reason = self._read_finish_reason(written)
        sequence.details += [measure_details(rivals.logprob, rivals) for rivals in written.rivals]

    def _read_finish_reason(self, written: Written) -> FinishReason | None:
        """Return our reason for vLLM's: of a text that ended it, whether that ends a step or the reply."""
        if written.finish_reason is None:
            return None
        if written.finish_reason == "length":
            return "length"
        if written.finish_reason != "stop":
            raise EngineError(f"vLLM gave the request up ({written.finish_reason})")
        stops = (*self.config.stop, *(self._marks[text] for text in self.config.stop if text in self._marks))
        is_step = written.stop in (self.config.boundary, self._marks.get(self.config.boundary, self.config.boundary))
        is_step = is_step and written.stop not in stops
        return "boundary" if is_step else "stop"

    def _build_completion(self, sequence: SequenceState) -> Completion:
        completion = self._text.build_completion(sequence)
        return completion if self.config.logprobs else replace(completion, logprob=None)


def measure_details(logprob: float, rivals: Rivals) -> TokenDetails:
    """Return how sure the model was of a token, by the likeliest ones; the rest of the vocabulary is not known."""
    top = [max(value, LEAST_LOGPROB) for _, value in rivals.likeliest[:LIKELIEST]]
    margin = math.exp(top[0]) - math.exp(top[1]) if len(top) > 1 else 1.0
    return TokenDetails(logprob, margin, confidence=-sum(top) / len(top), certainty=None)
