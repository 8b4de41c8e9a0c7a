"""Servers that are not vLLM: each refuses what the real one does, in its words, and writes its answers as that does.

Why: a server that takes everything shows nothing of what happens where one does not.
Promises: what a strict server writes is what a willing one writes, as far as it takes the settings.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from mock_server import Body, Fault, MockServer, Steps, digest

STEP_FIELDS = frozenset({"continue_final_message", "add_generation_prompt", "include_stop_str_in_output"})
CONTENT = frozenset({"model", "messages"})
CONTEXT_OF_OLD_VLLM = 450


def solve(question: str, seed: int) -> list[str]:
    """Two steps and an answer below 7 by question and seed; for every third question it is a long way."""
    number = digest(question, seed) % 7
    long = " and so on" * (12 if digest(question) % 3 == 0 else 0)
    return [f"Think about {number}{long}.\n\n", f"Then {seed % 3} more.\n\n", f"So it is \\boxed{{{number}}}. END"]


def solve_without_seed(question: str, _: int) -> list[str]:
    """A solution by the question alone, as of a server that takes no seed."""
    return solve(question, 0)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of server: what it refuses, how it writes, what is added to the command, and what is said to be left out.

    `gives` is what it does of what `MockServer` knows; `path` is what follows the root in the address.
    """

    refuse: Fault
    reshape: Callable[[Body], Body] = lambda found: found
    steps: Steps = solve
    prefix: str = "/v1"
    query: str = ""
    gives: frozenset[str] = frozenset({"usage", "stop_reason"})
    max_new_tokens: int = 30
    words: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def serve(self) -> MockServer:
        """Begin a server of this kind; it has rewards for everybody."""

        def refuse(request: web.Request, body: Body) -> "web.StreamResponse | str | None":
            return None if request.path.endswith("/step_rewards") else self.refuse(request, body)

        return MockServer(
            self.steps, fault=refuse, reshape=self.reshape, prefix=self.prefix, knows=self.gives, owned_by="them"
        )

    def serve_willingly(self) -> MockServer:
        """Begin a server that takes everything, and writes what one of this kind would."""
        return MockServer(self.steps, knows=self.gives | {"continue"})


def answer(status: int, data: Any) -> web.Response:
    """An answer in JSON."""
    return web.json_response(data, status=status)


def refuse_unknown(body: Body, known: Iterable[str]) -> str | None:
    """The first field that a server does not know."""
    return next((name for name in body if name not in {*known, *CONTENT}), None)


def refuse_as_reasoning_model(_: web.Request, body: Body) -> web.Response | None:
    """OpenAI's reasoning models: one field after the other, by name."""

    def say(name: str, message: str, code: str = "unsupported_parameter") -> web.Response:
        error = {"message": message, "type": "invalid_request_error", "param": name, "code": code}
        return answer(400, {"error": error})

    if "max_tokens" in body:
        more = " Use 'max_completion_tokens' instead."
        return say("max_tokens", f"Unsupported parameter: 'max_tokens' is not supported with this model.{more}")
    if body.get("temperature", 1) != 1:
        only = "Only the default (1) value is supported."
        message = f"Unsupported value: 'temperature' does not support {body['temperature']} with this model. {only}"
        return say("temperature", message, "unsupported_value")
    refused = refuse_unknown(body, {"max_completion_tokens", "temperature", "reasoning_effort", "stream"})
    return say(refused, f"Unsupported parameter: '{refused}' is not supported with this model.") if refused else None


def write_as_reasoning_model(found: Body) -> Body:
    """With reasoning in the usage, refusals and annotations."""
    for choice in found["choices"]:
        choice["message"] |= {"refusal": None, "annotations": []}
        choice.pop("stop_reason", None)
    details = {"reasoning_tokens": 2, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}
    usage = found["usage"]
    total = usage["prompt_tokens"] + usage["completion_tokens"]
    return found | {"usage": usage | {"total_tokens": total, "completion_tokens_details": details}}


def refuse_as_mistral(_: web.Request, body: Body) -> web.Response | None:
    """All unknown fields at once, as pydantic says it; the seed has another name."""
    known = {*CONTENT, "temperature", "top_p", "max_tokens", "stop", "random_seed", "n", "stream", "safe_prompt"}
    refused = [
        {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted", "input": value}
        for name, value in body.items()
        if name not in known
    ]
    if refused:
        message = {"object": "error", "message": {"detail": refused}, "type": "invalid_request_error", "code": None}
        return answer(422, message)
    body["seed"] = body.get("random_seed", 0)
    return None


def write_as_mistral(found: Body) -> Body:
    """Contents in parts, another word for a cut reply, and counts as floats."""
    for choice in found["choices"]:
        text = choice["message"]["content"]
        middle = len(text) // 2
        choice["message"]["content"] = [{"type": "text", "text": each} for each in (text[:middle], text[middle:])]
        if choice["finish_reason"] == "length":
            choice["finish_reason"] = "model_length"
    return found | {"usage": {name: float(value) for name, value in found["usage"].items()}}


def refuse_as_azure(request: web.Request, body: Body) -> web.Response | None:
    """No version, no key, or a field of others."""
    if request.query.get("api-version") != "2024-10-21":
        return answer(404, {"error": {"code": "404", "message": "Resource not found"}})
    if request.headers.get("api-key") != "the-key-of-azure":
        return answer(401, {"error": {"code": "401", "message": "Access denied due to invalid subscription key."}})
    if request.path.endswith("/models"):
        return answer(404, {"error": {"code": "404", "message": "Resource not found"}})
    known = {"temperature", "top_p", "max_tokens", "stop", "seed", "n", "logprobs", "top_logprobs", "stream"}
    if refused := refuse_unknown(body, known):
        return answer(400, {"error": {"message": f"Unrecognized request argument supplied: {refused}", "code": None}})
    return None


def write_as_azure(found: Body) -> Body:
    """With results of filters for the prompt and for each choice."""
    safe = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}
    for choice in found["choices"]:
        choice["content_filter_results"] = safe
    prompt = [{"prompt_index": 0, "content_filter_results": safe | {"jailbreak": {"filtered": False}}}]
    return found | {"prompt_filter_results": prompt, "system_fingerprint": "fp_1"}


def refuse_as_old_vllm(_: web.Request, body: Body) -> web.Response | None:
    """vLLM 0.4 to 0.6: an error is no object in an object, and a prompt too long is told with all its numbers."""

    def say(message: str) -> web.Response:
        error = {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": 400}
        return answer(400, error)

    known = STEP_FIELDS | {"temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_tokens", "stop", "seed"}
    known |= {"frequency_penalty", "presence_penalty", "n", "logprobs", "top_logprobs", "stream", "stream_options"}
    if refused := refuse_unknown(body, known):
        complaint = {"type": "extra_forbidden", "loc": ("body", refused), "msg": "Extra inputs are not permitted"}
        return say(str([complaint]))
    if body:
        prompt, most = 300 + len(body["messages"]), body["max_tokens"]
        if prompt + most > CONTEXT_OF_OLD_VLLM:
            return say(
                f"This model's maximum context length is {CONTEXT_OF_OLD_VLLM} tokens. However, you requested "
                f"{prompt + most} tokens ({prompt} in the messages, {most} in the completion). "
                "Please reduce the length of the messages or completion."
            )
    return None


def refuse_as_llama_cpp(_: web.Request, body: Body) -> web.Response | None:
    """One that knows no seed, n and log-probabilities, in the words of a strict parser."""
    known = sorted({*CONTENT, "max_tokens", "temperature", "top_p", "stop", "stream"})
    if refused := refuse_unknown(body, known):
        where = f"unknown field `{refused}`, expected one of {', '.join(f'`{name}`' for name in known)}"
        text = f"Failed to deserialize the JSON body into the target type: {where} at line 1 column 214"
        return web.Response(status=422, text=text)
    return None


def refuse_as_tgi(_: web.Request, body: Body) -> web.Response | None:
    """One that goes on with a partial answer and knows no seed, n and log-probabilities."""
    refused = refuse_unknown(body, STEP_FIELDS | {"max_tokens", "temperature", "top_p", "stop"})
    said = {"error": f"Input validation error: `{refused}` is not supported", "error_type": "validation"}
    return answer(422, said) if refused else None


def refuse_as_lm_studio(_: web.Request, body: Body) -> web.Response | None:
    """One that says it in a plain text without JSON."""
    refused = refuse_unknown(body, {"max_tokens", "temperature", "top_p", "stop"})
    return answer(400, {"error": f"'{refused}' field is not supported by this engine"}) if refused else None


KINDS = {
    "reasoning model": Kind(
        refuse_as_reasoning_model,
        write_as_reasoning_model,
        steps=solve_without_seed,
        left_out=("temperature", "top_p", "seed", "stop", "log-probabilities"),
    ),
    "mistral": Kind(
        refuse_as_mistral, write_as_mistral, words=("--server-kind", "mistral"), left_out=("log-probabilities",)
    ),
    "azure": Kind(
        refuse_as_azure,
        write_as_azure,
        prefix="/openai/deployments/mock",
        query="?api-version=2024-10-21",
        gives=frozenset({"usage", "logprobs"}),
        words=("--header", "api-key: $AZURE_KEY"),
    ),
    "old vllm": Kind(
        refuse_as_old_vllm,
        gives=frozenset({"usage", "stop_reason", "logprobs", "continue"}),
        max_new_tokens=400,  # more than its context leaves
    ),
    "llama.cpp": Kind(refuse_as_llama_cpp, steps=solve_without_seed, left_out=("seed", "log-probabilities")),
    "tgi": Kind(
        refuse_as_tgi,
        steps=solve_without_seed,
        gives=frozenset({"stop_reason", "continue"}),
        left_out=("seed", "log-probabilities"),
    ),
    "lm studio": Kind(
        refuse_as_lm_studio,
        steps=solve_without_seed,
        gives=frozenset({"stop_reason"}),
        left_out=("seed", "log-probabilities"),
    ),
}
