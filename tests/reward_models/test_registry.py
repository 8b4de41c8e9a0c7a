"""The registered reward models: each is one of the known formats, and costs nothing until it is used."""

from functools import partial

from inference_kit.reward_models import REWARD_MODELS
from inference_kit.reward_models.base import RewardModel
from model_config import reward_model_groups

OF_ONES_OWN = {"http", "rule", "token_prm", "vllm_http", "vllm_pooling"}
"""Formats without published weights that everybody uses."""


def test_every_entry_is_made_without_network_or_weights() -> None:
    """MAIN-12: the name alone suffices."""
    for name, entry in reward_model_groups.items():
        assert isinstance(entry(), RewardModel), name


def test_every_format_with_published_weights_has_an_entry() -> None:
    registered = {entry.func for entry in reward_model_groups.values() if isinstance(entry, partial)}
    assert registered == {model for name, model in REWARD_MODELS.items() if name not in OF_ONES_OWN}
