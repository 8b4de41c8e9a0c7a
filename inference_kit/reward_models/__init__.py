"""Reward models: they score solutions step by step or as a whole. Each format is one file; one line registers it."""

from inference_kit.reward_models.base import RewardModel
from inference_kit.reward_models.http import HTTP
from inference_kit.reward_models.implicit_prm import ImplicitPRM
from inference_kit.reward_models.judge import Judge
from inference_kit.reward_models.likelihood import Likelihood
from inference_kit.reward_models.math_shepherd import MathShepherd
from inference_kit.reward_models.oracle import Oracle
from inference_kit.reward_models.qwen_prm import QwenPRM
from inference_kit.reward_models.rlhflow_prm import RLHFlowPRM
from inference_kit.reward_models.rule import Rule
from inference_kit.reward_models.sequence_orm import SequenceORM
from inference_kit.reward_models.skywork_prm import SkyworkPRM
from inference_kit.reward_models.token_prm import TokenPRM
from inference_kit.reward_models.vllm_http import VllmHTTP
from inference_kit.reward_models.vllm_pooling import VllmPooling

REWARD_MODELS: dict[str, type[RewardModel]] = {
    "http": HTTP,
    "implicit_prm": ImplicitPRM,
    "judge": Judge,
    "likelihood": Likelihood,
    "math_shepherd": MathShepherd,
    "oracle": Oracle,
    "qwen_prm": QwenPRM,
    "rlhflow_prm": RLHFlowPRM,
    "rule": Rule,
    "sequence_orm": SequenceORM,
    "skywork_prm": SkyworkPRM,
    "token_prm": TokenPRM,
    "vllm_http": VllmHTTP,
    "vllm_pooling": VllmPooling,
}
