"""Replies of a server that speaks OpenAI's protocol, read as completions.

Why: what a server sends is not trusted; it is checked here once, so that the engine sees records only.
Promises: an answer that is not what the protocol says raises `Malformed`; tokens are the server's own count.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from inference_kit.errors import EngineError, named
from inference_kit.models.http.untrusted_json import Malformed, as_count, as_list, as_object, as_text, shorten
from inference_kit.models.http.wording.endings import read_ending
from inference_kit.records import Completion, FinishReason, GenerationConfig, Token

TOP_TOKENS = 20
"""Of how many tokens the protocol tells the log-probability at the most."""
Top = tuple[str, float]
"""A token that might have been written, and its log-probability."""
APART = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
"""Where servers put the reasoning that they take apart from the reply."""
OTHER_NAMES = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens"}
BYTES_OF_A_TOKEN = 4
"""The usual length of a token, where the server does not count."""


class TokenLogprob(NamedTuple):
    """One generated token, and the likeliest in its place with their log-probabilities, likeliest first.

    A named tuple, which is built three times as fast as a frozen dataclass: a reply has hundreds.
    """

    text: str
    logprob: float
    top: tuple[Top, ...] = ()

    def to_token(self) -> Token:
        """Return the record of how sure the model was of it."""
        best = sorted((logprob for _, logprob in self.top), reverse=True)[:TOP_TOKENS] or [self.logprob]
        second = math.exp(best[1]) if len(best) > 1 else 0.0
        return Token(self.text, self.logprob, math.exp(best[0]) - second, -sum(best) / len(best))


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer to one request: its completions, and whether the server counted their tokens.

    The request's prompt was read once, so its tokens are those of the first completion.
    """

    completions: tuple[Completion, ...]
    counted: bool

    def count(self, read_tokens: int) -> "Reply":
        """Count what was read besides to get this reply, which is paid for as well."""
        if not read_tokens:
            return self
        first, *others = self.completions
        return replace(self, completions=(replace(first, prompt_tokens=first.prompt_tokens + read_tokens), *others))


@dataclass(frozen=True, slots=True)
class FirstTokens:
    """The likeliest first tokens of a reply, likeliest first, and how many tokens were read to know them."""

    top: tuple[Top, ...]
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Said:
    """The text of a choice, and where in it the reply begins behind reasoning that the server took apart."""

    text: str
    start: int = 0

    def to_message(self) -> dict[str, Any]:
        """Return the message of a chat that says it."""
        thought = self.text[: self.start].removeprefix("<think>").removesuffix("</think>")
        return {"content": self.text[self.start :]} | ({"reasoning_content": thought} if thought else {})


def read_reply(data: Any, n: int, config: GenerationConfig, said: Sequence[Said] | None = None) -> Reply:
    """Read the answer to a request for `n` completions, of chat or of plain text; some servers write only the first.

    Args:
        data: The whole answer.
        n: How many completions were asked for.
        config: What they were asked for with.
        said: The texts of the choices, where they are known already.

    Raises:
        Malformed: where it is not what the protocol says.
    """
    choices = as_list(as_object(data, "the answer").get("choices"), "choices")
    if not choices and _is_filtered(data.get("prompt_filter_results")):
        choices = [{"message": {}, "finish_reason": "content_filter"}]
    if not 1 <= len(choices) <= n:
        raise Malformed(f"{len(choices)} choices instead of {n}")
    choices = sorted(
        (as_object(each, "a choice") for each in choices), key=lambda each: as_count(each.get("index")) or 0
    )
    logprobs = [read_logprobs(each.get("logprobs")) for each in choices]
    written, read = _read_counts(data)
    said = said or [_read_text(each) for each in choices]
    sizes = _count_each(written, [len(each) for each in logprobs], [each.text for each in said])
    return Reply(
        tuple(
            _build_completion(choice, text, tokens, size, (read or 0) if place == 0 else 0, config)
            for place, (choice, text, tokens, size) in enumerate(zip(choices, said, logprobs, sizes, strict=True))
        ),
        counted=written is not None,
    )


def read_first_tokens(data: Any) -> FirstTokens:
    """Read the likeliest tokens in the place of the first one written.

    Raises:
        EngineError: where the server does not tell them.
    """
    choices = as_list(as_object(data, "the answer").get("choices"), "choices")
    tokens = [token for choice in choices for token in read_logprobs(as_object(choice, "a choice").get("logprobs"))]
    if not tokens or not tokens[0].top:
        raise EngineError(
            "the server does not tell the likeliest tokens",
            fix=f"Choose another method; a judge can sample its verdicts instead ({named('reward_n_verdicts')}).",
        )
    likeliest_first = sorted(tokens[0].top, key=lambda top: top[1], reverse=True)
    return FirstTokens(tuple(likeliest_first), read_count(data, "prompt_tokens") or 0)


def read_logprobs(logprobs: Any) -> tuple[TokenLogprob, ...]:
    """Read the tokens of a choice, of chat (`content`) or of plain text (`tokens`); empty where there are none."""
    if not isinstance(logprobs, dict):
        return ()
    if isinstance(content := logprobs.get("content"), list):
        if not all(isinstance(each, dict) for each in content):
            raise Malformed("a token is no object")
        if any((value := each.get("logprob")) is None or value != value for each in content):  # NaN is not itself
            return ()
        return tuple([TokenLogprob(*_read_token(each), _read_top(each.get("top_logprobs"))) for each in content])
    if not isinstance(texts := logprobs.get("tokens"), list):
        return ()
    values = as_list(logprobs.get("token_logprobs"), "token_logprobs")
    if any(map(_is_unknown, values)):
        return ()
    tops = as_list(logprobs.get("top_logprobs") or [{}] * len(texts), "top_logprobs")
    if not len(texts) == len(values) == len(tops):
        raise Malformed("it has log-probabilities of another number of tokens")
    return tuple(
        TokenLogprob(
            str(text), _read_logprob(value), tuple((name, _read_logprob(each)) for name, each in (top or {}).items())
        )
        for text, value, top in zip(texts, values, tops, strict=True)
    )


def split_thought(choice: Mapping[str, Any]) -> tuple[str, str]:
    """Split a choice, or an event of one, into the reasoning that a server took apart and the text."""
    message = choice.get("message", choice.get("delta"))
    if choice.get("text") is not None or ("text" in choice and message is None):
        return _read_parts(choice["text"])
    if message is None and read_ending(choice.get("finish_reason")) == "withheld":
        return "", ""
    message = as_object(message, "a message")
    thought, said = _read_parts(message.get("content"))
    apart = next((found for name in APART if (found := message.get(name))), None)
    if apart and said.startswith("<think>"):  # it is told twice
        apart = None
    return "".join(_read_parts(apart)) + thought, said or as_text(message.get("refusal"))


def _read_parts(content: Any) -> tuple[str, str]:
    """Read a content as reasoning and text: a text is all text, and a list has parts of either kind."""
    if isinstance(content, dict):
        content = content.get("parts", [content])
    if not isinstance(content, list):
        return "", as_text(content)
    thought, said = "", ""
    for each in content:
        if not each or isinstance(each, str):
            said += each or ""
            continue
        part = as_object(each, "a part of the content")
        kind = str(part.get("type"))
        if kind.startswith(("thinking", "reasoning")):
            inner = next((found for name in (kind, "text", "content", "summary") if (found := part.get(name))), None)
            thought += "".join(_read_parts(inner))
        else:
            said += "".join(_read_parts(part.get("text") or part.get("refusal")))
    return thought, said


def _build_completion(
    choice: Mapping[str, Any],
    said: Said,
    tokens: Sequence[TokenLogprob],
    size: int,
    prompt_tokens: int,
    config: GenerationConfig,
) -> Completion:
    """Build the completion of one choice."""
    if config.token_details and size and not any(each.top for each in tokens):
        raise EngineError(
            "the server does not tell the likeliest tokens",
            fix="Choose a vote or method that does not weigh how sure the model was.",
        )
    text, reason = _read_end(choice, said, config)
    if reason == "stop" and not choice.get("finish_reason") and config.max_new_tokens <= size:
        reason = "length"  # nothing is said of the end, and the reply is as long as it may be
    return Completion(
        text,
        reason,
        size,
        logprob=sum(each.logprob for each in tokens) if tokens and config.logprobs else None,
        prompt_tokens=prompt_tokens,
        details=tuple(each.to_token() for each in tokens) if config.token_details else (),
    )


def _read_end(choice: Mapping[str, Any], said: Said, config: GenerationConfig) -> tuple[str, FinishReason]:
    """Read why a choice ended; cut its text at a stop text, and put the step's boundary back where that is missing.

    A stop text applies to what is said, as it does on the server, and not to reasoning that the server took apart.
    """
    ending = read_ending(choice.get("finish_reason"))
    if ending == "broken" or choice.get("error"):
        raise Malformed(f"it was broken off: {shorten(str(choice.get('error') or choice['finish_reason']), 160)}")
    text = said.text
    stops = [place for stop in config.stop if (place := text.find(stop, said.start)) >= 0]
    if stops:
        return text[: min(stops)], "stop"
    message = choice.get("message")
    if ending == "withheld" or (isinstance(message, dict) and message.get("refusal") and not message.get("content")):
        return text, "withheld"
    if (filtered := choice.get("content_filter_results")) and _is_filtered(filtered):
        return text, "withheld"
    if ending == "length":
        return text, "length"
    if config.boundary:
        if text.endswith(config.boundary):
            return text, "boundary"
        if config.boundary in (choice.get("stop_reason"), choice.get("matched_stop")):
            return text + config.boundary, "boundary"
    return text, "stop"


def _read_text(choice: Mapping[str, Any]) -> Said:
    """Read the text of a choice; reasoning that the server took apart stands before it again."""
    thought, said = split_thought(choice)
    before = f"<think>{thought}</think>" if thought else ""
    return Said(before + said, len(before))


def estimate_tokens(text: str) -> int:
    """Estimate how many tokens a text has, for a server that does not count them."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_OF_A_TOKEN)


def _count_each(total: int | None, counts: Sequence[int], texts: Sequence[str]) -> list[int]:
    """Count the tokens of each completion, so that they add up to the server's total, where it gives one.

    Where the counts of log-probabilities do not, the total is split evenly.
    """
    if total is None:
        return [count or estimate_tokens(text) for count, text in zip(counts, texts, strict=True)]
    if sum(counts) == total:
        return list(counts)
    n = len(texts)
    return [total * (place + 1) // n - total * place // n for place in range(n)]


def _read_counts(data: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Read how many tokens were written, and how many read.

    Some services leave reasoning out of what was written, and have it in the total only.
    """
    written, read = read_count(data, "completion_tokens"), read_count(data, "prompt_tokens")
    if read is not None and (total := read_count(data, "total_tokens")) is not None:
        written = max(written or 0, total - read)
    return written, read


def read_count(data: Mapping[str, Any], name: str) -> int | None:
    """Read a count of the answer's `usage`, None where the server does not tell it."""
    usage = as_object(data.get("usage") or {}, "usage")
    count = usage.get(name)
    if count is None and name in OTHER_NAMES:
        count = usage.get(OTHER_NAMES[name])
    return None if count == -1 else as_count(count)


def _is_filtered(results: Any) -> bool:
    """Tell whether results of content filters say that one of them took something away."""
    if isinstance(results, list):
        return any(map(_is_filtered, results))
    return isinstance(results, dict) and (results.get("filtered") is True or any(map(_is_filtered, results.values())))


def _is_unknown(logprob: Any) -> bool:
    """Tell whether a log-probability is missing, or NaN by the server's arithmetic."""
    return logprob is None or (isinstance(logprob, float) and math.isnan(logprob))


def _read_top(tokens: Any) -> tuple[Top, ...]:
    """Read the likeliest tokens in the place of one."""
    return tuple(map(_read_token, as_list(tokens, "top_logprobs"))) if tokens else ()


def _read_token(data: Any) -> Top:
    """Read a token of chat and its log-probability; what is usual is seen at once, because there are hundreds."""
    if isinstance(data, dict):
        text, logprob = data.get("token"), data.get("logprob")
        if type(text) is str and type(logprob) is float and -9999.0 <= logprob <= 0.0:
            return text, logprob
    return as_text(as_object(data, "a token").get("token")), _read_logprob(data.get("logprob"))


def _read_logprob(value: Any) -> float:
    """Read a log-probability; of what a server rules out it is -9999 at the least."""
    if isinstance(value, bool) or not isinstance(value, int | float) or _is_unknown(value):
        raise Malformed(f"log-probability {shorten(repr(value), 40)}")
    return float(min(0.0, max(value, -9999.0)))
