"""A server on 127.0.0.1 that speaks OpenAI's protocol, Ollama's and `step_rewards`, with a scripted world behind it.

Why: what an engine does with a socket, a status or half an answer shows on a real socket only.
Promises: what it writes follows from the conversation, the partial answer and the seed alone; every request is kept;
faults come before anything is written, or spoil what was.
"""

import asyncio
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Body = dict[str, Any]
Steps = Callable[[str, int], Sequence[str]]
Fault = Callable[[web.Request, Body], "web.StreamResponse | str | None"]
"""Made of a request: an answer instead of the usual one, `reset`, `cut` or `half` (JSON), or None."""


def digest(*parts: Any) -> int:
    """A number that follows from `parts`."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:6], "big")


def three_steps(question: str, seed: int) -> list[str]:
    """A solution of two steps and an answer below 7, by question and seed."""
    number = digest(question, seed) % 7
    return [f"Think about {number}.\n\n", f"Then {seed % 3} more.\n\n", f"So it is \\boxed{{{number}}}."]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    path: str
    body: Body
    headers: Mapping[str, str]
    at: float
    query: str = ""


def stream_events(found: Body) -> Iterator[Body]:
    """A whole answer, word by word; how each choice ended, and the usage, come last."""
    for choice in found["choices"]:
        index, of_chat = choice["index"], "message" in choice
        text = choice["message"]["content"] if of_chat else choice["text"]
        logprobs = choice.get("logprobs", {}).get("content", [])
        for place, piece in enumerate(re.findall(r"\S+\s*|\s+", text)):
            event = {"index": index, **({"delta": {"content": piece}} if of_chat else {"text": piece})}
            yield {"choices": [event | ({"logprobs": {"content": logprobs[place : place + 1]}} if logprobs else {})]}
        last = {name: choice[name] for name in ("finish_reason", "stop_reason") if name in choice}
        yield {"choices": [{"index": index, **({"delta": {}} if of_chat else {"text": ""}), **last}]}
    if "usage" in found:
        yield {"choices": [], "usage": found["usage"]}


@dataclass
class MockServer:
    """Serves while used as a context manager, on a thread and loop of its own."""

    steps: Steps = three_steps
    fault: Fault | None = None
    latency: float = 0.0
    owned_by: str = "somebody"
    models: Sequence[str] = ("mock",)
    max_model_len: int | None = None
    knows: frozenset[str] = frozenset({"continue", "logprobs", "usage", "stop_reason"})
    ollama: bool = False
    prefix: str = "/v1"
    reshape: Callable[[Body], Body] = lambda found: found
    asked: list[Asked] = field(default_factory=list)
    most_at_once: int = 0

    def __enter__(self) -> "MockServer":
        self._at_once = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.root}{self.prefix}"

    def bodies(self, path: str = "/v1/chat/completions") -> list[Body]:
        """What was posted to `path`."""
        return [each.body for each in self.asked if each.path == path]

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._until_stopped())
        self._loop.close()

    async def _until_stopped(self) -> None:
        self._stop = asyncio.Event()
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=2048)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else {}
        self.asked.append(Asked(request.path, body, dict(request.headers), time.monotonic(), request.query_string))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if self.latency:
                await asyncio.sleep(self.latency)
            return await self._answer(request, body)
        finally:
            self._at_once -= 1

    async def _answer(self, request: web.Request, body: Body) -> web.StreamResponse:
        spoiled = self.fault(request, body) if self.fault else None
        if isinstance(spoiled, web.StreamResponse):
            return spoiled
        if spoiled == "reset":
            assert request.transport is not None
            request.transport.abort()
            raise asyncio.CancelledError
        answer = {
            f"{self.prefix}/models": self._models,
            f"{self.prefix}/chat/completions": lambda body: self.reshape(self._chat(body)),
            f"{self.prefix}/completions": self._chat,
            "/v1/step_rewards": self._rewards,
            **(self._ollama_paths() if self.ollama else {}),
        }.get(request.path)
        if answer is None:
            return web.json_response({"detail": "Not Found"}, status=404)
        found = answer(body)
        if isinstance(found, web.Response):
            return found
        if body.get("stream") and "done" in found:
            return await self._lines(request, found)
        if body.get("stream") and "choices" in found:
            return await self._streamed(request, found, spoiled)
        text = json.dumps(found)
        if spoiled == "half":
            return web.Response(text=text[: len(text) // 2], content_type="application/json")
        if spoiled == "cut":
            return await self._cut(request, text)
        return web.Response(text=text, content_type="application/json")

    async def _cut(self, request: web.Request, text: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(text)), "Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(text[: len(text) // 2].encode())
        assert request.transport is not None
        request.transport.close()
        return response

    async def _streamed(self, request: web.Request, found: Body, spoiled: str | None) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in stream_events(found):
            await response.write(f"data: {json.dumps(event)}\n\n".encode())
            if spoiled == "cut":
                assert request.transport is not None
                request.transport.close()
                return response
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _lines(self, request: web.Request, found: Body) -> web.StreamResponse:
        """Ollama's answer, word by word."""
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        for piece in re.findall(r"\S+\s*|\s+", found["message"]["content"]):
            line = {"message": {"role": "assistant", "content": piece}, "done": False}
            await response.write(f"{json.dumps(line)}\n".encode())
        last = {**found, "message": {"role": "assistant", "content": ""}}
        await response.write(f"{json.dumps(last)}\n".encode())
        return response

    def _models(self, _: Body) -> Body:
        more = {"max_model_len": self.max_model_len} if self.max_model_len else {}
        return {"data": [{"id": name, "owned_by": self.owned_by, **more} for name in self.models]}

    def _chat(self, body: Body) -> Body | web.Response:
        if body["model"] not in self.models:
            error = {"message": f"The model `{body['model']}` does not exist.", "code": 404}
            return web.json_response({"error": error}, status=404)
        choices, total = [], 0
        for child in range(body.get("n", 1)):
            choice, tokens = self._choice(body, child)
            choices.append(choice)
            total += tokens
        usage = {"prompt_tokens": len(str(body.get("messages") or body["prompt"]).split()), "completion_tokens": total}
        return {"choices": choices} | ({"usage": usage} if "usage" in self.knows else {})

    def _choice(self, body: Body, child: int) -> tuple[Body, int]:
        text, reason, stop = self._written(body, body.get("seed", 0) + child)
        tokens = re.findall(r"\S+\s*|\s+", text)[: body.get("max_tokens") or body.get("max_completion_tokens")]
        if (whole := "".join(tokens)) != text:
            text, reason, stop = whole, "length", None
        choice: Body = {"index": child, "finish_reason": reason}
        choice |= {"text": text} if "prompt" in body else {"message": {"role": "assistant", "content": text}}
        if "stop_reason" in self.knows:
            choice["stop_reason"] = stop
        if body.get("logprobs") and "logprobs" in self.knows:
            choice["logprobs"] = {"content": [self._token(each, body.get("top_logprobs", 0)) for each in tokens]}
        return choice, len(tokens)

    def _token(self, text: str, top: int) -> Body:
        likeliest = [{"token": f"{'' if rank == 0 else rank}{text}", "logprob": -0.5 - rank} for rank in range(top)]
        return {"token": text, "logprob": -0.5, "top_logprobs": likeliest}

    def _written(self, body: Body, seed: int) -> tuple[str, str, str | None]:
        """The rest of the solution behind the partial answer, up to the first stop text."""
        turns = body.get("messages") or [{"role": "user", "content": body["prompt"]}]
        prefix = turns[-1]["content"] if turns[-1]["role"] == "assistant" else ""
        if prefix and not ("continue" in self.knows and body.get("continue_final_message")):
            prefix = ""
        question = next(turn["content"] for turn in turns if turn["role"] == "user")
        done = prefix.count("\n\n")
        rest = "".join(self.steps(question, seed)[done:])
        ends = [(place, stop) for stop in body.get("stop", ()) if (place := rest.find(stop)) >= 0]
        if not ends:
            return rest, "stop", None
        place, stop = min(ends)
        return rest[: place + (len(stop) if body.get("include_stop_str_in_output") else 0)], "stop", stop

    def _rewards(self, body: Body) -> Body:
        return {
            "scores": [[digest(each["problem"], step) % 101 / 100 for step in each["steps"]] for each in body["items"]]
        }

    def _ollama_paths(self) -> dict[str, Callable[[Body], Body]]:
        return {
            "/api/version": lambda _: {"version": "0.1"},
            "/api/tags": lambda _: {"models": [{"name": name, "digest": "sha256:ab"} for name in self.models]},
            "/api/chat": self._ollama,
        }

    def _ollama(self, body: Body) -> Body:
        options = body["options"]
        text, reason, _ = self._written(body | {"stop": options.get("stop", ())}, options["seed"])
        return {
            "message": {"role": "assistant", "content": text},
            "done": True,
            "done_reason": reason,
            "prompt_eval_count": 5,
            "eval_count": len(text.split()),
        }
