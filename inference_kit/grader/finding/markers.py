"""Find the words that announce an answer: "the answer is", "ans:", and their like in ten languages.

Why: where there is no box, models say that what follows is the answer.
Promises: linear; the last marker comes first, and of each word a few are looked at.
"""

import re

ENDING = 400
"""Where the last so many characters hold a marker, nobody looks at the rest."""

MOST_MARKERS = 8
"""Of one word: more often it is no marker, and the text is not to be searched forever."""

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


def find_markers(text: str) -> list[re.Match[str]]:
    """Return the markers of a text, the last one first; the text that a match holds is its `string`."""
    return _search(text[-ENDING:]) or (_search(text) if len(text) > ENDING else [])


def _search(text: str) -> list[re.Match[str]]:
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
            if marker and _may_begin_at(text, place, word):
                found.append(marker)
            place = lowered.rfind(word, 0, place + len(word) - 1)
    found.sort(key=lambda marker: -marker.end())
    return found


def _may_begin_at(text: str, place: int, word: str) -> bool:
    """Say whether a marker may begin here: a short one not inside a word, `A:` at the beginning of a line only."""
    before = text[place - 1] if place else "\n"
    if word == "a:":
        return text[place] == "A" and before == "\n"
    return len(word) > 3 or not before.isalnum()
