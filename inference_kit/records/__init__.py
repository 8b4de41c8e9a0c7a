"""The records that pass between the parts of the house.

Why: a problem goes from file to answer as a handful of small frozen values, so each part can be read and tested alone.
Promises: records are frozen. What is stored has `to_json` and `from_json`, and the round trip is exact.
"""

from inference_kit.records.completion import Completion, FinishReason, GenerationConfig, Prompt, StepScores, Token
from inference_kit.records.problem import AnswerKind, Gold, Index, Message, Problem, Role, message_list
from inference_kit.records.result import SCHEMA, Candidate, Record, Solution, Usage
from inference_kit.records.tree import Node, TreeNode

__all__ = [
    "SCHEMA",
    "AnswerKind",
    "Candidate",
    "Completion",
    "FinishReason",
    "GenerationConfig",
    "Gold",
    "Index",
    "Message",
    "Node",
    "Problem",
    "Prompt",
    "Record",
    "Role",
    "Solution",
    "StepScores",
    "Token",
    "TreeNode",
    "Usage",
    "message_list",
]
