"""Tiny models, one for each format, with random weights."""

from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_models
import torch

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
from inference_kit.reward_models.judges.judge import Judge
from inference_kit.reward_models.local.transformer import TransformerRewardModel

CONTEXT = 400


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The weights of each format."""
    torch.set_num_threads(1)
    made = {
        name: tmp_path_factory.mktemp(name)
        for name in (
            "causal",
            "reference",
            "shepherd",
            "qwen",
            "skywork",
            "token",
            "sequence",
            "judge",
            "versa",
            "qwen_rm",
        )
    }
    tiny_models.write(made["causal"], "qwen3", max_position_embeddings=CONTEXT)
    tiny_models.write(made["reference"], "qwen3", seed=1, max_position_embeddings=CONTEXT)
    tiny_models.write(made["shepherd"], "llama", tokens=(" ки",), max_position_embeddings=CONTEXT)
    tiny_models.write(made["qwen"], "qwen3", tokens=("<extra_0>",), max_position_embeddings=CONTEXT)
    tiny_models.write_head(made["qwen"], {"score.0": (32, 32), "score.2": (2, 32)})
    rename(made["qwen"], "Qwen2ForProcessRewardModel")
    tiny_models.write(made["versa"], "llama", tokens=(" \n\n\n\n", " \n\n\n\n\n"), max_position_embeddings=CONTEXT)
    tiny_models.write(made["qwen_rm"], "qwen3", max_position_embeddings=CONTEXT)
    tiny_models.write_head(made["qwen_rm"], {"score.0": (32, 32), "score.2": (1, 32)})
    rename(made["qwen_rm"], "Qwen2ForRewardModel")
    tiny_models.write(made["skywork"], "qwen3", max_position_embeddings=CONTEXT)
    tiny_models.write_head(made["skywork"], {"v_head.summary": (1, 32)})
    for name, auto_class, labels in (
        ("token", "AutoModelForTokenClassification", 3),
        ("sequence", "AutoModelForSequenceClassification", 1),
    ):
        tiny_models.write(
            made[name], "llama", auto_class=auto_class, num_labels=labels, max_position_embeddings=CONTEXT
        )
    tiny_models.write(made["judge"], "llama", tokens=("Yes", "No"), max_position_embeddings=CONTEXT)
    return made


def rename(folder: Path, architecture: str) -> None:
    """Call the architecture of the weights in `folder` by another name."""
    config = folder / "config.json"
    text = config.read_text()
    config.write_text(text.replace("Qwen3ForCausalLM", architecture))


@pytest.fixture(scope="session")
def folder(folders: dict[str, Path]) -> Path:
    """A causal language model with a chat template."""
    return folders["causal"]


@pytest.fixture(scope="session")
def formats(folders: dict[str, Path]) -> dict[str, Callable[[], TransformerRewardModel]]:
    """Each format on its tiny model."""
    path = {name: str(folder) for name, folder in folders.items()}
    return {
        "implicit_prm": lambda: ImplicitPRM(path["causal"], reference_path=path["reference"], beta=0.05),
        "judge": lambda: Judge(path["judge"]).local,
        "likelihood": lambda: Likelihood(path["causal"], beta=0.01),
        "math_shepherd": lambda: MathShepherd(path["shepherd"]),
        "qwen_prm": lambda: QwenPRM(path["qwen"]),
        "qwen_rm": lambda: QwenRM(path["qwen_rm"]),
        "rlhflow_prm": lambda: RLHFlowPRM(path["causal"]),
        "sequence_orm": lambda: SequenceORM(path["sequence"]),
        "skywork_prm": lambda: SkyworkPRM(path["skywork"]),
        "token_prm": lambda: TokenPRM(path["token"]),
        "versa_prm": lambda: VersaPRM(path["versa"]),
    }
