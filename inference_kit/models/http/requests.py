"""What a server that speaks OpenAI's protocol is asked, as the JSON of a request.

Why: the protocol has one core and as many additions as there are servers; what is sent to which stands here.
Promises: a setting is sent wherever it differs from neutral, and always where the server would put the model's own in
its place; a partial answer is sent exactly as it stands.
"""

import base64
import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from inference_kit.errors import EngineError
from inference_kit.models.base import NEUTRAL
from inference_kit.models.http.kinds import Server, ServerKind
from inference_kit.models.http.replies import TOP_TOKENS
from inference_kit.records import GenerationConfig, Message, Prompt

Api = Literal["chat", "completions"]
TOP_K_OFF = -1
"""What vLLM and SGLang call no top_k, in all their versions."""


@dataclass(frozen=True, slots=True)
class Requests:
    """Makes requests to one server; `gives_logprobs` is false where it refused to give them."""

    server: Server
    api: Api
    gives_logprobs: bool = True

    @property
    def kind(self) -> ServerKind:
        """What kind of server it is."""
        return self.server.kind

    def body(self, prompt: Prompt, config: GenerationConfig, seeds: Sequence[int]) -> dict[str, Any]:
        """A request for one completion of each seed; several seeds follow each other."""
        body = {"model": self.server.model, **self._prompt(prompt), **self._sampling(config)}
        body |= {self.kind.max_tokens: config.max_new_tokens, "n": len(seeds), "seed": seeds[0]}
        stops = [text for text in (config.boundary, *config.stop) if text]
        if stops:
            body["stop"] = stops
        if config.boundary:
            body["include_stop_str_in_output"] = True
        details = config.token_details or config.branch_first
        if details or (config.logprobs and self.gives_logprobs):
            top = TOP_TOKENS if details else 0
            body |= {"logprobs": True, "top_logprobs": top} if self.api == "chat" else {"logprobs": top}
        return body

    def _prompt(self, prompt: Prompt) -> dict[str, Any]:
        if self.api == "completions":
            return {"prompt": plain_text(prompt.messages) + prompt.prefix}
        turns = [{"role": each.role, "content": _content(each)} for each in prompt.messages]
        if not prompt.prefix:
            return {"messages": turns}
        turns.append({"role": "assistant", "content": prompt.prefix})
        return {"messages": turns, "continue_final_message": True, "add_generation_prompt": False}

    def _sampling(self, config: GenerationConfig) -> dict[str, Any]:
        sampling: dict[str, Any] = {"temperature": config.temperature, "top_p": config.top_p}
        for name in ("min_p", "repetition_penalty", "frequency_penalty", "presence_penalty"):
            value = getattr(config, name)
            if self.kind.says_all or value != getattr(NEUTRAL, name):
                sampling[name] = value
        if self.kind.says_all or config.top_k:
            sampling["top_k"] = config.top_k or TOP_K_OFF
        return sampling


def plain_text(messages: Sequence[Message]) -> str:
    """A conversation for a model without a chat template: its contents, one a paragraph."""
    return "\n\n".join(message.content for message in messages)


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not message.images:
        return message.content
    images = [{"type": "image_url", "image_url": {"url": _image_url(each)}} for each in message.images]
    return [*images, {"type": "text", "text": message.content}]


def _image_url(image: str) -> str:
    """The address of an image; a file of this machine is put into the request."""
    if image.startswith(("http://", "https://", "data:")):
        return image
    return f"data:{mimetypes.guess_type(image)[0]};base64,{image_content(image)}"


def image_content(path: str) -> str:
    """An image file, as base64.

    Raises:
        EngineError: where it is no image by its name, or cannot be read.
    """
    if not (mimetypes.guess_type(path)[0] or "").startswith("image/"):
        raise EngineError("the name does not end like that of an image file", where=path, fix="Use .png or .jpg.")
    try:
        return base64.b64encode(Path(path).expanduser().read_bytes()).decode("ascii")
    except OSError as error:
        raise EngineError(f"the image cannot be read: {error.strerror}", where=path) from error
