"""Telling: what happens in a search, as far as somebody watches it.

Why: a search says what it does in one line wherever something happens, watched or not.
Promises: without a watcher nothing is computed, and with one nothing else is.
"""

from collections.abc import Callable
from dataclasses import dataclass

from inference_kit.records import Node, TreeNode
from inference_kit.records.events import CandidateWhole, Event, NodeWritten, Watcher


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells `watcher` of events; `describe` makes a node as it is stored, `answer_of` finds a reply's answer."""

    watcher: Watcher | None = None
    describe: Callable[[Node], TreeNode] | None = None
    answer_of: Callable[[Node], str | None] | None = None

    @property
    def wants_pieces(self) -> bool:
        """Whether texts are told of while they grow."""
        return self.watcher is not None and self.watcher.pieces

    def tell(self, event: Event) -> None:
        """Tell of an event."""
        if self.watcher:
            self.watcher.tell(event)

    def tell_written(self, node: Node, *, distinct: bool = True) -> None:
        """Tell of a node, and of a candidate where it ends one; a node that may be merged with others ends none yet."""
        if self.watcher and self.describe:
            self.watcher.tell(NodeWritten(self.describe(node)))
            if distinct:
                self.tell_whole(node)

    def tell_whole(self, node: Node) -> None:
        """Tell of a candidate where `node` ends a reply to the problem itself, whose root has the empty path."""
        if node.finished and not node.root.path:
            self.tell_candidate(node)

    def tell_candidate(self, node: Node) -> None:
        """Tell of a whole solution."""
        if self.watcher and self.answer_of:
            self.watcher.tell(CandidateWhole(node.path, node.whole_text, self.answer_of(node)))
