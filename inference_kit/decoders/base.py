"""The interface that all decoders share, and the thread on which their engines live.

Why: engines are asynchronous and notebooks already run an event loop, so a decoder has a loop of its own.
"""

import asyncio
import threading
from collections.abc import Coroutine
from functools import cached_property
from typing import Any, TypeVar

Result = TypeVar("Result")
Answer = tuple[str, dict[str, Any]]
"""The text, and what is known about it."""


class InferenceBase:
    """The least a decoder is; a subclass writes `forward` and `batch_forward`, and needs nothing else.

    Args:
        model_name_or_path: A registered name, an address, a folder or a hub id.
        sampling_method: A label for the metadata.
        hyperparameters: Settings by name.
    """

    def __init__(
        self,
        model_name_or_path: str,
        sampling_method: str = "custom",
        hyperparameters: dict[str, Any] | None = None,
    ) -> None:
        self.model_name_or_path, self.sampling_method = model_name_or_path, sampling_method
        self.hyperparameters = dict(hyperparameters or {})

    def forward(self, input_text: str, prompt_template: str | None = None) -> Answer:
        """Answer one text; `{input}` in the template is where it goes."""
        raise NotImplementedError(f"{type(self).__name__} writes no forward")

    def batch_forward(self, input_texts: list[str], prompt_template: str | None = None) -> list[Answer]:
        """Answer many texts, in their order."""
        raise NotImplementedError(f"{type(self).__name__} writes no batch_forward")


class OwnLoop:
    """An event loop on a thread of its own, so that blocking callers may stand in any thread or loop."""

    def wait_for(self, job: Coroutine[Any, Any, Result]) -> Result:
        """Run `job` there and return what it returns."""
        return asyncio.run_coroutine_threadsafe(job, self._loop).result()

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, name="inference_kit decoder", daemon=True).start()
        return loop
