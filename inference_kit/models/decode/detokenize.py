"""Detokenizer: the text of a reply from its ids; where it ends, and which piece of it each token added.

Why: a token alone loses spaces and halves of characters, so ids become text only behind what stands before them.
Promises: the texts of steps written one after another, and the pieces of a reply's tokens, add up to what the tokenizer
makes of all ids at once; a stop text and what follows it are cut; a text does not end within a character. A special
token that ends a step is the one of its kind that is shown.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from inference_kit.models.decode.sampling import TokenDetails
from inference_kit.models.decode.sequences import SequenceState
from inference_kit.records import Completion, FinishReason, GenerationConfig, Token

HALF_CHARACTER = "\ufffd"
"""What the bytes of an unfinished character decode to."""
NEIGHBOURS = 8
"""Tokens that a piece is decoded behind: what a tokenizer makes of a token depends on these at the most."""


@dataclass(frozen=True, slots=True)
class Detokenizer:
    """Turns what is written on one prompt into text.

    `prompt_ids` are the whole prompt, `prefix_ids` the partial answer at its end.
    """

    tokenizer: Any
    prompt_ids: tuple[int, ...]
    prefix_ids: tuple[int, ...]

    def begin_sequence(self, config: GenerationConfig, seed: int, max_tokens: int) -> SequenceState:
        """Begin a sequence that goes on from the prompt, with at most `max_tokens` tokens."""
        find_end = self.build_end_finder(config)
        return SequenceState(self.prompt_ids, config, seed, max_tokens, find_end, n_prefix=len(self.prefix_ids))

    def decode(self, token_ids: Sequence[int]) -> str:
        """Decode written ids as they stand behind the partial answer.

        A character that the partial answer has only half of is whole in this text.
        """
        return self._decode_behind(self.prefix_ids, token_ids)

    def build_end_finder(self, config: GenerationConfig) -> Callable[[Sequence[int]], FinishReason | None] | None:
        """Build what tells from the written ids whether a stop text or a step boundary has come; None without any.

        It is asked after each token and decodes only the last few: a token is at least a byte of the text. A stop text
        may begin in the partial answer, as where a step has ended within it.
        """
        marks = self.find_marks(config)
        texts: list[tuple[str, FinishReason]] = [(text, "stop") for text in config.stop if text not in marks]
        if config.boundary and config.boundary not in marks:
            texts.append((config.boundary, "boundary"))
        ids: dict[int, FinishReason] = {
            token: "stop" if text in config.stop else "boundary" for text, token in marks.items()
        }
        if not texts and not ids:
            return None
        longest = max((len(text.encode()) for text, _ in texts), default=0)
        before_ids, before = self._read_tail(longest)

        def find_end(token_ids: Sequence[int]) -> FinishReason | None:
            """Find the ending among the last tokens; stop texts outrank the boundary."""
            if token_ids[-1] in ids:
                return ids[token_ids[-1]]
            seen, tail = "", self._decode(token_ids[-longest - 1 :])
            if before and len(token_ids) <= longest:
                seen, tail = before, self._decode_behind(before_ids, token_ids)
            return next(
                (reason for text, reason in texts if _find(text, seen if reason == "stop" else "", tail) is not None),
                None,
            )

        return find_end

    def find_marks(self, config: GenerationConfig) -> dict[str, int]:
        """Find which texts that end a reply or a step are special tokens, with their ids: no text ever shows these."""
        found: dict[str, int] = {}
        for text in (*config.stop, *([config.boundary] if config.boundary else [])):
            id_ = self.tokenizer.convert_tokens_to_ids(text)  # of what is no token None, or that of the unknown one
            if id_ is not None and self.tokenizer.convert_ids_to_tokens(id_) == text:
                added = self.tokenizer.added_tokens_decoder.get(id_)
                if added is not None and added.special:
                    found[text] = id_
        return found

    def build_completion(self, sequence: SequenceState) -> Completion:
        """Build the record of a finished sequence; a stop text and what follows it are cut."""
        assert sequence.finish_reason is not None
        text = self.decode(sequence.token_ids)
        if sequence.finish_reason == "stop":
            text = self._cut_stop(text, sequence.config.stop)
        else:
            text = text.rstrip(HALF_CHARACTER)
        if sequence.finish_reason == "boundary" and sequence.config.boundary in self.find_marks(sequence.config):
            text += sequence.config.boundary
        return Completion(
            text,
            sequence.finish_reason,
            tokens=len(sequence.token_ids),
            logprob=sequence.logprob,
            prompt_tokens=len(sequence.prompt_ids),
            token_ids=() if sequence.finish_reason == "stop" else tuple(sequence.token_ids),
            details=tuple(self._cut_pieces(text, sequence.token_ids, sequence.details)),
        )

    def _cut_stop(self, text: str, stops: Sequence[str]) -> str:
        """Cut a text where the first stop text begins, which may be in the partial answer."""
        _, before = self._read_tail(max((len(stop.encode()) for stop in stops), default=0))
        places = [at for stop in stops if (at := _find(stop, before, text)) is not None]
        return text[: max(0, min(places, default=len(text)))]

    def _read_tail(self, n_bytes: int) -> tuple[tuple[int, ...], str]:
        """Return the last tokens of the partial answer, which hold so many bytes of it, and their text."""
        ids = self.prefix_ids[-max(n_bytes, NEIGHBOURS) :]
        return ids, self._decode(ids).rstrip(HALF_CHARACTER) if ids else ""

    def _cut_pieces(self, text: str, token_ids: Sequence[int], details: Sequence[TokenDetails]) -> Iterator[Token]:
        """Cut `text` into one piece for each token, so that the pieces add up to it.

        A token that ends within a character gets an empty piece; the one that completes the character gets all of it.
        `read` tokens of `ids` and `shown` characters of the text are in earlier pieces.
        """
        ids, read, shown = [*self.prefix_ids, *token_ids], len(self.prefix_ids), 0
        while read and self._decode(ids[max(0, read - NEIGHBOURS) : read]).endswith(HALF_CHARACTER):
            read -= 1  # the first bytes of the character that the reply begins with
        for end, each in enumerate(details, start=len(self.prefix_ids) + 1):
            piece = self._decode_behind(ids[max(0, read - NEIGHBOURS) : read], ids[read:end])
            whole = not piece.endswith(HALF_CHARACTER)
            until = len(text) if end == len(ids) else min(len(text), shown + len(piece) if whole else shown)
            yield Token(text[shown:until], each.logprob, each.margin, each.confidence, each.certainty)
            if whole:
                read, shown = end, until

    def _decode_behind(self, before: Sequence[int], token_ids: Sequence[int]) -> str:
        """Decode ids as they stand behind others: both together, less the text of the others.

        Where the text of the others changes with what follows, the ids are decoded alone.
        """
        known = self._decode(before).rstrip(HALF_CHARACTER) if before else ""
        whole = self._decode([*before, *token_ids])
        return whole[len(known) :] if whole.startswith(known) else self._decode(token_ids)

    def _decode(self, ids: Sequence[int]) -> str:
        """Decode ids alone."""
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text


def _find(text: str, before: str, tail: str) -> int | None:
    """Find where `text` begins that ends within `tail`, counted from its start; below 0 where it begins `before`."""
    at = (before + tail).find(text, max(0, len(before) - len(text) + 1))
    return at - len(before) if at >= 0 else None


class GrowingText:
    """The text of a sequence that is being written, piece by piece; what may become a stop text is held back."""

    def __init__(self, detokenizer: Detokenizer, sequence: SequenceState) -> None:
        self._detokenizer, self._sequence, self._shown = detokenizer, sequence, 0
        self._held = max(map(len, sequence.config.stop), default=1) - 1

    def take_piece(self) -> str:
        """Return the text that is certain by now and was not returned yet; empty once the sequence has ended."""
        text = self._detokenizer.decode(self._sequence.token_ids).rstrip(HALF_CHARACTER)
        piece = "" if self._sequence.finish_reason else text[self._shown : len(text) - self._held]
        self._shown += len(piece)
        return piece

    def take_rest(self, completion: Completion) -> str:
        """Return what of the whole text was not returned yet."""
        return completion.text[self._shown :]
