"""Requests to a server that speaks OpenAI's protocol, as JSON.

Why: the protocol has one core and as many additions as there are servers; what is sent to which stands here.
Promises: a setting is sent wherever it differs from neutral, and always where the server would put the model's own in
its place; a partial answer is sent exactly as it stands.
"""

import base64
import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
class RequestBuilder:
    """Builds requests to one server; `own_fields` are those that the user has added."""

    server: Server
    api: Api
    own_fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> ServerKind:
        """What kind of server it is."""
        return self.server.kind

    def build(self, prompt: Prompt, config: GenerationConfig, seeds: Sequence[int]) -> dict[str, Any]:
        """Build a request for a completion with each seed; where there are several, each is one above the last."""
        body = {"model": self.server.model, **self._build_prompt(prompt), **self._build_sampling(config)}
        body |= {self.kind.max_tokens: config.max_new_tokens, self.kind.seed: seeds[0]}
        if len(seeds) > 1:
            body["n"] = len(seeds)
        stops = [text for text in (config.boundary, *config.stop) if text]
        if stops:
            body["stop"] = stops
        if config.boundary:
            body["include_stop_str_in_output"] = True
        details = config.token_details or config.branch_first
        if details or config.logprobs:
            top = TOP_TOKENS if details else 0
            body |= {"logprobs": True, "top_logprobs": top} if self.api == "chat" else {"logprobs": top}
        return {**body, **self.own_fields} if self.own_fields else body

    def _build_prompt(self, prompt: Prompt) -> dict[str, Any]:
        """Build the fields for the prompt; a partial answer is the last message, to be continued by the server."""
        if self.api == "completions":
            return {"prompt": join_contents(prompt.messages) + prompt.prefix}
        messages = [{"role": each.role, "content": _build_content(each)} for each in prompt.messages]
        if not prompt.prefix:
            return {"messages": messages}
        messages.append({"role": "assistant", "content": prompt.prefix})
        return {"messages": messages, "continue_final_message": True, "add_generation_prompt": False}

    def _build_sampling(self, config: GenerationConfig) -> dict[str, Any]:
        """Build the fields for sampling."""
        sampling: dict[str, Any] = {"temperature": config.temperature}
        for name in ("top_p", "min_p", "repetition_penalty", "frequency_penalty", "presence_penalty"):
            value = getattr(config, name)
            if self.kind.wants_all or value != getattr(NEUTRAL, name):
                sampling[name] = value
        if self.kind.wants_all or config.top_k:
            sampling["top_k"] = config.top_k or TOP_K_OFF
        return sampling


def join_contents(messages: Sequence[Message]) -> str:
    """Join the contents of a conversation, one a paragraph, for a model without a chat template."""
    return "\n\n".join(message.content for message in messages)


def _build_content(message: Message) -> str | list[dict[str, Any]]:
    """Build the content of a message, its images before its text."""
    if not message.images:
        return message.content
    images = [{"type": "image_url", "image_url": {"url": _build_image_url(each)}} for each in message.images]
    return [*images, {"type": "text", "text": message.content}]


def _build_image_url(image: str) -> str:
    """Build the address of an image; a file of this machine becomes a data URL."""
    if image.startswith(("http://", "https://", "data:")):
        return image
    return f"data:{mimetypes.guess_type(image)[0]};base64,{encode_image(image)}"


def encode_image(path: str) -> str:
    """Encode an image file as base64.

    Raises:
        EngineError: where it is no image by its name, or cannot be read.
    """
    if not (mimetypes.guess_type(path)[0] or "").startswith("image/"):
        raise EngineError("the name does not end like that of an image file", where=path, fix="Use .png or .jpg.")
    try:
        return base64.b64encode(Path(path).expanduser().read_bytes()).decode("ascii")
    except OSError as error:
        raise EngineError(f"the image cannot be read: {error.strerror}", where=path) from error
