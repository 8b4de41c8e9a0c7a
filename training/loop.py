"""Train a tiny Llama on an endless stream of fresh problems; policy and reward model share this loop.

Why: problems are drawn as they are needed, so there are no epochs and hardly anything to memorise. Muon for the
matrices of the layers and AdamW for the rest learn faster than AdamW alone at this size.
Promises: deterministic from the recipe's seed and threads, on one kind of CPU. Loss is taken on solution tokens only.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from training.problems import TRAINING_MIX, Problem, draw_problems, write_solution
from training.tokenizer import INSTRUCTION, MAX_TOKENS

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

INSTRUCTED_SHARE = 0.7  # of the user messages carry the instruction; the rest are bare questions, so chat works too
BATCH = 32
POOL = 32 * BATCH  # problems sorted by length together, so that a batch needs little padding
WARMUP_STEPS = 100
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that distinguishes one training from another.

    `tokens` counts prompt and solution tokens; over the last `decay_share` of them the learning rates fall to 0.
    """

    seed: int
    tokens: int
    layers: int = 4
    hidden: int = 192
    feed_forward: int = 512
    slip_rate: float = 0.0
    decay_share: float = 0.35
    threads: int = 1
    matrix_learning_rate: float = 4e-3
    other_learning_rate: float = 3e-3


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids, padded on the right, and the ids to predict; `IGNORED` where nothing is to be learned."""

    inputs: Tensor
    targets: Tensor
    tokens: int


def train(
    recipe: Recipe, tokenizer: "PreTrainedTokenizerFast", start: "LlamaForCausalLM | None" = None
) -> "LlamaForCausalLM":
    """Train from random weights, or go on from `start`; report progress on stderr."""
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    model = build_model(recipe, tokenizer) if start is None else start
    optimizers = _build_optimizers(model, recipe)
    peaks = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    seen, started = 0, time.monotonic()
    for step, batch in enumerate(draw_batches(recipe, tokenizer)):
        left = 1 - seen / recipe.tokens
        if left <= 0:
            break
        pace = min(1.0, (step + 1) / WARMUP_STEPS, left / recipe.decay_share)
        for optimizer, peak in zip(optimizers, peaks, strict=True):
            optimizer.param_groups[0]["lr"] = peak * pace
        loss = _compute_loss(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        seen += batch.tokens
        if step % 100 == 0:
            seconds = time.monotonic() - started
            sys.stderr.write(f"step {step} tokens {seen} loss {loss.item():.4f} seconds {seconds:.0f}\n")
    return model


def build_model(recipe: Recipe, tokenizer: "PreTrainedTokenizerFast") -> "LlamaForCausalLM":
    """Build the model of a recipe with random weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.hidden,
        intermediate_size=recipe.feed_forward,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.hidden // 64,
        max_position_embeddings=MAX_TOKENS,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = LlamaForCausalLM(config)
    model.set_attn_implementation("eager")  # trains a quarter faster than the fused kernel at these lengths
    return model


def draw_batches(recipe: Recipe, tokenizer: "PreTrainedTokenizerFast") -> Iterator[Batch]:
    """Yield batches of fresh problems of the training split, each of similar length."""
    rng = Random(recipe.seed)
    stream = draw_problems(recipe.seed, "train", TRAINING_MIX)
    while True:
        texts = [write_example(problem, rng, recipe.slip_rate) for problem in islice(stream, POOL)]
        prompts = tokenizer([prompt for prompt, _ in texts]).input_ids
        responses = tokenizer([response for _, response in texts]).input_ids
        pairs = sorted(zip(prompts, responses, strict=True), key=lambda pair: len(pair[0]) + len(pair[1]))
        starts = list(range(0, POOL, BATCH))
        rng.shuffle(starts)
        for start in starts:
            yield _pad(pairs[start : start + BATCH], tokenizer.pad_token_id)


def write_example(problem: Problem, rng: Random, slip_rate: float) -> tuple[str, str]:
    """Return the prompt and the response of one training example, as the chat template writes them."""
    instruction = INSTRUCTION if rng.random() < INSTRUCTED_SHARE else ""
    response = "\n".join(write_solution(problem, rng, slip_rate))
    return f"<|bos|><|user|>{problem.question}{instruction}<|assistant|>", f"{response}<|eos|>"


def _pad(pairs: list[tuple[list[int], list[int]]], pad: int) -> Batch:
    """Pad prompts and responses to one batch; only response tokens are targets."""
    longest = max(len(prompt) + len(response) for prompt, response in pairs)
    inputs, targets = torch.full((2, len(pairs), longest), pad)
    targets.fill_(IGNORED)
    for row, (prompt, response) in enumerate(pairs):
        whole = torch.tensor(prompt + response)
        inputs[row, : len(whole)] = whole
        targets[row, len(prompt) - 1 : len(whole) - 1] = whole[len(prompt) :]
    return Batch(inputs, targets, sum(len(prompt) + len(response) for prompt, response in pairs))


def _compute_loss(model: "LlamaForCausalLM", batch: Batch) -> Tensor:
    """Compute the mean loss, in nats, over solution tokens; with padding on the right the causal mask suffices."""
    learned = batch.targets != IGNORED
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.model(batch.inputs, use_cache=False).last_hidden_state
        logits = model.lm_head(hidden[learned])
    return torch.nn.functional.cross_entropy(logits.float(), batch.targets[learned])


def _build_optimizers(model: "LlamaForCausalLM", recipe: Recipe) -> list[torch.optim.Optimizer]:
    matrices = [weight for weight in model.model.layers.parameters() if weight.ndim == 2]
    chosen = {id(weight) for weight in matrices}
    others = [weight for weight in model.parameters() if id(weight) not in chosen]
    return [
        torch.optim.Muon(matrices, lr=recipe.matrix_learning_rate, momentum=0.95, weight_decay=0.05),
        torch.optim.AdamW(others, lr=recipe.other_learning_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]
