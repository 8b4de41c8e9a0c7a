"""The tree of a search, as methods see it and as it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inference_kit.records.completion import FinishReason, Token
from inference_kit.records.json_fields import fields_to_json, known_fields
from inference_kit.records.problem import Message


@dataclass(frozen=True, slots=True)
class Node:
    """One step in the tree of a problem. `path` holds ordinals from the root.

    A root has no parent and no text; its `messages` are the conversation that its descendants reply to. A problem has
    one root, and one more for each further turn.
    """

    text: str = ""
    parent: "Node | None" = None
    path: tuple[int, ...] = ()
    finish_reason: FinishReason = "boundary"
    tokens: int = 0
    logprob: float | None = None
    token_ids: tuple[int, ...] = ()
    details: tuple[Token, ...] = ()
    messages: tuple[Message, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether no more text can follow: the model stopped, or its token limit is reached."""
        return self.finish_reason != "boundary"

    @property
    def lineage(self) -> "tuple[Node, ...]":
        """The nodes from the first step to this one, without the root."""
        nodes: list[Node] = []
        node: Node | None = self
        while node is not None and node.parent is not None:
            nodes.append(node)
            node = node.parent
        return tuple(reversed(nodes))

    @property
    def root(self) -> "Node":
        """The root of this node's turn."""
        node = self
        while node.parent is not None:
            node = node.parent
        return node

    @property
    def whole_text(self) -> str:
        """The reply so far, from its first step to the end of this one."""
        return "".join(node.text for node in self.lineage)

    @property
    def whole_tokens(self) -> int:
        """The number of generated tokens from the root to the end of this node."""
        return sum(node.tokens for node in self.lineage)


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One node of a stored search tree, whose nodes stand in the order in which they were generated.

    Its parent's path is its own without the last number. `notes` are what the method computed, such as visits and
    value. `candidate` is the position of the candidate that ends here, -1 where none does.
    """

    path: tuple[int, ...]
    text: str
    finish_reason: FinishReason
    tokens: int = 0
    logprob: float | None = None
    step_scores: tuple[float, ...] = ()
    candidate: int = -1
    notes: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return all fields by name."""
        return fields_to_json(self) | {
            "path": list(self.path),
            "step_scores": list(self.step_scores),
            "notes": dict(self.notes),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "TreeNode":
        """Read what `to_json` wrote; unknown keys are skipped."""
        lists = {name: tuple(data.get(name, ())) for name in ("path", "step_scores")}
        return cls(**{**known_fields(cls, data), **lists})
