"""Adaptation: what a server has refused of a request, and what it is asked without from then on.

Why: which settings a model takes is seldom written down; reasoning models of services take no temperature, others no
seed, and each says so in its own words.
Promises: what is left out is said once; a setting that was asked for and cannot be left out, such as top_k, ends the
run with one line.
"""

import re
from collections.abc import Mapping
from typing import Any

from loguru import logger

from inference_kit.errors import UserError, named
from inference_kit.models.http.refusals import Refused

SPARED = frozenset(
    {"temperature", "top_p", "seed", "random_seed", "stop", "logprobs", "top_logprobs", "stream_options"}
)
"""What a request may do without."""
LENGTHS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
"""The two names of one field, each with the other."""
CONTENTS = frozenset({"model", "messages", "prompt", "n", "stream"})
"""What is no setting: its refusal is about this request alone, or is mended elsewhere."""
WRONG_REQUEST = frozenset({400, 415, 422, 501})
"""How a server answers to what it does not take."""
_NOT_TAKEN = re.compile(
    r"(?:not|n['’]t) (?:currently |yet )?(?:implement|support|permit|allow|accept|take|have|available|enabled|valid)"
    r"|not recogni[sz]ed|not compatible|unsupport|unknown|unrecogni[sz]ed|unexpected|extra|deprecated|forbid|invalid"
    r"|no longer|disabled|cannot|can['’]t|(?:must|should) not|\bno\b"
    r"|only (?:the default|one\b|1\b)|only (?:supports?|accepts?|allows?|takes) (?:\w+ ){0,3}(?:1\b|the default)"
    r"|(?:must|may|can|should)(?: only)? be (?:set to |equal to )?1(?![.\d])",
    re.IGNORECASE,
)
_OUT_OF_RANGE = re.compile(
    r"(?:must|should) be (?:in\b|between|at|less|greater|within|non|<|>|≤|≥)|\brange\b|out of bounds|between \S+ and"
    r"|(?:less|greater) than|(?:above|below|exceeds)(?: the)? (?:max|min)|expected a (?:value|number) [<>≤≥]",
    re.IGNORECASE,
)
_UNSET = re.compile(r"\bunset\b|\bomit|leave \S+ out", re.IGNORECASE)
_ALTERNATIVES = re.compile(
    r"expected one of|(?:supported|allowed|valid|accepted|known|available|permitted) (?:\w+ ){0,2}(?:are|is|include)\b"
    r"|did you mean|must be one of",
    re.IGNORECASE,
)
"""What stands before names that the server does take."""
DERIVED = frozenset({"seed", "random_seed", "stop", "logprobs", "top_logprobs"})
"""Settings whose values nobody has chosen for this server, so that one out of its range is left out."""
_TOO_MUCH = re.compile(r"too (?:large|high|big|many|long)|exceed|at most|maximum|<=", re.IGNORECASE)
_NOT_TOGETHER = re.compile(r"both|together|only one|either|simultaneous|at the same time", re.IGNORECASE)


class Adaptation:
    """What the server at `address` is asked without; `own_fields` are those that the user has added."""

    def __init__(self, address: str, own_fields: Mapping[str, Any]) -> None:
        self._address, self._own_fields = address, own_fields
        self._left_out: set[str] = set()
        self._renamed = ""

    def apply(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a request without what the server has refused before."""
        if not self._left_out and not self._renamed:
            return body
        return {
            LENGTHS[name] if name == self._renamed else name: value
            for name, value in body.items()
            if name not in self._left_out or not self._is_spared(name, body)
        }

    def learn(self, body: dict[str, Any], refusal: Refused) -> dict[str, Any] | None:
        """Return the request without what `refusal` says that the server does not take; None where it says nothing.

        Raises:
            UserError: for a setting that cannot be left out.
        """
        if refusal.status not in WRONG_REQUEST:
            return None
        for name in _find_refused(body, refusal):
            if name in LENGTHS and self._renamed in ("", name):
                self._rename(name)
            elif self._is_spared(name, body):
                self._leave_out(name, refusal)
            elif name not in SPARED:
                raise self._explain(name, refusal)
        adapted = self.apply(body)
        return adapted if adapted.keys() != body.keys() else None

    def _is_spared(self, name: str, body: Mapping[str, Any]) -> bool:
        """Tell whether a request may do without a field."""
        if name in self._own_fields or name not in SPARED:
            return False
        if name in ("logprobs", "top_logprobs"):
            return not asks_for_details(body)
        return name != "stop" or "include_stop_str_in_output" not in body

    def _rename(self, name: str) -> None:
        """Send the limit of a reply by its other name from now on; said once."""
        if not self._renamed:
            self._renamed = name
            logger.info("{} takes {} in the place of {}", self._address, LENGTHS[name], name)

    def _leave_out(self, name: str, refusal: Refused) -> None:
        """Leave a field out from now on; said once."""
        if name in self._left_out:
            return
        self._left_out.add(name)
        if name == "logprobs":
            logger.warning("{} gives no log-probabilities: {}", self._address, refusal.message)
        elif name != "top_logprobs":
            logger.warning("{} does not take {}, which is left out: {}", self._address, name, refusal.message)

    def _explain(self, name: str, refusal: Refused) -> UserError:
        """Say that the server does not take a setting that was asked for."""
        fix = (
            f"Leave it out of {named('extra_body')}, or of what sets it."
            if name in self._own_fields
            else "Leave it at its default."
        )
        if name in ("include_stop_str_in_output", "continue_final_message", "add_generation_prompt"):
            fix = "Such a server cannot write steps: use best_of_n or self_consistency."
        return UserError(f"the server does not take {name}: {refusal.message}", where=self._address, fix=fix)


def asks_for_details(body: Mapping[str, Any]) -> bool:
    """Tell whether a request asks for the likeliest tokens in the place of each."""
    return bool(body.get("top_logprobs") or ("prompt" in body and body.get("logprobs")))


def _find_refused(body: Mapping[str, Any], refusal: Refused) -> list[str]:
    """Find the fields of a request that are refused: what the server points at, or else names in its words.

    A value out of range is the user's to mend, and a length that is too much for the context is nobody's.
    """
    message = _ALTERNATIVES.split(refusal.message, maxsplit=1)[0]
    settings = [name for name in body if name not in CONTENTS]
    both = {"temperature", "top_p"} <= body.keys() and _names(message, "temperature", "top_p")
    if both and _NOT_TOGETHER.search(message):
        return ["temperature" if body["temperature"] == 1 != body["top_p"] else "top_p"]
    found = [name for name in settings if name in refusal.fields]
    named_there = [name for name in settings if _names(message, name)]
    may_go = _UNSET.search(message)
    if _OUT_OF_RANGE.search(message) and not may_go:
        return [name for name in found or named_there if name in DERIVED]
    if not found and (may_go or _NOT_TAKEN.search(message)):
        found = named_there
    if not found and "logprob" in message.lower():
        found = [name for name in settings if "logprobs" in name]
    if "logprobs" in found or "top_logprobs" in found:  # one is nothing without the other
        found += [name for name in settings if "logprobs" in name and name not in found]
    if _TOO_MUCH.search(message):
        found = [name for name in found if name not in LENGTHS]
    return found


def _names(message: str, *names: str) -> bool:
    """Tell whether a message names all these fields, as in top_p, topP, TopP or "top p"."""
    return all(re.search(rf"(?<![\w.]){name.replace('_', '[_ -]?')}(?!\w)", message, re.IGNORECASE) for name in names)
