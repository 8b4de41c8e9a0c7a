r"""From the text of an answer to a value: wrappers off, words and units understood, the rest by the LaTeX parser.

Why: `$\boxed{42}$`, `**42**`, `42 cm`, `forty-two` and `42.` should all reach the parser as 42.
Promises: never raises; what nobody understands is `Unparsed` (mathematics) or `Text` (words); the last values are kept.
"""

import re
from fractions import Fraction
from functools import lru_cache

from inference_kit.grader.latex import parse_latex
from inference_kit.grader.normalize import to_latex
from inference_kit.grader.tokens import MOST_CHARACTERS, THOUSANDS, ParseError
from inference_kit.grader.units import COMPOUND
from inference_kit.grader.values import INFINITY, Based, Num, SetOf, Sym, Text, Unparsed, Value, number
from inference_kit.grader.vocabulary import NUMBER_WORDS

PLAIN = re.compile(r"[-+]?\d{1,300}(?:\.\d{1,300})?")
WRAPPED = re.compile(
    r"\s*\\(?:boxed|fbox|framebox|text|textbf|textit|textrm|textnormal|mbox|hbox|mathrm|mathbf|mathit|mathsf|bm|boldsymbol|"
    r"underline|displaystyle|color\s*\{\w{1,20}\}|textcolor\s*\{\w{1,20}\})\s*\{"
)
OUTER = (
    ("$$", "$$"),
    ("$", "$"),
    (r"\(", r"\)"),
    (r"\[", r"\]"),
    ("**", "**"),
    ("`", "`"),
    ("\\begin{equation}", "\\end{equation}"),
)
DOUBLED = re.compile(
    r"\\\\(?=(?:[dt]?frac|sqrt|left|right|pi|text|boxed|begin|end|cdot|times|infty|pm|circ|le|ge|mathrm)\b)"
)
MOST_FOREIGN_LETTERS = 16
MOST_WORDS = 4
WORDS = re.compile(r"[A-Za-z]{2,}")
COMMAND = re.compile(r"\\[A-Za-z]+")
CHINESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]+")
CURRENCY = re.compile(
    r"\\\$|\$|€|£|¥|₹|\\(?:textdollar|pounds|euro)(?![A-Za-z])|\b(?:US|A|C)(?=\\?\$)|\b(?:USD|EUR|Rs\.?)(?=\s*\d)"
)
SEPARATED = re.compile(r"\$\s*,\s*\$")
ORDINAL = re.compile(r"(\d)(?:st|nd|rd|th)\b")
SCALED = re.compile(r"(\d+(?:\.\d+)?)\s*(?:\\text\{\s*)?(thousand|million|billion|trillion)\b\s*\}?", re.IGNORECASE)
SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
SPACE = re.compile(r"\s+(?![\d.])|(?<![\d.])\s+")
NOISE = re.compile(r"\\left(?![a-z])|\\right(?![a-z])|\\[,;:! ]|\\q?quad|\\displaystyle|[$~]")
SPACED = re.compile(r"[-+]?\d{1,3}(?: \d{3})+(?:\.\d+)?")
DOTTED = re.compile(r"[-+]?\d{1,3}(?:\.\d{3}){2,}")
ELLIPSIS = re.compile(r"(\d*\.\d{0,9}?)(\d{1,9}?)\2+(?:\.\.\.|\\ldots|\\dots|\\cdots)")
TO_RATIO = re.compile(r"(\d+)\s+to\s+(\d+)")
DATE = re.compile(
    r"(?:\d{4}-\d\d?-\d\d?|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\s+\d{1,2}(?:\s*,\s*\d{4})?"
    r"|\d{1,2}\s+(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?(?:\s*,?\s*\d{4})?)",
    re.IGNORECASE,
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
BASED = re.compile(r"(?:\\(?:text|mathrm)\{)?\(?([0-9A-Z]{1,60})\)?\}?_\{?(\d\d)\}?")
ABOUT = re.compile(
    r"(?:\\text\s*\{\s*)?\b(?:about|approximately|approx\.?|roughly|around|exactly)\s*(?:\}|(?=\s))\s*", re.IGNORECASE
)
TIME = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?\s*(?:([ap])\.?\s?m\.?)", re.IGNORECASE)
NAME = re.compile(r"[A-Z][a-z]+")
PERCENT = re.compile(r"(?<=[\d}\s])(?:\\text\{\s*)?(?:percent(?:age)?|pct|per cent)\b\.?\s*\}?", re.IGNORECASE)
DEGREES = re.compile(r"(?<=[\d}\s])(?:\\text\{\s*)?degrees?\b\s*\}?", re.IGNORECASE)
NOTHING = frozenset(
    ("no solution", "no solutions", "no real solution", "no real solutions", "none", "empty set", "the empty set", "empty",
     "no real roots", "no roots", "no such values", "无解", "空集")
)  # fmt: skip
EVERYTHING = frozenset(
    ("all real numbers", "all reals", "any real number", "all real values", "real numbers", "the real numbers")
)
UNDEFINED = frozenset(("undefined", "dne", "does not exist", "not defined"))
ENDLESS = frozenset(("infinity", "infinitely many", "infinite", "inf", "+infinity"))
ARTICLES = re.compile(r"^(?:a|an|the)\s+")


@lru_cache(maxsize=8192)
def parse(text: str) -> Value:
    """Return what a bare answer is."""
    if len(text) < 300 and PLAIN.fullmatch(text):
        return _plain_number(text)
    if len(text) > MOST_CHARACTERS:
        return Unparsed("".join(text.split()))
    cleaned = clean(text)
    if len(cleaned) < 300 and PLAIN.fullmatch(cleaned):
        return _plain_number(cleaned)
    special = _special(cleaned)
    if special is not None:
        return special
    try:
        return parse_latex(_prepared(cleaned))
    except ParseError:
        return _words_or_unknown(cleaned)


def is_bare_answer(text: str) -> bool:
    """Whether a text is an answer as it stands, not a sentence that holds one."""
    if len(text) > 40 and sum(sign.isalpha() and not sign.isascii() for sign in text) > MOST_FOREIGN_LETTERS:
        return False
    value = parse(text)
    if isinstance(value, Text):
        return len(WORDS.findall(text)) <= MOST_WORDS and not any(sign.isdigit() or sign == "$" for sign in text)
    return not isinstance(value, Unparsed) or len(WORDS.findall(COMMAND.sub("", text))) <= 1


@lru_cache(maxsize=8192)
def clean(text: str) -> str:
    """Rewrite Unicode, and take off what is wrapped around an answer: dollars, boxes, styles, final punctuation."""
    text = to_latex(text).strip()
    if "\\\\" in text and r"\begin" not in text:
        text = DOUBLED.sub(r"\\", text)
    for _ in range(12):
        before = text
        text = _unwrapped(text.strip().rstrip(",;").strip())
        if text.endswith(".") and not text.endswith(".."):
            text = text[:-1]
        if text.endswith("\\") and not text.endswith("\\\\"):
            text = text[:-1]
        text = ABOUT.sub("", text, count=1) if ABOUT.match(text) else text
        for opening in ("=", ":", "\\ ", "\\approx", "\\therefore", "\\Rightarrow", "\\quad"):
            text = text.removeprefix(opening)
        if text == before:
            break
    return text.strip()


def _unwrapped(text: str) -> str:
    for opening, closing in OUTER:
        if text.startswith(opening) and text.endswith(closing) and len(text) >= len(opening) + len(closing):
            inside = text[len(opening) : -len(closing)]
            if opening not in inside:
                return inside
    wrapped = WRAPPED.match(text)
    if wrapped and text.endswith("}") and _closes_at_end(text, wrapped.end() - 1):
        return text[wrapped.end() : -1]
    if text.startswith("{") and text.endswith("}") and "," not in text and _closes_at_end(text, 0):
        return text[1:-1]
    if (wrapped and r"\boxed" in wrapped.group()) and text.count("{") > text.count("}"):
        return text[wrapped.end() :]
    if text.startswith(("\\bf ", "\\rm ")):
        return text[4:]
    return text


def _closes_at_end(text: str, opening: int) -> bool:
    """Whether the brace at `opening` is closed by the last sign of the text."""
    depth = 0
    escaped = False
    for place in range(opening, len(text)):
        sign = text[place]
        if escaped:
            escaped = False
        elif sign == "\\":
            escaped = True
        elif sign == "{":
            depth += 1
        elif sign == "}":
            depth -= 1
            if depth == 0:
                return place == len(text) - 1
    return False


def _plain_number(text: str) -> Num:
    _, point, places = text.partition(".")
    return Num(Fraction(text), len(text.lstrip("+-0.").replace(".", "")) if point and places else 0)


def _special(text: str) -> Value | None:
    """Answers in words, dates and times of day."""
    if len(text) > 60:
        return None
    low = " ".join(re.sub(r"\\text\s*\{([^{}]*)\}|\\[ ,;]|~", r" \1", text).lower().split()).strip(" .,!$")
    if low in NOTHING:
        return SetOf(())
    if low in EVERYTHING:
        return Sym("reals")
    if low in UNDEFINED:
        return Text("undefined")
    if low in ENDLESS:
        return INFINITY
    if SPACED.fullmatch(low) or DOTTED.fullmatch(low):
        return _plain_number(low.replace(" ", "") if " " in low else low.replace(".", ""))
    based = BASED.fullmatch(text.replace(" ", ""))
    if based and 10 < int(based.group(2)) <= 36:
        return Based(based.group(1), int(based.group(2)))
    time = TIME.fullmatch(low)
    if time:
        hours = int(time.group(1)) % 12 + (12 if time.group(4).lower() == "p" else 0)
        return Text(f"{hours}:{time.group(2)}" + (f":{time.group(3)}" if time.group(3) else ""))
    if DATE.fullmatch(low):
        return Text(_date(low))
    if NAME.fullmatch(low_text := text.strip(" .")) or (WORDS.fullmatch(low) and "\\text" in text):
        return Text(words_of(low)) if low not in NUMBER_WORDS and low_text != "Pi" else None
    counted = _counted(low)
    return None if counted is None else number(counted)


def _date(text: str) -> str:
    """A date with its parts in one order."""
    if text[:4].isdigit():
        year, month, day = text.split("-")
        return f"date {int(day)} {int(month)} {year}"
    month = 1 + MONTHS.index(re.sub("[^a-z]", "", text)[:3])
    numbers = re.findall(r"\d+", text)
    return f"date {int(numbers[0])} {month} {' '.join(numbers[1:])}".strip()


def _counted(text: str) -> int | None:
    """The number that words like `twenty-one` or `two hundred` name."""
    words = text.replace("-", " ").split()
    if not words or len(words) > 6 or not all(word in NUMBER_WORDS or word in SCALES for word in words):
        return None
    total, current = 0, 0
    for word in words:
        if word in SCALES:
            total, current = total + (current or 1) * 10 ** SCALES[word], 0
        elif word == "hundred":
            current = (current or 1) * 100
        else:
            current += NUMBER_WORDS[word]
    return total + current


def _prepared(text: str) -> str:
    """An answer as the parser wants it: no currency, no thousands separators, words for units as text."""
    text = SEPARATED.sub(", ", text)
    text = CURRENCY.sub("", text)
    text = SCALED.sub(lambda found: f"({found.group(1)} * 10^{SCALES[found.group(2).lower()]})", text)
    text = ORDINAL.sub(r"\1", text)
    text = PERCENT.sub(r"\\%", text)
    text = DEGREES.sub(r"^\\circ ", text)
    text = COMPOUND.sub(lambda unit: f"\\text{{{unit.group()}}}", text) if "/" in text else text
    text = ELLIPSIS.sub(r"\1\\overline{\2}", text)
    text = TO_RATIO.sub(r"\1:\2", text)
    if "," in text:
        text = THOUSANDS.sub(_ungrouped, text)
    if not text.isascii():
        text = CHINESE.sub(lambda run: f"\\text{{{run.group()}}}", text)
    return text


def _ungrouped(found: re.Match[str]) -> str:
    """A number without its thousands separators, unless it stands in brackets, where a comma separates."""
    before = found.string[: found.start()]
    inside = sum(before.count(sign) for sign in "([") - sum(before.count(sign) for sign in ")]")
    return found.group() if inside > 0 or r"\{" in before else found.group().replace(",", "")


def _words_or_unknown(text: str) -> Value:
    """A text where there are words and no commands of mathematics; else what a worker may understand."""
    shown = re.sub(r"\\(?:text|textbf|textit|mathrm|mbox|textnormal|textrm)\s*\{([^{}]*)\}", r" \1 ", text)
    shown = re.sub(r"\\[ ,;!]|\\q?quad|[~$]", " ", shown)
    if "\\" not in shown and WORDS.search(shown):
        return Text(words_of(shown))
    return Unparsed(squeezed(text))


def squeezed(text: str) -> str:
    """A text without what its mathematics does not need: space but between digits, dollars, sizes of brackets and fractions."""
    return SPACE.sub("", NOISE.sub(" ", text).replace(r"\dfrac", r"\frac").replace(r"\tfrac", r"\frac")).strip()


def words_of(text: str) -> str:
    """Words in lower case, single-spaced, without an article or final punctuation."""
    return ARTICLES.sub("", " ".join(text.lower().split()).strip(" .,;:!?\"'"))
