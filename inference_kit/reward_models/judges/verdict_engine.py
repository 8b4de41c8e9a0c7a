"""VerdictEngine: weights on this machine that write, and tell how likely a text goes on with one word or another.

Why: a generative reward model writes a chain of thought and is then read for the probability of its verdict; the same
weights do both, and are loaded once.
Promises: only the given words are compared; a text is read as the engine itself would go on with it.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from inference_kit.errors import UserError
from inference_kit.models.batching import Batcher
from inference_kit.models.decode.huggingface import HuggingFace
from inference_kit.models.local.rope import LengthRope
from inference_kit.records import GenerationConfig, Prompt
from inference_kit.reward_models.local.encoded_text import EncodedText
from inference_kit.reward_models.local.escape import build_escape
from inference_kit.reward_models.local.forward import BatchedForward
from inference_kit.reward_models.local.readout import compare_tokens


class VerdictEngine(HuggingFace):
    """A causal language model that is asked for text and, behind what it has written, for probabilities."""

    _model: Any

    async def compare(self, prompt: Prompt, words: tuple[str, ...]) -> float:
        """Return the probability of `words[0]` as what comes next, where only `words` are compared.

        Args:
            prompt: Its prefix is the part of the reply that exists; something was generated for it before.
            words: Each one token, with the space before it if there is one.

        Raises:
            NoRoom: where the text does not fit the context.
        """
        ids = self.build_detokenizer(prompt).prompt_ids
        self.limit_tokens(len(ids), GenerationConfig())
        return await self._reader.submit(EncodedText(ids, (len(ids) - 1,)), words)

    def find_token(self, word: str) -> int:
        """Return the id of a word that has to be one token.

        Raises:
            UserError: where it is more than one.
        """
        ids = self.tokenizer.encode(word, add_special_tokens=False)
        if len(ids) != 1:
            raise UserError(
                f"{word!r} is not one token of this model, and verdicts are read there",
                where=self.weights.path,
                fix="Choose the format that the weights were made for.",
            )
        return int(ids[0])

    @cached_property
    def escape(self) -> Callable[[str], str]:
        """What puts a space into each special token of a text."""
        return build_escape(self.tokenizer)

    def _load_model(self) -> Any:
        self._model = super()._load_model()
        if LengthRope(self._model).border is not None:
            # The frequencies are a state of the model, which writes on one thread and is read on another.
            raise UserError(
                "the model's positions depend on the length of a text, and verdicts are read while others are written",
                where=self.weights.path,
                fix="Serve it, and give the server's address.",
            )
        return self._model

    @cached_property
    def _reader(self) -> Batcher[EncodedText, float]:
        forwards: dict[tuple[str, ...], BatchedForward] = {}

        def read(texts: Sequence[EncodedText], words: tuple[str, ...]) -> list[float]:
            """Read a batch of texts, for all of which the same words are compared."""
            import torch

            if words not in forwards:
                forwards[words] = BatchedForward(self._model, compare_tokens([self.find_token(each) for each in words]))
            with torch.inference_mode():
                return [score for [score] in forwards[words].compute_raw_scores(texts)]

        return Batcher(read, self.max_batch_size)
