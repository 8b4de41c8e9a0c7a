"""SQL decoders: best-of-N whose score knows SQL without running it, and a decoder of one's own.

python examples/RewardSQL/sql_decoders.py --model echo "SELECT name FROM users WHERE id = 1"
"""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from inference_kit import BestOfN, Greedy, InferenceBase

KEYWORDS = ("SELECT", "FROM", "WHERE", "JOIN")
TEMPLATE = "Answer with one SQL query and nothing else.\n{input}"


class SQLBestOfN(BestOfN):
    """Of `n` queries the one with the most of SQL's words; each counts 2."""

    def score(self, candidate: str, context: dict[str, Any] | None = None) -> float:
        """Count keywords."""
        return sum(2.0 for keyword in KEYWORDS if keyword in candidate.upper())


class FirstLine(InferenceBase):
    """A decoder of one's own: greedy, of which only the first line is kept."""

    def __init__(self, model_name_or_path: str, sampling_method: str = "custom", hyperparameters: Any = None) -> None:
        super().__init__(model_name_or_path, sampling_method, hyperparameters)
        self._greedy = Greedy(model_name_or_path, hyperparameters=hyperparameters)

    def forward(self, input_text: str, prompt_template: str | None = None) -> tuple[str, dict[str, Any]]:
        """Answer one text."""
        text, metadata = self._greedy.forward(input_text, prompt_template)
        return text.strip().split("\n", 1)[0], metadata

    def batch_forward(
        self, input_texts: list[str], prompt_template: str | None = None
    ) -> list[tuple[str, dict[str, Any]]]:
        """Answer many."""
        answers = self._greedy.batch_forward(input_texts, prompt_template)
        return [(text.strip().split("\n", 1)[0], metadata) for text, metadata in answers]


def main() -> None:
    """Print the query that is chosen, with all scores."""
    parser = argparse.ArgumentParser(description="Write a SQL query by best-of-N.")
    parser.add_argument("question")
    parser.add_argument("--model", default="echo", help="a bundled model's name, address, folder or hub id")
    parser.add_argument("--n", type=int, default=10)
    arguments = parser.parse_args()
    decoder = SQLBestOfN(arguments.model, hyperparameters={"max_tokens": 256, "n": arguments.n})
    text, metadata = decoder.forward(arguments.question, TEMPLATE)
    print(text)
    print("scores:", [each["score"] for each in metadata["candidates"]])


if __name__ == "__main__":
    main()
