"""What happens in a search, as records, for whoever watches it.

Why: a conversation, an API and a drawing of the tree show a search while it goes on, and all need the same few things.
Promises: a path is that of the stored tree; what is told of a node comes after that it was written, but for the pieces
of its text, which come before and join to it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from inference_kit.records.result import Solution
from inference_kit.records.tree import TreeNode

Path = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """The next piece of the text of the node that is being written at `path`."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class NodeWritten:
    """A node is there: a step, a whole solution, or the root of a further turn; it has no scores and no notes yet."""

    node: TreeNode


@dataclass(frozen=True, slots=True)
class NodeMerged:
    """The node at `path` is equal to its sibling at `into`, and goes on as that one."""

    path: Path
    into: Path


@dataclass(frozen=True, slots=True)
class NodeScored:
    """The reward model has scored the solution until `path`; `score` is the aggregate of its step scores."""

    path: Path
    step_scores: tuple[float, ...]
    score: float


@dataclass(frozen=True, slots=True)
class NodeNoted:
    """What the method has computed for the node at `path` so far, such as visits and value."""

    path: Path
    notes: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CandidateWhole:
    """The solution that ends at `path` is whole; `answer` is what the grader extracts from its text."""

    path: Path
    text: str
    answer: str | None


@dataclass(frozen=True, slots=True)
class Solved:
    """The search is over, and this is what it found."""

    solution: Solution


Event = Piece | NodeWritten | NodeMerged | NodeScored | NodeNoted | CandidateWhole | Solved


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who is told of each event as it happens; of pieces only where they are wanted."""

    tell: Callable[[Event], None]
    pieces: bool = True
