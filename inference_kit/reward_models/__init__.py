"""Reward models score solutions, step by step or as a whole. Each format is one file; one line here registers it.

`formats` and `rules` score on this machine, `judges` ask a chat model, `served` ask a server or vLLM. `local` is what
runs the weights of a format.
"""

from inference_kit.reward_models.base import RewardModel
from inference_kit.reward_models.formats.implicit_prm import ImplicitPRM
from inference_kit.reward_models.formats.likelihood import Likelihood
from inference_kit.reward_models.formats.math_shepherd import MathShepherd
from inference_kit.reward_models.formats.qwen_prm import QwenPRM
from inference_kit.reward_models.formats.qwen_rm import QwenRM
from inference_kit.reward_models.formats.rlhflow_prm import RLHFlowPRM
from inference_kit.reward_models.formats.sequence_orm import SequenceORM
from inference_kit.reward_models.formats.skywork_prm import SkyworkPRM
from inference_kit.reward_models.formats.token_prm import TokenPRM
from inference_kit.reward_models.formats.versa_prm import VersaPRM
from inference_kit.reward_models.judges.gen_prm import GenPRM
from inference_kit.reward_models.judges.judge import Judge
from inference_kit.reward_models.judges.think_prm import ThinkPRM
from inference_kit.reward_models.rules.oracle import Oracle
from inference_kit.reward_models.rules.rule import Rule
from inference_kit.reward_models.served.http import HTTP
from inference_kit.reward_models.served.vllm_http import VllmHTTP
from inference_kit.reward_models.served.vllm_pooling import VllmPooling

__all__ = [
    "HTTP",
    "REWARD_MODELS",
    "GenPRM",
    "ImplicitPRM",
    "Judge",
    "Likelihood",
    "MathShepherd",
    "Oracle",
    "QwenPRM",
    "QwenRM",
    "RLHFlowPRM",
    "RewardModel",
    "Rule",
    "SequenceORM",
    "SkyworkPRM",
    "ThinkPRM",
    "TokenPRM",
    "VersaPRM",
    "VllmHTTP",
    "VllmPooling",
]

REWARD_MODELS: dict[str, type[RewardModel]] = {
    "gen_prm": GenPRM,
    "http": HTTP,
    "implicit_prm": ImplicitPRM,
    "judge": Judge,
    "likelihood": Likelihood,
    "math_shepherd": MathShepherd,
    "oracle": Oracle,
    "qwen_prm": QwenPRM,
    "qwen_rm": QwenRM,
    "rlhflow_prm": RLHFlowPRM,
    "rule": Rule,
    "sequence_orm": SequenceORM,
    "skywork_prm": SkyworkPRM,
    "think_prm": ThinkPRM,
    "token_prm": TokenPRM,
    "versa_prm": VersaPRM,
    "vllm_http": VllmHTTP,
    "vllm_pooling": VllmPooling,
}
