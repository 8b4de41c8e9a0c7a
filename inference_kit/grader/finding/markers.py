"""Find the words that announce an answer: "the answer is", "ans:", and their like in thirty languages.

Why: where there is no box, models say that what follows is the answer.
Promises: linear; the last marker comes first, and of each word a few are looked at.
"""

import re
from collections.abc import Sequence

ENDING = 400
"""Where the last so many characters hold a marker, nobody looks at the rest."""

MOST_MARKERS = 8
"""Of one word: more often it is no marker, and the text is not to be searched forever."""

COLON = r"\s?(?:\*\*\s?)?[:：=]"
MARKERS = {
    "answer": r"answers?\s{0,3}(?:\*\*\s{0,3})?(?:is|are|[:=]|(?:\*\*)?\s{0,9}(?=[$\n]|\\[(\[]))(?:\s{0,3}\*\*)?",
    "ans": r"ans\.?\s{0,3}[:=]",
    "result": r"result\s{0,3}(?:is|[:=])",
    "correct": r"correct\s(?:option|choice|letter)\s?(?:is|:)",
    "a:": r"a:",
    "réponse": rf"réponse(?:\s(?:finale|correcte))?(?:\sest|{COLON})",
    "respuesta": rf"respuesta(?:\s(?:final|correcta))?(?:\ses|{COLON})",
    "antwort": rf"antwort(?:\s(?:ist|lautet|is)|{COLON})",
    "risposta": rf"risposta(?:\s(?:finale|corretta))?(?:\sè|{COLON})",
    "resposta": rf"resposta(?:\s(?:final|correta))?(?:\s(?:és|é)|{COLON})",
    "antwoord": rf"antwoord(?:\sis|{COLON})",
    "jibu": rf"jibu(?:\sla\smwisho)?(?:\sni|{COLON})",
    "sagot": rf"sagot(?:\say|{COLON})",
    "cevap": rf"cevap{COLON}",
    "cevabı": rf"cevabı{COLON}",
    "jawaban": rf"jawaban(?:nya)?(?:\s(?:akhir|akhirnya))?(?:\sadalah|{COLON})",
    "svar": rf"svar(?:et)?(?:\s(?:är|er)|{COLON})",
    "odpowiedź": rf"odpowiedź(?:\s(?:to|brzmi)|{COLON})",
    "odpověď": rf"odpověď(?:\sje|{COLON})",
    "válasz": rf"válasz{COLON}",
    "vastaus": rf"vastaus(?:\son|{COLON})",
    "răspuns": rf"răspunsul(?:\seste|{COLON})|răspuns{COLON}",
    "đáp án": rf"đáp án(?:\s(?:đúng|cuối cùng))?(?:\slà|{COLON})",
    "đáp số": rf"đáp số(?:\slà|{COLON})",
    "câu trả lời": rf"câu trả lời(?:\scuối cùng)?(?:\slà|{COLON})",
    "ответ": r"ответ\s?(?:[:—-]|равен|будет|составляет|это)",
    "відповідь": r"відповідь\s?[:—-]",
    "απάντηση": rf"απάντηση(?:\sείναι|{COLON})",
    "답": r"답(?:변)?(?:은|\s?[:：])",
    "答案": r"答案(?:应该是|應該是|应为|應為|是|为|為|就是)?\s?(?:\*\*)?[:：]?",
    "答：": r"答：",
    "答:": r"答:",
    "故选": r"故选[:：]?",
    "故選": r"故選[:：]?",
    "选择": r"选择",
    "应选": r"应选",
    "结果": r"结果(?:是|为)",
    "答え": r"答え(?:は|[:：])",
    "解答": r"解答[:：]",
    "الجواب": r"الجواب(?:\sالنهائي)?(?:\sهو)?\s?:?",
    "الإجابة": r"الإجابة(?:\s(?:النهائية|الصحيحة))?(?:\sهي)?\s?:?",
    "پاسخ": r"پاسخ(?:\sنهایی)?\s?(?:برابر است با|[:،])?",
    "جواب": r"جواب\s?:?",
    "התשובה": r"התשובה(?:\sהסופית)?\s?(?:היא|:)",
    "תשובה:": r"תשובה:",
    "उत्तर": r"उत्तर(?:\sहै)?\s?[:है]?",
    "উত্তর": r"উত্তর\s?(?:হল|হলো|:)",
    "సమాధానం": r"సమాధానం\s?:?",
    "பதில்": r"பதில்\s?:?",
    "விடை": r"விடை\s?:?",
    "คำตอบ": r"คำตอบ(?:สุดท้าย)?\s?(?:คือ|:)",
}
"""Words that announce the answer, and how each goes on where it does."""

GOES_ON = {word: re.compile(pattern, re.IGNORECASE) for word, pattern in MARKERS.items()}
ALL = tuple(MARKERS)
LATIN = tuple(word for word in MARKERS if word.isascii())
ENGLISH = ("answer", "ans", "result", "correct", "a:")
OTHER_LATIN = tuple(word for word in LATIN if word not in ENGLISH)
FOREIGN = re.compile(f"[{''.join(sign for word in MARKERS for sign in word + word.upper() if not sign.isascii())}]")
"""Letters of which each marker that is not ASCII has one; a dash or a quotation mark makes no text foreign."""


def find_markers(text: str) -> list[re.Match[str]]:
    """Return the markers of a text, the last one first; the text that a match holds is its `string`."""
    return _search_in_languages(text[-ENDING:]) or (_search_in_languages(text) if len(text) > ENDING else [])


def _search_in_languages(text: str) -> list[re.Match[str]]:
    if text.isascii():  # most texts are English, and twice as fast by this
        return _search(text, ENGLISH) or _search(text, OTHER_LATIN)
    return _search(text, ALL if FOREIGN.search(text) else LATIN)


def _search(text: str, words: Sequence[str]) -> list[re.Match[str]]:
    lowered = text.lower()
    if len(lowered) != len(text):  # some capitals have longer small forms, which would shift every place
        lowered = text
    found: list[re.Match[str]] = []
    for word in words:
        if word not in lowered:
            continue
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
    return len(word) > 4 or not word.isascii() or not before.isalnum()
