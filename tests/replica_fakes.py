"""Engines that misbehave in a process of their own, where a test cannot reach in."""

import os
import signal
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from fakes import SeededEngine

from inference_kit.errors import EngineError, UserError
from inference_kit.records import Completion, GenerationConfig, Prompt


class Mortal(SeededEngine):
    """Dies by SIGKILL behind its second completion; the one that first finds `mark`, or every one without a mark."""

    def __init__(self, model_path: str = "mortal", *, mark: str = "") -> None:
        super().__init__(model_path)
        self.mark = mark

    async def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, Completion]]:
        """Yield one completion after the other, and maybe die between two."""
        for position, seed in enumerate(prompt.seeds):
            yield position, self._write(prompt, seed)
            if self.completions >= 2 and self._first_to_come():
                os.kill(os.getpid(), signal.SIGKILL)

    def _first_to_come(self) -> bool:
        if self.mark:
            try:
                Path(self.mark).touch(exist_ok=False)
            except FileExistsError:
                return False
        return True


class Broken(SeededEngine):
    """Raises what its path says."""

    def vanilla_generate(self, prompts: Sequence[Prompt], config: GenerationConfig) -> list[list[Completion]]:
        """Raise."""
        if "weights" in self.identity:
            raise UserError("the weights are damaged", where="--model-path")
        if "problem" in self.identity:
            raise EngineError("this prompt is too long")
        raise ZeroDivisionError("a bug")


class Stuck(SeededEngine):
    """Holds its event loop for ever at the first call, as an import that takes long does for a while."""

    async def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, Completion]]:
        """Tell that it was called, in its log, and wait."""
        print("called", flush=True)  # noqa: T201
        threading.Event().wait()
        yield 0, self._write(prompt, 0)


class Unmakeable(SeededEngine):
    """Can be made where its process is `home`, and nowhere else."""

    def __init__(self, model_path: str = "unmakeable", *, home: int = 0) -> None:
        super().__init__(model_path)
        if os.getpid() != home:
            raise UserError("no such folder on this machine", where="--model-path")


class Teller(SeededEngine):
    """Tells its process, threads and GPUs, and prints, which must not end up among results."""

    def _write(self, prompt: Prompt, seed: int) -> Completion:
        print("printed by a copy")  # noqa: T201
        names = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
        told = [str(os.getpid()), *(os.environ.get(name, "none") for name in names)]
        return Completion(" ".join(told), "stop", tokens=1)
