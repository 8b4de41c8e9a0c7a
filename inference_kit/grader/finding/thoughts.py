"""The part of a response that counts: behind its thoughts, in the final channel, up to a chat template's own token.

Why: a model tries answers while it thinks, and gives one when it has thought. A thought that was cut off gave none.
Promises: linear in the response; the last 50,000 characters of what counts. Thoughts count only when they are closed,
nothing stands outside of them, and the response was not cut off.
"""

import re

LOOKED_AT = 50_000
TAG = re.compile(
    r"<(?P<shut>/)?(?:seed:)?(?:think(?:ing)?|thoughts?|reasoning)>"
    r"|◁(?P<shut_kimi>/)?think▷|\[(?P<shut_mistral>/)?THINK\]"
    r"|<\|(?:begin|START|(?P<shut_word>end|END))_(?:of_thought|THINKING)\|>",
    re.IGNORECASE,
)
CHAT_TOKEN = re.compile(
    r"<\|(?:im_start|im_end|endoftext|end_of_text|eot_id|eom_id|end|return|start_header_id)\|>"
    r"|<(?:end|start)_of_turn>|<｜end▁of▁sentence｜>|</s>"
)
CHANNEL = "<|channel|>"
FINAL_CHANNEL = re.compile(r"<\|channel\|>final[^<]{0,40}<\|message\|>")
BARE_CHANNEL = re.compile(r"analysis(?=[A-Z])")
"""How a reply in channels begins whose tokens were left out when it was decoded."""

BARE_FINAL = "assistantfinal"
ANSWER_TAG = re.compile(r"</(?:final[_ -]?)?answer>", re.IGNORECASE)


def drop_thinking(response: str, *, cut_off: bool = False) -> str:
    """Return the part of a response that counts, nothing where all of it is a thought that was cut off.

    Args:
        response: The whole text.
        cut_off: Whether the token limit ended it. A server that takes thoughts apart closes also the one it cut.
    """
    text = _keep_final_channel(response)
    if "hink" in text or "hought" in text or "HINK" in text or "easoning>" in text:
        text = _drop_thoughts(text, cut_off=cut_off)
    text = text[-LOOKED_AT:]
    if "<" in text and ("<|" in text or "</s>" in text or "_turn>" in text or "<｜" in text):
        text = next((part for part in CHAT_TOKEN.split(text) if part.strip()), "")
    return text


def _keep_final_channel(text: str) -> str:
    """Return what stands in the final channel, where a reply has channels; the others are thoughts."""
    if CHANNEL in text:
        finals = [final.end() for final in FINAL_CHANNEL.finditer(text)]
        return text[finals[-1] :] if finals else ""
    if text.startswith("analysis") and BARE_CHANNEL.match(text):
        return text.rpartition(BARE_FINAL)[2] if BARE_FINAL in text else ""
    return text


def _drop_thoughts(text: str, *, cut_off: bool) -> str:
    """Return what follows the last thought, else what stands before it, else the thought itself if it may count."""
    opened: int | None = None  # where the thought begins that is open
    outside = 0  # where what is outside of thoughts begins
    before: list[str] = []
    thought = ""
    for tag in TAG.finditer(text):
        if any(tag.groups()):
            before.append(text[outside:opened] if opened is not None else "")
            thought = text[outside if opened is None else opened : tag.start()]
            opened, outside = None, tag.end()
        elif opened is None:
            opened = tag.start()
    if opened is not None and ANSWER_TAG.search(text, opened):  # an answer in a wrapper of its own ends the thought
        opened = None
    rest = text[outside:opened]
    if rest.strip():
        return rest
    earlier = "".join(before)
    if earlier.strip() or opened is not None or cut_off:
        return earlier
    return TAG.sub("", thought)
