"""Measure the bundled models: greedy, majority vote, the reward model's choice, pass@n.

Why: choices during training need figures within a minute, on problems that the published table never uses: the tuning
problems come from other seeds of the test split. `--benchmark` measures the published problems, and `--check` compares
the greedy accuracies with those that the CARD.md files state.
Promises: float32 on one thread, fixed seeds: the same figures on the same kind of CPU.
"""

import argparse
import json
import math
import re
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training import benchmark
from training.problems import BENCHMARK_MIX, draw_problems
from training.publish import MAX_NEW_TOKENS, POLICY, REWARD_MODEL
from training.tokenizer import INSTRUCTION

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BATCH = 160
TUNING_SEED = 77
TOLERANCE = 4.0  # percentage points between a stated accuracy and one of a rebuild on another kind of CPU
STATED = re.compile(r"^Greedy accuracy, first 500 problems: ([\d.]+) %", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Exercise:
    """A question and its gold answer."""

    question: str
    gold: str


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A model in float32 with its tokenizer."""

    model: Any  # the types that transformers gives to its loaders and to `generate` do not fit each other
    tokenizer: "PreTrainedTokenizerBase"

    @classmethod
    def load(cls, folder: Path) -> "LanguageModel":
        """Load a folder in Hugging Face layout."""
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        return cls(model, AutoTokenizer.from_pretrained(folder))

    def write(self, questions: Sequence[str], temperature: float) -> list[str]:
        """Write one response for each question; temperature 0 is greedy."""
        import torch

        responses: list[str] = []
        sampling = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
        for start in range(0, len(questions), BATCH):
            prompts = [self.render_prompt(question) for question in questions[start : start + BATCH]]
            inputs = self.tokenizer(prompts, return_tensors="pt", padding=True, return_token_type_ids=False)
            with torch.inference_mode():
                ids = self.model.generate(**inputs, max_new_tokens=MAX_NEW_TOKENS, **sampling)
            new = ids[:, inputs.input_ids.shape[1] :]
            responses += self.tokenizer.batch_decode(new, skip_special_tokens=True)
        return responses

    def compute_log_likelihoods(self, questions: Sequence[str], responses: Sequence[str]) -> list[float]:
        """Compute ln p of each whole response, its end included, in nats."""
        import torch

        sums: list[float] = []
        for start in range(0, len(questions), BATCH):
            prompts = [self.render_prompt(question) for question in questions[start : start + BATCH]]
            whole = [f"{p}{r}<|eos|>" for p, r in zip(prompts, responses[start : start + BATCH], strict=True)]
            inputs = self.tokenizer(whole, return_tensors="pt", padding=True, padding_side="right")
            with torch.inference_mode():
                logprobs = self.model(inputs.input_ids).logits.log_softmax(-1)
            chosen = logprobs[:, :-1].gather(-1, inputs.input_ids[:, 1:, None]).squeeze(-1)
            lengths = inputs.attention_mask.sum(1).tolist()
            firsts = [len(ids) for ids in self.tokenizer(prompts).input_ids]
            sums += [chosen[row, firsts[row] - 1 : lengths[row] - 1].sum().item() for row in range(len(whole))]
        return sums

    def render_prompt(self, question: str) -> str:
        """Render the chat of a question with the instruction, up to where the answer begins."""
        messages = [{"role": "user", "content": question + INSTRUCTION}]
        return str(self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def read_exercises(from_benchmark: bool, count: int) -> list[Exercise]:
    """Take the first `count` problems of the benchmark, or as many tuning problems."""
    if from_benchmark:
        rows = [json.loads(line) for line in benchmark.PATH.read_text(encoding="utf-8").splitlines()[:count]]
        return [Exercise(row["question"], row["answer"].rpartition("#### ")[2]) for row in rows]
    stream = draw_problems(TUNING_SEED, "test", BENCHMARK_MIX)
    return [Exercise(problem.question, str(problem.answer)) for problem in islice(stream, count)]


def extract_answer(response: str) -> str:
    """Return what the last box holds, or nothing."""
    found = re.findall(r"\\boxed\{([^}]*)\}", response)
    return found[-1] if found else ""


def measure_greedy(folder: Path, items: Sequence[Exercise]) -> list[float]:
    """Measure greedy decoding: 1 for each exercise that it solves, else 0."""
    responses = LanguageModel.load(folder).write([item.question for item in items], 0.0)
    return [float(extract_answer(response) == item.gold) for response, item in zip(responses, items, strict=True)]


def measure_search(policy: Path, reward_model: Path, items: Sequence[Exercise], n: int) -> dict[str, list[float]]:
    """Measure each way to use `n` samples: its accuracy, in [0, 1], on each exercise."""
    import torch

    torch.manual_seed(TUNING_SEED)
    questions = [item.question for item in items for _ in range(n)]
    responses = LanguageModel.load(policy).write(questions, 1.0)
    scores = LanguageModel.load(reward_model).compute_log_likelihoods(questions, responses)
    table: dict[str, list[float]] = {}
    for i, item in enumerate(items):
        answers = [extract_answer(response) for response in responses[i * n : (i + 1) * n]]
        own = scores[i * n : (i + 1) * n]
        accuracies = {
            "mean sample": answers.count(item.gold) / n,
            f"majority@{n}": _vote(answers, [1.0] * n) == item.gold,
            f"best of {n} by likelihood": answers[own.index(max(own))] == item.gold,
            f"weighted vote@{n}": _vote(answers, [math.exp((score - max(own)) / 2) for score in own]) == item.gold,
            f"pass@{n}": item.gold in answers,
        }
        for name, accuracy in accuracies.items():
            table.setdefault(name, []).append(float(accuracy))
    return table


def check(items: Sequence[Exercise]) -> bool:
    """Return whether both models reach the greedy accuracy that their card states, within the tolerance."""
    fine = True
    for folder in (POLICY, REWARD_MODEL):
        stated = STATED.search((folder / "CARD.md").read_text(encoding="utf-8"))
        assert stated is not None, f"{folder}/CARD.md states no greedy accuracy"
        measured = 100 * statistics.mean(measure_greedy(folder, items))
        sys.stdout.write(f"{folder.name}: greedy {measured:.1f} %, stated {stated[1]} %\n")
        fine &= abs(measured - float(stated[1])) <= TOLERANCE
    return fine


def main() -> int:
    """Print the table, or check the cards; return the exit code."""
    import torch

    parser = argparse.ArgumentParser(description="Measure the bundled models.")
    parser.add_argument("--benchmark", action="store_true", help="the published problems, not the tuning ones")
    parser.add_argument("--check", action="store_true", help="compare greedy accuracies with the cards, exit 1 if off")
    parser.add_argument("--n-problems", type=int, default=500)
    parser.add_argument("--n", type=int, default=16, help="samples for each problem")
    parser.add_argument("--policy", type=Path, default=POLICY)
    parser.add_argument("--reward-model", type=Path, default=REWARD_MODEL)
    options = parser.parse_args()
    torch.set_num_threads(1)
    items = read_exercises(options.benchmark or options.check, options.n_problems)
    if options.check:
        return 0 if check(items) else 1
    table = {"policy greedy": measure_greedy(options.policy, items)}
    table |= measure_search(options.policy, options.reward_model, items, options.n)
    table |= {"reward model greedy": measure_greedy(options.reward_model, items)}
    for name, accuracies in table.items():
        low, high = wilson_interval(statistics.mean(accuracies), len(accuracies))
        sys.stdout.write(f"{name:24} {100 * statistics.mean(accuracies):5.1f} [{100 * low:.1f}, {100 * high:.1f}]\n")
    return 0


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a share."""
    z = 1.96
    middle = share + z * z / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (middle - half) / (1 + z * z / count), (middle + half) / (1 + z * z / count)


def _vote(answers: Sequence[str], weights: Sequence[float]) -> str:
    """Return the answer with the largest summed weight, the earliest on a tie; no answer has no vote."""
    totals: dict[str, float] = {"": 0.0}
    for answer, weight in zip(answers, weights, strict=True):
        totals[answer] = totals.get(answer, 0.0) + weight * bool(answer)
    return max(totals, key=totals.__getitem__)


if __name__ == "__main__":
    sys.exit(main())
