"""Program: any program as an engine; it reads the question on standard input and writes the reply."""

import shlex
import subprocess
from collections.abc import Sequence

from inference_kit.models.base import Engine
from inference_kit.records import Completion, GenerationConfig, Prompt


class Program(Engine):
    """Starts the command once for each completion; its last argument is the seed."""

    def __init__(self, model_path: str) -> None:
        self.identity, self.command = f"program:{model_path}", shlex.split(model_path)  # known before anything runs

    def vanilla_generate(self, prompts: Sequence[Prompt], config: GenerationConfig) -> list[list[Completion]]:
        """Write one completion for each seed of each prompt."""
        return [[self._write(prompt, seed) for seed in prompt.seeds] for prompt in prompts]

    def _write(self, prompt: Prompt, seed: int) -> Completion:
        words, question = [*self.command, str(seed)], prompt.messages[-1].content
        text = subprocess.run(words, input=question, capture_output=True, text=True, check=True).stdout
        return Completion(text, "stop", tokens=len(text.split()))
