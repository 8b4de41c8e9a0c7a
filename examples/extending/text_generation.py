"""TextGeneration: a server that answers `POST /generate` with `{"generated_text": ..., "details": ...}`."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from inference_kit import Capabilities, Completion, Engine, GenerationConfig, HttpSession, Prompt, ServerSettings
from inference_kit.flow import as_finished
from inference_kit.models.http.untrusted_json import as_count, as_object, as_text
from inference_kit.registry import flatten_settings


class TextGeneration(Engine):
    """Asks for each completion in a request of its own, by the server's address."""

    capabilities = Capabilities(
        frozenset("top_p top_k min_p repetition_penalty frequency_penalty presence_penalty token_details".split()),
        prefix=False,
        logprobs=False,
    )

    @flatten_settings
    def __init__(self, model_path: str, *, server: ServerSettings = ServerSettings()) -> None:
        self.identity, self.concurrency = f"generate:{model_path}", server.server_concurrency
        self._session = HttpSession(model_path, server=server)

    async def generate(self, prompt: Prompt, config: GenerationConfig) -> AsyncIterator[tuple[int, Completion]]:
        """Write the completions of one prompt, each as its request is answered."""
        jobs = [self._write(place, prompt, config) for place in range(prompt.n)]
        async with aclosing(as_finished(jobs)) as completions:
            async for each in completions:
                yield each

    async def _write(self, place: int, prompt: Prompt, config: GenerationConfig) -> tuple[int, Completion]:
        asked = {"max_new_tokens": config.max_new_tokens, "seed": prompt.seeds[place], "stop": list(config.stop)}
        drawn = {"do_sample": True, "temperature": config.temperature} if config.temperature else {"do_sample": False}
        body = {"inputs": self.render(prompt.messages), "parameters": asked | drawn}
        return place, await self._session.post("/generate", body, _read)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


def _read(reply: Any) -> Completion:
    """Read an answer; one that is not what it should be is asked for again, because of `Malformed`."""
    details = as_object(as_object(reply, "the answer").get("details", {}), "details")
    reason = "length" if details.get("finish_reason") == "length" else "stop"
    return Completion(as_text(reply.get("generated_text")), reason, as_count(details.get("generated_tokens")) or 0)
