"""An answer that a server streams, read line by line: pieces of text while it grows, completions at its end.

Why: a stream tells the same as a whole answer, bit by bit; put together, it is read by the same code.
Promises: the pieces of a choice join to the text of its completion; a text that may turn out to be a stop text is not
shown; a stream that breaks off raises `Malformed`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from inference_kit.models.http.refusals import is_error
from inference_kit.models.http.replies import Reply, Said, read_reply, split_thought
from inference_kit.models.http.untrusted_json import (
    LARGEST_COUNT,
    ErrorAnswer,
    Malformed,
    as_count,
    as_list,
    as_object,
    parse_json,
)
from inference_kit.records import GenerationConfig

ENDINGS = ("finish_reason", "stop_reason", "matched_stop", "error")
"""What a choice says of its end, in one of its last events."""


class ReasoningTags:
    """Joins reasoning that a server takes apart and the text behind it, with tags around the reasoning."""

    def __init__(self) -> None:
        self._thinking = False

    @property
    def is_open(self) -> bool:
        """Whether the last piece was reasoning."""
        return self._thinking

    def join(self, thought: str, said: str) -> str:
        """Return what one more piece of reasoning, and of the text behind it, add to the whole."""
        opened = "<think>" if thought and not self._thinking else ""
        closed = "</think>" if said and (self._thinking or thought) else ""
        self._thinking = bool(thought) or (self._thinking and not said)
        return opened + thought + closed + said

    def close(self) -> str:
        """Return the tag that is still open, if one is."""
        return "</think>" if self._thinking else ""


class IncrementalText:
    """Shows a growing text piece by piece; what may become a stop text is held back."""

    def __init__(self, config: GenerationConfig) -> None:
        self._stops, self._shown = config.stop, 0
        self._held = max(map(len, config.stop), default=1) - 1

    def take_piece(self, text: str, start: int = 0) -> str:
        """Return what of the text so far is certain and was not shown yet; stop texts count from `start` on."""
        stops = [place for stop in self._stops if (place := text.find(stop, start)) >= 0]
        return self._show(text[: min([len(text) - self._held, *stops])])

    def take_rest(self, text: str) -> str:
        """Return what of the whole text was not shown yet."""
        return self._show(text)

    def _show(self, text: str) -> str:
        piece = text[self._shown :]
        self._shown += len(piece)
        return piece


@dataclass(slots=True)
class _Choice:
    """One of the texts of an answer, as far as it has come."""

    shown: IncrementalText
    text: str = ""
    start: int = 0
    """Where the text begins that is no reasoning."""
    tags: ReasoningTags = field(default_factory=ReasoningTags)
    endings: dict[str, Any] = field(default_factory=dict)
    logprobs: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, choice: Mapping[str, Any]) -> None:
        """Add what one event says of the choice."""
        if choice.get("message") and self.text:
            self._add_rest(choice)
        elif choice.get("text") is not None or choice.get("delta") or choice.get("message"):
            self._add_text(*split_thought(choice))
        self.endings |= {name: choice[name] for name in ENDINGS if choice.get(name) is not None}
        if isinstance(logprobs := choice.get("logprobs"), dict):
            for name, values in logprobs.items():
                if isinstance(values, list):
                    self.logprobs.setdefault(name, []).extend(values)

    def _add_rest(self, choice: Mapping[str, Any]) -> None:
        """Add what is new in an event that tells the whole text so far."""
        _, said = split_thought(choice)
        known = self.text[self.start :]
        if said.startswith(known):
            self._add_text("", said.removeprefix(known))

    def _add_text(self, thought: str, said: str) -> None:
        """Add a piece of reasoning, and of what is said behind it."""
        reasons = self.tags.is_open or thought
        self.text += self.tags.join(thought, said)
        if reasons:
            self.start = len(self.text) - len(said)

    def close(self) -> Said:
        """Return the whole text; an open tag is closed."""
        if end := self.tags.close():
            self.text += end
            self.start = len(self.text)
        return Said(self.text, self.start)

    def to_json(self, index: int) -> dict[str, Any]:
        """Return the choice as it would stand in a whole answer."""
        return {"index": index, "logprobs": self.logprobs, **self.endings}


class EventReader:
    """Reads the events of OpenAI's protocol: (index, piece) while the texts grow, and last the whole reply."""

    def __init__(self, n: int, config: GenerationConfig) -> None:
        self._n, self._config = n, config
        self._choices: dict[int, _Choice] = {}
        self._usage: Any = None
        self._began = self._done = self._is_error = False
        self._whole = ""

    def read(self, line: str) -> Iterator[tuple[int, str]]:
        """Read one line.

        Raises:
            Malformed: where it is no event of the protocol, or tells of an error.
        """
        event = line.removeprefix("data:").strip()
        if event == line:
            self._read_other(line)
            return
        self._began = True
        if event == "[DONE]":
            self._done = True
            return
        if not event or event.isalpha():  # a sign of life
            return
        data = as_object(parse_json(event), "an event")
        if self._is_error:
            data = {"error": data, **data}
        if data.get("error") or (not data.get("choices") and is_error(data)):
            raise ErrorAnswer(data)
        self._usage = data.get("usage") or self._usage
        for each in as_list(data.get("choices") or [], "choices"):
            choice = as_object(each, "a choice")
            index = as_count(choice.get("index")) or 0
            if index >= self._n:
                raise Malformed(f"choice {index + 1} of {self._n}")
            known = self._choices.setdefault(index, _Choice(IncrementalText(self._config)))
            known.add(choice)
            if piece := known.shown.take_piece(known.text, known.start):
                yield index, piece

    def _read_other(self, line: str) -> None:
        """Read a line without data: of a whole answer, or one that says that an error follows, or is one."""
        if line.startswith("error:"):
            raise ErrorAnswer({"error": parse_json(line.removeprefix("error:"))})
        self._is_error = line.removeprefix("event:").strip() == "error" or (self._is_error and not line)
        self._whole += line if not self._began else ""

    def end(self) -> Iterator[tuple[int, str] | Reply]:
        """Read the whole as if it had come at once, which it may have."""
        if not self._began:
            yield from self._read_whole()
            return
        choices = self._list_choices()
        said = [choice.close() for _, choice in choices]
        whole = {"choices": [choice.to_json(index) for index, choice in choices], "usage": self._usage}
        reply = read_reply(whole, self._n, self._config, said)
        for (index, choice), completion in zip(choices, reply.completions, strict=True):
            yield index, choice.shown.take_rest(completion.text)
        yield reply

    def join(self) -> dict[str, Any]:
        """Return the events as the whole answer that they are together.

        Raises:
            Malformed: where it broke off.
        """
        choices = [
            choice.to_json(index) | {"message": choice.close().to_message()} for index, choice in self._list_choices()
        ]
        return {"choices": choices, "usage": self._usage}

    def _list_choices(self) -> list[tuple[int, _Choice]]:
        """List the choices by their index, once all have come."""
        choices = sorted(self._choices.items())
        if not self._done and not all(choice.endings for _, choice in choices):
            raise Malformed("it broke off")
        return choices

    def _read_whole(self) -> Iterator[tuple[int, str] | Reply]:
        """Read the answer of a server that does not stream: each text is one piece."""
        data = as_object(parse_json(self._whole), "the answer")
        if data.get("error") or (not data.get("choices") and is_error(data)):
            raise ErrorAnswer(data)
        reply = read_reply(data, self._n, self._config)
        for index, completion in enumerate(reply.completions):
            yield index, completion.text
        yield reply


def parse_answer(content: bytes) -> Any:
    """Parse a whole answer, which some servers send as events though nobody asked for a stream.

    Raises:
        Malformed: where it is neither JSON nor events.
    """
    if not content.lstrip().startswith((b"data:", b":", b"event:", b"id:", b"retry:", b"error:")):
        return parse_json(content)
    reader = EventReader(LARGEST_COUNT, GenerationConfig())
    for line in content.splitlines():  # as bytes, because a text may hold other ends of lines
        for _ in reader.read(line.decode("utf-8", "replace").strip()):
            pass
    return reader.join()
