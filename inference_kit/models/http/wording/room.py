"""Room: how many tokens a refusal leaves for a reply.

Why: no two servers, nor two versions of one, say it in the same words, and some count only as far as they must.
Promises: what is read is at most the room there is, or a bound that says so; a text without numbers says nothing.
"""

import re
from dataclasses import dataclass

_NUMBER = r"(\d{1,3}(?:,\d{3})+|\d{1,9})"
_CONTEXT = (
    r"context[ _-]?(?:length|size|window|limit)\W{0,3}"
    rf"(?:(?:is|of|to|at|was|only|exceeded|just|has|:|=)\W{{1,3}})*{_NUMBER}",
    rf"{_NUMBER}[ -]tokens? (?:maximum )?context",
    rf"(?:max_model_len|n_ctx|max_seq_len|max_total_tokens)\W{{1,6}}(?:(?:is|of)\W{{1,3}})?{_NUMBER}",
    rf"(?:<=|less than or equal to|at most|not exceed) {_NUMBER}\b(?=.*inputs?\W{{0,2}} tokens)",
    r"(?:maximum|max|limit|only)(?: (?:length|sequence length|total length|is|of|supports|takes|handles|allows|has))*"
    rf" {_NUMBER} tokens?(?! (?:of )?(?:completion|output))",
)
_PROMPT = (
    rf"(?:prompt|input|messages?) resulted in {_NUMBER}",
    rf"{_NUMBER} (?:of |are )?(?:`?inputs?`?|prompt|message) tokens?",
    rf"{_NUMBER} (?:tokens? )?(?:in|from|of|for|are in) (?:the |your )?(?:input|prompt|messages?|text input)",
    rf"{_NUMBER} of text input",
    r"(?:prompt|input|request|messages?)(?: length| tokens?| size)?\W{0,3}"
    rf"(?:(?:contains?|has|have|is|was|of|takes|needs|resulted in|with|at least|:|=)\W{{1,3}})*{_NUMBER}",
    rf"you passed (?:at least )?{_NUMBER}",
)
_TOTAL = rf"(?:requested|total of|totalling|asked for)(?: a total of)?(?: about)? (?:at least )?{_NUMBER} tokens?"
_LEFT = rf"{_NUMBER} tokens? (?:are |is )?(?:left|remain|remaining|available|free)\b"
_SUM = rf"{_NUMBER} \+ {_NUMBER} > {_NUMBER}"
_GREATER = rf"{_NUMBER}(?: tokens?)?\W{{0,3}}>=?\W{{0,3}}(?:\w+\W{{1,3}})?{_NUMBER}"
_A_LIMIT = (
    r"(?:(?:longer|larger|greater|bigger|more|less) than|large for|exceeds?|max\w*|limit|only|up to|at most|allowed"
    r"|n_ctx)\D{0,40}$"
)
_A_LIMIT_BEHIND = r" ?(?:tokens? )?(?:maximum|limit)"
_A_PROMPT = r"\b(?:prompt|inputs?|request|too long|length|count|n_keep|the first|given|received)\b\D{0,24}$"
_LENGTH = (
    r"context[ _-]?(?:length|size|window|limit)|n_ctx|too many tokens|(?:prompt|input) (?:is )?too (?:long|large)"
    r"|(?:prompt|input) length|(?:longer|larger|more|less) than .{0,30}(?:length|tokens|context)"
    r"|exceed.{0,40}(?:tokens|context)|length of the (?:messages|prompt|input)"
)
_DIFFERENCE = rf"> {_NUMBER} - {_NUMBER}"
_OF_THE_REPLY = (
    r"max_(?:completion_|new_|output_)?tokens|(?:completion|output|generated) tokens"
    r"|maximum tokens (?:value|(?:you )?requested|for the (?:reply|response|output))|requested maximum tokens"
)
_BELOW = rf"(?:lower|less|smaller|fewer) than {_NUMBER}|below {_NUMBER}"
_BOUND = r"at least|or more|more than|over|≥|>="


@dataclass(frozen=True, slots=True)
class Room:
    """The tokens left for a reply; where it is no `exact` count there may be fewer, of a `context` of so many."""

    tokens: int
    exact: bool = True
    context: int = 0


def read_room(message: str, asked: int) -> Room | None:
    """Read how many tokens a refusal leaves for a reply of which `asked` were asked for; None where it tells nothing.

    A negative number is what the prompt has too many.
    """
    if found := re.search(_SUM, message):
        return Room(_read(found[3]) - _read(found[1]))
    if found := re.search(_DIFFERENCE, message):
        return Room(_read(found[1]) - _read(found[2]))
    if (found := re.search(_GREATER, message)) and _read(found[1]) != asked:
        return Room(_read(found[2]) - _read(found[1]))
    if found := re.search(_LEFT, message, re.IGNORECASE):
        return Room(_read(found[1]))
    context = next((found for each in _CONTEXT if (found := re.search(each, message, re.IGNORECASE))), None)
    if context is None:
        return _read_by_place(message, asked) or _read_cap(message, asked)
    whole = _read(context[1])
    for each in _PROMPT:
        for found in re.finditer(each, message, re.IGNORECASE):
            if found.start(1) != context.start(1):
                return Room(whole - _read(found[1]), not _is_bound(message, found.start(1)), whole)
    if found := re.search(_TOTAL, message, re.IGNORECASE):
        return Room(whole - max(0, _read(found[1]) - asked), not _is_bound(message, found.start(1)), whole)
    return _read_by_place(message, asked) or Room(min(asked, whole) - 1, False, whole)


def speaks_of_length(message: str) -> bool:
    """Tell whether a refusal is about the length of what was asked, with or without numbers."""
    return bool(re.search(_LENGTH, message, re.IGNORECASE))


def _read_by_place(message: str, asked: int) -> Room | None:
    """Read a limit and a prompt's tokens from the words that stand right before or behind numbers."""
    limit = prompt = 0
    end = 0
    for found in re.finditer(rf"(?<![\w.-]){_NUMBER}(?![\w-])", message):
        number, before = _read(found[1]), message[end : found.start()]
        end = found.end()
        if number < 2 or number == asked:
            continue
        if re.search(_A_LIMIT, before, re.IGNORECASE) or re.match(_A_LIMIT_BEHIND, message[end:], re.IGNORECASE):
            limit = number
        elif not prompt and re.search(_A_PROMPT, before, re.IGNORECASE):
            prompt = number
    return Room(limit - prompt, context=limit) if limit and prompt else None


def _read_cap(message: str, asked: int) -> Room | None:
    """Read how many tokens a reply may have, whatever the prompt, from a text that speaks of replies only."""
    if not re.search(_OF_THE_REPLY, message, re.IGNORECASE):
        return None
    if found := re.search(_BELOW, message, re.IGNORECASE):
        return Room(_read(found[1] or found[2]) - 1)
    smaller = [number for each in re.findall(_NUMBER, message) if 1 < (number := _read(each)) < asked]
    return Room(max(smaller)) if smaller else None


def _is_bound(message: str, place: int) -> bool:
    """Tell whether what stands before a number makes it a bound."""
    return bool(re.search(rf"(?:{_BOUND})\W{{0,3}}$", message[max(0, place - 12) : place], re.IGNORECASE))


def _read(number: str) -> int:
    return int(number.replace(",", ""))
