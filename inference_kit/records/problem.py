"""Problems and the conversations that ask them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant"]
AnswerKind = Literal["math", "number", "choice", "text"]
Index = int | str
Gold = str | tuple[str, ...] | None
"""The gold answer, several of which any is right, or None where there is none."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; `images` are paths or URLs."""

    role: Role
    content: str
    images: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the chat message as an object; `images` is left out where there are none."""
        shown: dict[str, Any] = {"role": self.role, "content": self.content}
        return shown | {"images": list(self.images)} if self.images else shown

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Message":
        """Read a chat message, an object with `role`, `content` and perhaps `images`."""
        return cls(data["role"], data["content"], tuple(data.get("images", ())))


def message_list(text_or_messages: str | Sequence[Mapping[str, Any]]) -> tuple[Message, ...]:
    """Read what a data set calls its input: a text, or chat messages as objects with `role` and `content`."""
    if isinstance(text_or_messages, str):
        return (Message("user", text_or_messages),)
    return tuple(Message.from_json(each) for each in text_or_messages)


@dataclass(frozen=True, slots=True)
class Problem:
    """One item of a data set; `answer` is the gold answer.

    `bare_question` is the last message without the prompt template around it, empty where that is not known. It is not
    stored.
    """

    index: Index
    messages: tuple[Message, ...]
    answer: Gold = None
    answer_kind: AnswerKind = "math"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    bare_question: str = ""

    @property
    def question(self) -> str:
        """What a reward model shows above the solution: the bare question, else the user's last message."""
        said = next((message.content for message in reversed(self.messages) if message.role == "user"), "")
        return self.bare_question or said
