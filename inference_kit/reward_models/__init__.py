"""Reward models: they score solutions step by step or as a whole. Each format is one file; one line registers it."""

from inference_kit.reward_models.base import RewardModel
from inference_kit.reward_models.likelihood import Likelihood
from inference_kit.reward_models.math_shepherd import MathShepherd
from inference_kit.reward_models.qwen_prm import QwenPRM

REWARD_MODELS: dict[str, type[RewardModel]] = {
    "likelihood": Likelihood,
    "math_shepherd": MathShepherd,
    "qwen_prm": QwenPRM,
}
