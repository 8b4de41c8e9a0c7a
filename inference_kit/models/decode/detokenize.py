"""The text of a reply from its ids: where it ends, what of it is whole, and which piece each token added.

Why: a token alone loses spaces and halves of characters, so ids become text only behind what stands before them.
Promises: the texts of steps written one after another, and the pieces of a reply's tokens, add up to what the tokenizer
makes of all ids at once; a stop text and what follows it are cut; a text does not end within a character.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from inference_kit.models.decode.sampling import Sureness
from inference_kit.models.decode.sequences import Row
from inference_kit.records import Completion, FinishReason, GenerationConfig, Token

HALF_SIGN = "\ufffd"
"""What the bytes of an unfinished character decode to."""
NEIGHBOURS = 8
"""Tokens that a piece is decoded behind: what a tokenizer makes of a token depends on these at the most."""


@dataclass(frozen=True, slots=True)
class ReplyText:
    """Turns what a row has written into text; `prefix` are the ids of the partial answer at the end of `ids`."""

    tokenizer: Any
    ids: tuple[int, ...]
    prefix: tuple[int, ...]

    def row(self, config: GenerationConfig, seed: int, room: int) -> Row:
        """A row that writes this reply on, at most `room` tokens."""
        return Row(self.ids, config, seed, room, self.watch(config), begun=len(self.prefix))

    def of(self, written: Sequence[int]) -> str:
        """The text of the written ids, as it stands behind the partial answer, whose half signs it begins with."""
        return self._behind(self.prefix, written)

    def watch(self, config: GenerationConfig) -> Callable[[Sequence[int]], FinishReason | None] | None:
        """What tells whether a stop text or a step boundary has come; it decodes only the last few tokens."""
        endings = [(text, "stop") for text in config.stop] + (
            [(config.boundary, "boundary")] if config.boundary else []
        )
        if not endings:
            return None
        longest = max(len(text.encode()) for text, _ in endings)

        def ended(written: Sequence[int]) -> FinishReason | None:
            tail = self._decode(written[-longest - 1 :])
            found: list[FinishReason] = [reason for text, reason in endings if text in tail]  # type: ignore[misc]
            return found[0] if found else None

        return ended

    def completion(self, row: Row) -> Completion:
        """The record of a finished row; a stop text and what follows it are cut."""
        assert row.finish_reason is not None
        text = self.of(row.written)
        if row.finish_reason == "stop":
            text = text[: min((at for stop in row.config.stop if (at := text.find(stop)) >= 0), default=len(text))]
        else:
            text = text.rstrip(HALF_SIGN)
        return Completion(
            text,
            row.finish_reason,
            tokens=len(row.written),
            logprob=row.logprob,
            prompt_tokens=len(row.prompt),
            token_ids=() if row.finish_reason == "stop" else tuple(row.written),
            details=tuple(self._details(text, row.written, row.sureness)),
        )

    def _details(self, text: str, written: Sequence[int], sureness: Sequence[Sureness]) -> Iterator[Token]:
        """One record for each token; its text is cut from `text`, so that the pieces add up to it."""
        ids, read, shown = [*self.prefix, *written], len(self.prefix), 0
        while read and self._decode(ids[max(0, read - NEIGHBOURS) : read]).endswith(HALF_SIGN):
            read -= 1  # the first bytes of the character that the reply begins with
        for end, sure in enumerate(sureness, start=len(self.prefix) + 1):
            piece = self._behind(ids[max(0, read - NEIGHBOURS) : read], ids[read:end])
            whole = not piece.endswith(HALF_SIGN)
            until = len(text) if end == len(ids) else min(len(text), shown + len(piece) if whole else shown)
            yield Token(text[shown:until], sure.logprob, sure.margin, sure.confidence, sure.certainty)
            if whole:
                read, shown = end, until

    def _behind(self, before: Sequence[int], written: Sequence[int]) -> str:
        known = self._decode(before).rstrip(HALF_SIGN) if before else ""
        whole = self._decode([*before, *written])
        return whole[len(known) :] if whole.startswith(known) else self._decode(written)

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text


class GrowingText:
    """The text of a row that is being written, piece by piece; what may become a stop text is held back."""

    def __init__(self, reply: ReplyText, row: Row) -> None:
        self._reply, self._row, self._shown = reply, row, 0
        self._held = max(map(len, row.config.stop), default=1) - 1

    def next_piece(self) -> str:
        """Return the text that is certain by now and was not returned yet; empty once the row has ended."""
        written = self._reply.of(self._row.written).rstrip(HALF_SIGN)
        piece = "" if self._row.finish_reason else written[self._shown : len(written) - self._held]
        self._shown += len(piece)
        return piece

    def rest_of(self, completion: Completion) -> str:
        """Return what of the whole text was not returned yet."""
        return completion.text[self._shown :]
