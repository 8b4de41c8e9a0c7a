r"""Find the answer in a response: boxes, `####`, "the answer is", a bare answer, the last formula or number.

Why: a response is prose with an answer somewhere in it; each way of marking one is looked for in order, the clearest
first.
Promises: linear in the length of the response, of which the last 50,000 characters are read; thinking blocks count only
when nothing follows them; `candidates` puts the strict answer last.
"""

import re
from collections.abc import Iterator, Sequence

from inference_kit.grader.finding.choice import letter_of, option_letter
from inference_kit.grader.reading.parse import COMMAND, is_bare_answer
from inference_kit.records import AnswerKind

LOOKED_AT = 50_000
BARE_LENGTH = 400
MARKED_LENGTH = 600
MOST_JOINED = 32
BEFORE_BOX = 16
MOST_MARKERS = 8
ENDING = 400

BOX_TOKEN = re.compile(r"\\{1,4}(?:[a-z]{0,9}boxed|fbox|framebox)\s{0,9}\{?|\\[{}\\]|[{}]")
UNBRACED = re.compile(r"\s{0,9}([^\s{}$\\]{1,99})")
BETWEEN_BOXES = re.compile(
    r"(?:[\s$,;、，&.]|\\[()\[\],;]|\\q?quad|\\(?:text|mbox|textnormal)\s?\{\s?(?:and|or|,)\s?\}|and|or|和|或|以及)*"
)
CHAT_TOKEN = re.compile(r"<\|(?:im_start|im_end|endoftext|eot_id|end)\|>")
MARKERS = {
    "answer": r"answers?\s{0,3}(?:\*\*\s{0,3})?(?:is|are|[:=]|(?:\*\*)?\s{0,9}(?=[$\n]|\\[(\[]))(?:\s{0,3}\*\*)?",
    "ans": r"ans\.?\s{0,3}[:=]",
    "result": r"result\s{0,3}(?:is|[:=])",
    "correct": r"correct\s(?:option|choice)\sis",
    "a:": r"a:",
    "réponse": r"réponse(?:\sfinale)?\s?(?:est|:)",
    "respuesta": r"respuesta(?:\sfinal|\scorrecta)?\s?(?:es|:)",
    "antwort": r"antwort\s?(?:ist|lautet|:)",
    "risposta": r"risposta\s?(?:è|:)",
    "resposta": r"resposta\s?(?:é|:)",
    "ответ": r"ответ\s?[:—-]",
    "答案": r"答案(?:是|为|為|應該是|应该是)?\s?[:：]?",
    "故选": r"故选[:：]?",
    "故選": r"故選[:：]?",
    "选择": r"选择",
    "应选": r"应选",
    "结果": r"结果(?:是|为)",
    "答えは": r"答えは",
    "답은": r"답은",
    "الجواب": r"الجواب(?:\sهو)?\s?:?",
    "الإجابة": r"الإجابة(?:\sهي)?\s?:?",
    "उत्तर": r"उत्तर(?:\sहै)?\s?[:है]?",
}
"""Words that announce the answer, and how each goes on where it does."""

GOES_ON = {word: re.compile(pattern, re.IGNORECASE) for word, pattern in MARKERS.items()}
LATIN = tuple(word for word in MARKERS if word.isascii())
FINAL = re.compile(r"final answer (?:is|:)", re.IGNORECASE)
FORMULA = re.compile(
    r"\$\$([^$]{1,2000})\$\$|\\\[((?:[^\\]|\\[^\]]){1,2000})\\\]|\\\(((?:[^\\]|\\[^)]){1,2000})\\\)"
    r"|(?<!\\)\$((?:[^$\\\n]|\\.){1,2000})\$",
    re.DOTALL,
)
NUMBER = re.compile(
    r"(?<![\w.\\^{/])[-−–]?\s?[$€£¥]?\s?"
    r"(?:\\[dtc]?frac\s?\{[^{}]{1,40}\}\s?\{[^{}]{1,40}\}"
    r"|(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:e[-+]?\d+)?(?:\s?/\s?\d+)?|\.\d+)"
    r"(?:\s?\\?%)?(?![A-Za-z_^{\\])"
)
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+|[。！？।]")
PROSE_WORD = re.compile(r"(?<!\S)[A-Za-z]{2,20}(?=[:,.;]?(?:\s|$))")
CODE = re.compile(
    r"__[a-z]{1,20}__|[A-Za-z_]\.[A-Za-z_]\w{0,40}\(|\(\s?['\"]|\$\([a-z]{2,20}\s|</?[a-z]{1,20}>"
    r"|^\s{0,9}(?:import|from|def|print|exec|eval|raise|lambda|while|for)\b.{0,80}[:;('\"]",
)
HEADING = " \t\n\r:：=*_>#`}"


def extract(response: str, kind: AnswerKind = "math", choices: Sequence[str] = ()) -> str | None:
    """Return the strict answer of a response: its last box, or what marks the answer otherwise; None without any."""
    found = candidates(response, kind, choices)
    return found[-1] if found else None


def candidates(
    response: str, kind: AnswerKind = "math", choices: Sequence[str] = (), *, wants_letter: bool = False
) -> list[str]:
    """Return every text that may count as the answer, the strict one last: all boxes, or readings of what marks it."""
    text = after_thinking(response)
    if kind == "choice" or wants_letter:
        return _letters(text, choices)
    boxed = boxes(text)
    if boxed:
        return [*_stated_after_boxes(text), *boxed]
    if kind == "text":
        marked = _marked(text)
        return [marked or text.strip()] if text.strip() else []
    return _unboxed(text)


def after_thinking(response: str) -> str:
    """The part of a response that counts: what follows its thinking, up to a chat template's own token."""
    text = response[-LOOKED_AT:]
    thinking, closed, rest = text.rpartition("</think>")
    if closed:
        text = rest if rest.strip() else thinking
    if "<|" in text:
        text = next((part for part in CHAT_TOKEN.split(text) if part.strip()), "")
    return text


def boxes(text: str) -> list[str]:
    r"""The contents of all outermost boxes in order, without repetition; boxes side by side make one list, last.

    A box that is never closed reaches to the next `$` or the end of its line; `\boxed 3` holds the next word.
    """
    if "box" not in text:
        return []
    spans = list(_box_spans(text))
    contents = [(start, end, content) for start, end, content in spans if content.strip()]
    found = list(dict.fromkeys(content for _, _, content in contents))
    if len(contents) > 1:
        joined = _joined(text, contents)
        if len(joined) > 1:
            found.append(", ".join(joined))
        else:
            found.remove(joined[0])
            found.append(joined[0])
    return found


def _box_spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Each outermost box: where it starts, where it ends, what it holds. One pass, with a stack."""
    opened: list[tuple[int, int] | None] = []
    closed: list[tuple[int, int, str]] = []
    for token in BOX_TOKEN.finditer(text, max(0, text.find("box") - BEFORE_BOX)):
        shown = token.group()
        if shown == "{":
            opened.append(None)
        elif shown == "}":
            box = opened.pop() if opened else None
            if box is not None:
                while closed and closed[-1][0] > box[0]:
                    closed.pop()
                closed.append((box[0], token.end(), text[box[1] : token.start()]))
        elif shown.endswith("{") and len(shown) > 2:
            opened.append((token.start(), token.end()))
        elif len(shown) > 2 and (word := UNBRACED.match(text, token.end())):
            closed.append((token.start(), word.end(), word.group(1)))
    yield from closed
    unclosed = next((box for box in reversed(opened) if box is not None), None)
    if unclosed is not None and (not closed or unclosed[0] > closed[-1][0]):
        rest = re.split(r"[$\n]", text[unclosed[1] : unclosed[1] + BARE_LENGTH], maxsplit=1)[0]
        yield unclosed[0], unclosed[1] + len(rest), rest


def _joined(text: str, contents: list[tuple[int, int, str]]) -> list[str]:
    """The last box, and those right before it with nothing but `and`, commas and space between."""
    joined = [contents[-1][2]]
    for (_, end, content), (start, _, _) in zip(contents[-2::-1], contents[:0:-1], strict=False):
        if start - end > 80 or len(joined) == MOST_JOINED or not BETWEEN_BOXES.fullmatch(text, end, start):
            break
        joined.insert(0, content)
    return joined


def _stated_after_boxes(text: str) -> list[str]:
    """What "the final answer is" after the last box, as one more answer that the lenient rule looks at."""
    rest = text[text.rfind("boxed") :]
    marked = _marked(rest) if FINAL.search(rest) else None
    return [marked] if marked else []


def _unboxed(text: str) -> list[str]:
    """The answer of a response without a box."""
    if "####" in text:
        after = text.rpartition("####")[2].strip().partition("\n")[0].strip()
        if after:
            return [after]
    marked = _marked(text)
    if marked is not None:
        return [marked]
    whole = text.strip()
    if not whole:
        return []
    short = len(whole) <= BARE_LENGTH
    if not _is_prose(whole) or (short and is_bare_answer(whole)):
        return [whole]
    last = _last_mathematics(whole)
    return ([whole] if short else []) + ([last] if last else [])


def _is_prose(text: str) -> bool:
    """Whether a text is a sentence: it has a word, a formula or foreign letters, and is no program."""
    ending = text[-4 * BARE_LENGTH :]
    return CODE.search(ending) is None and (
        any(word not in ("and", "or") for word in PROSE_WORD.findall(ending))
        or FORMULA.search(ending) is not None
        or any(sign.isalpha() for sign in ending if not sign.isascii())
    )


def _marked(text: str) -> str | None:
    """What follows the last "the answer is" that something follows."""
    for marker in _markers(text):
        after = marker.string[marker.end() : marker.end() + MARKED_LENGTH].lstrip(HEADING)
        formula = FORMULA.match(after)
        if formula:
            return _inside(formula)
        sentence = SENTENCE_END.split(after, maxsplit=1)[0].strip().rstrip(".*`")
        if sentence and is_bare_answer(sentence):
            return sentence
        number = NUMBER.match(sentence)
        if number:
            return number.group().strip()
        last = _last_mathematics(sentence)
        if last or sentence:
            return last or sentence
    return None


def _markers(text: str) -> list[re.Match[str]]:
    """The last markers, the last one first; where the end of the text has one, the rest is not searched."""
    return _markers_in(text[-ENDING:]) or (_markers_in(text) if len(text) > ENDING else [])


def _markers_in(text: str) -> list[re.Match[str]]:
    lowered = text.lower()
    if len(lowered) != len(text):  # some capitals have longer small forms, which would shift every place
        lowered = text
    found: list[re.Match[str]] = []
    for word in LATIN if text.isascii() else MARKERS:
        place = lowered.rfind(word)
        for _ in range(MOST_MARKERS):
            if place < 0:
                break
            marker = GOES_ON[word].match(text, place)
            if (
                marker
                and (len(word) > 3 or place == 0 or not text[place - 1].isalnum())
                and (word != "a:" or _begins_line(text, place))
            ):
                found.append(marker)
            place = lowered.rfind(word, 0, place + len(word) - 1)
    found.sort(key=lambda marker: -marker.end())
    return found


def _begins_line(text: str, place: int) -> bool:
    return text[place] == "A" and (place == 0 or text[place - 1] == "\n")


def _last_mathematics(text: str) -> str | None:
    """The last formula or number, right of its last equals sign, of the last sentence that has one."""
    for sentence in reversed(_sentences(text[-4 * BARE_LENGTH :])):
        formulas = list(FORMULA.finditer(sentence))
        numbers = list(NUMBER.finditer(sentence, formulas[-1].end() if formulas else 0))
        if numbers:
            return numbers[-1].group().strip()
        if formulas:
            return right_of_equals(_inside(formulas[-1]))
    return None


def _sentences(text: str) -> list[str]:
    """Sentences, a displayed formula staying with the one before it."""
    return [
        part for part in SENTENCE_END.split(FORMULA.sub(lambda found: " ".join(found.group().split()), text)) if part
    ]


def right_of_equals(formula: str) -> str:
    """The end of a chain of equalities, or of a calculation without variables; another equation stays whole."""
    left, _, right = formula.rpartition("=")
    calculation = re.search(r"[A-Za-z]", COMMAND.sub("", left)) is None
    return right.strip() if right.strip() and left and (calculation or "=" in left) else formula


def _inside(formula: re.Match[str]) -> str:
    return next(part for part in formula.groups() if part is not None).strip()


def _letters(text: str, choices: Sequence[str]) -> list[str]:
    """The chosen letter: of a box, after a marker, at the beginning, or the last that stands alone."""
    n_choices = len(choices)
    boxed = boxes(text)
    if boxed:
        return [letter_of(box, n_choices, whole=True) or option_letter(box, choices) or box for box in boxed]
    for marker in _markers(text):
        after = marker.string[marker.end() : marker.end() + MARKED_LENGTH]
        letter = letter_of(after, n_choices) or option_letter(after, choices)
        if letter:
            return [letter]
    letter = (
        letter_of(text, n_choices, whole=True) or option_letter(text, choices) or letter_of(text, n_choices, last=True)
    )
    return [letter] if letter else []
