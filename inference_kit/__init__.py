"""inference_kit measures how much a language model gains from thinking longer.

Why: whoever writes a program against it imports from here, and the rooms behind may move.
Promises: `EXPORTS` is the whole public face: what it names stays importable from here; `docs/api.md` is made from it. A
name is imported when it is asked for, so that `--help` stays quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inference_kit.context import Context as Context
    from inference_kit.dataset.base import Dataset as Dataset
    from inference_kit.decoders import BestOfN as BestOfN
    from inference_kit.decoders import Decoder as Decoder
    from inference_kit.decoders import Greedy as Greedy
    from inference_kit.decoders import InferenceBase as InferenceBase
    from inference_kit.decoders import SelfImprove as SelfImprove
    from inference_kit.errors import EngineError as EngineError
    from inference_kit.errors import UserError as UserError
    from inference_kit.grader import Grade as Grade
    from inference_kit.grader import GradeItem as GradeItem
    from inference_kit.grader import GraderPool as GraderPool
    from inference_kit.grader import equal as equal
    from inference_kit.grader import extract as extract
    from inference_kit.grader import grade as grade
    from inference_kit.grader import math_equal as math_equal
    from inference_kit.grader import math_similarity as math_similarity
    from inference_kit.grader import similarity as similarity
    from inference_kit.models import ENGINES as ENGINES
    from inference_kit.models import VLLM as VLLM
    from inference_kit.models import Echo as Echo
    from inference_kit.models import Engine as Engine
    from inference_kit.models import HuggingFace as HuggingFace
    from inference_kit.models import ModelScope as ModelScope
    from inference_kit.models import Ollama as Ollama
    from inference_kit.models import OpenAI as OpenAI
    from inference_kit.models import Vision as Vision
    from inference_kit.models.base import Capabilities as Capabilities
    from inference_kit.models.http.session import HttpSession as HttpSession
    from inference_kit.models.http.session import ServerSettings as ServerSettings
    from inference_kit.records import Candidate as Candidate
    from inference_kit.records import Completion as Completion
    from inference_kit.records import GenerationConfig as GenerationConfig
    from inference_kit.records import Message as Message
    from inference_kit.records import Node as Node
    from inference_kit.records import Problem as Problem
    from inference_kit.records import Prompt as Prompt
    from inference_kit.records import Record as Record
    from inference_kit.records import Solution as Solution
    from inference_kit.records import StepScores as StepScores
    from inference_kit.records import Token as Token
    from inference_kit.records import Usage as Usage
    from inference_kit.records.events import CandidateWhole as CandidateWhole
    from inference_kit.records.events import NodeMerged as NodeMerged
    from inference_kit.records.events import NodeNoted as NodeNoted
    from inference_kit.records.events import NodeScored as NodeScored
    from inference_kit.records.events import NodeWritten as NodeWritten
    from inference_kit.records.events import Piece as Piece
    from inference_kit.records.events import Solved as Solved
    from inference_kit.reward_models import REWARD_MODELS as REWARD_MODELS
    from inference_kit.reward_models.base import RewardModel as RewardModel
    from inference_kit.search import METHODS as METHODS
    from inference_kit.search import Method as Method
    from inference_kit.search import Needs as Needs
    from inference_kit.solver import Solver as Solver
    from inference_kit.voting import VOTES as VOTES
    from inference_kit.voting import Vote as Vote

__version__ = "0.1.0"

EXPORTS = {
    "inference_kit.decoders": ("BestOfN", "Decoder", "Greedy", "InferenceBase", "SelfImprove"),
    "inference_kit.models": (
        "ENGINES", "Echo", "Engine", "HuggingFace", "ModelScope", "Ollama", "OpenAI", "VLLM", "Vision",
    ),
    "inference_kit.models.base": ("Capabilities",),
    "inference_kit.models.http.session": ("HttpSession", "ServerSettings"),
    "inference_kit.reward_models": ("REWARD_MODELS",),
    "inference_kit.reward_models.base": ("RewardModel",),
    "inference_kit.dataset.base": ("Dataset",),
    "inference_kit.context": ("Context",),
    "inference_kit.search": ("METHODS", "Method", "Needs"),
    "inference_kit.voting": ("VOTES", "Vote"),
    "inference_kit.solver": ("Solver",),
    "inference_kit.grader": (
        "Grade", "GradeItem", "GraderPool", "equal", "extract", "grade", "math_equal", "math_similarity", "similarity",
    ),
    "inference_kit.records": (
        "Candidate", "Completion", "GenerationConfig", "Message", "Node", "Problem", "Prompt", "Record", "Solution",
        "StepScores", "Token", "Usage",
    ),
    "inference_kit.records.events": (
        "CandidateWhole", "NodeMerged", "NodeNoted", "NodeScored", "NodeWritten", "Piece", "Solved",
    ),
    "inference_kit.errors": ("EngineError", "UserError"),
}  # fmt: skip
"""Where each public name stands."""

_HOMES = {name: module for module, names in EXPORTS.items() for name in names}

__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
