"""Echo: answers every prompt with its last message; for dry runs and tests.

Why: a data set, a template or a whole sweep can be tried in a second, on any machine, before a model is paid for.
"""

from collections.abc import Sequence

from inference_kit.models.base import Capabilities, Engine
from inference_kit.records import Completion, GenerationConfig, Prompt


class Echo(Engine):
    """Answers every prompt with its last message, at most `max_new_tokens` words of it.

    Args:
        separator: Text that ends a step.
    """

    capabilities = Capabilities(
        refused_settings=frozenset(
            {"repetition_penalty", "frequency_penalty", "presence_penalty", "stop", "token_details", "branch_first"}
        ),
        prefix=False,
        logprobs=False,
    )

    def __init__(self, model_path: str = "echo", *, separator: str = "\n\n") -> None:
        self.identity, self.separator = f"echo:{model_path}", separator

    def vanilla_generate(self, prompts: Sequence[Prompt], config: GenerationConfig) -> list[list[Completion]]:
        """Repeat each prompt as often as it wants completions."""
        return [[self._repeat(prompt, config)] * prompt.n for prompt in prompts]

    def _repeat(self, prompt: Prompt, config: GenerationConfig) -> Completion:
        words = prompt.messages[-1].content.split()
        shown = words[: config.max_new_tokens]
        text = prompt.messages[-1].content if shown == words else " ".join(shown)
        return Completion(text, "stop" if shown == words else "length", tokens=len(shown), prompt_tokens=len(words))
