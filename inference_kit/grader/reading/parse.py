r"""From the text of an answer to a value: wrappers off, words and units understood, the rest by the LaTeX parser.

Why: `$\boxed{42}$`, `**42**`, `42 cm`, `forty-two` and `42.` should all reach the parser as 42.
Promises: never raises; what nobody understands is `Unparsed` (mathematics) or `Text` (words); the last values are kept.
"""

import re
from functools import lru_cache

from inference_kit.grader.reading.described_sets import read_described_set
from inference_kit.grader.reading.latex import parse_latex
from inference_kit.grader.reading.normalize import to_latex
from inference_kit.grader.reading.phrases import SCALES, clean_words, read_phrase, read_plain_number
from inference_kit.grader.reading.tokens import MOST_CHARACTERS, THOUSANDS, ParseError
from inference_kit.grader.reading.units import COMPOUND
from inference_kit.grader.spelling.compound import write_compound
from inference_kit.grader.spelling.counting import write_counts
from inference_kit.grader.spelling.currencies import name_currencies
from inference_kit.grader.spelling.decorations import drop_marks, unwrap_environment
from inference_kit.grader.spelling.moduli import write_moduli
from inference_kit.grader.spelling.qualifiers import write_qualifiers
from inference_kit.grader.spelling.siunitx import write_quantities
from inference_kit.grader.values import Text, Unparsed, Value

PLAIN = re.compile(r"[-+]?\d{1,300}(?:\.\d{1,300})?")
WRAPPED = re.compile(
    r"\s*\\(?:[Bb]oxed|fbox|framebox|text|textbf|textit|textrm|textnormal|mbox|hbox|mathrm|mathbf|mathit|mathsf|bm|boldsymbol|"
    r"underline|uline|textsc|textsf|emph|displaystyle|colorbox\s*\{\w{1,20}\}|fcolorbox\s*\{\w{1,20}\}\s*\{\w{1,20}\}|bbox\s*\[[^\]]{0,80}\]|"
    r"color\s*\{\w{1,20}\}|textcolor\s*\{\w{1,20}\})\s*\{"
)
OUTER = (
    ("$$", "$$"),
    ("$", "$"),
    (r"\(", r"\)"),
    (r"\[", r"\]"),
    ("**", "**"),
    ("`", "`"),
    ("\\begin{equation}", "\\end{equation}"),
    ('"', '"'),
    ("``", "''"),
    ("'", "'"),
    ("«", "»"),
    ("「", "」"),
    ("__", "__"),
    ("*", "*"),
    ("<b>", "</b>"),
    ("<strong>", "</strong>"),
)
DOUBLED = re.compile(
    r"\\\\(?=(?:[dt]?frac|sqrt|left|right|pi|text|boxed|begin|end|cdot|times|infty|pm|circ|le|ge|mathrm)\b)"
)
"""Commands whose backslash was doubled on the way, as JSON does; in a matrix the two end a row."""

MOST_WRAPPERS = 12
WORDS = re.compile(r"[A-Za-z]{2,}")
COMMAND = re.compile(r"\\[A-Za-z]+")
CHINESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]+")
QUANTITY = re.compile(r"\\(?:SI|qty|si|unit|num|ang|deg|textdegree|celsius|textcelsius)(?![a-z])|\\degree")
"""What `write_quantities` may have to do with."""

COUNTED = re.compile(r"[\dn](?:\s|\\,)?[CP](?:\s|\\,)?[\dkr]|[CPA]\s*\}?\s*[_^]|choose|n[CP]r|[CP]\s*\}\s*\d")
"""What `write_counts` may have to do with."""

SEPARATED = re.compile(r"\$\s*,\s*\$")
BRACKET = re.compile(r"[(\[]|\\\{|\\mathbb")
ORDINAL = re.compile(r"(\d)(?:st|nd|rd|th)\b")
SCALED = re.compile(
    r"(?<![\d.])(\d+(?:\.\d+)?)\s*(?:\\text\{\s*)?(thousand|million|billion|trillion)\b\s*\}?", re.IGNORECASE
)
# Space counts between digits only: `2 3` is not `23`.
SPACE = re.compile(r"\s+(?![\d.])|(?<![\d.])\s+")
NOISE = re.compile(r"\\left(?![a-z])|\\right(?![a-z])|(?<!\\)\\[,;:! ]|\\q?quad|\\displaystyle|[$~]")
# 0.1666...: of the digits after the point, some come once, the others at least twice, and those repeat.
ELLIPSIS = re.compile(r"(?<!\d)(\d*\.\d{0,9}?)(\d{1,9}?)\2+(?:\.\.\.|\\ldots|\\dots|\\cdots)")
TO_RATIO = re.compile(r"(?<!\d)(\d+)\s+to\s+(\d+)")
PERCENT = re.compile(r"(?<=[\d}\s])(?:\\text\{\s*)?(?:percent(?:age)?|pct|per cent)\b\.?\s*\}?", re.IGNORECASE)
DEGREES = re.compile(r"(?<=[\d}\s])(?:\\text\{\s*)?degrees?\b\s*\}?", re.IGNORECASE)


@lru_cache(maxsize=8192)
def parse(text: str) -> Value:
    """Return the value of a bare answer."""
    if len(text) < 300 and PLAIN.fullmatch(text):
        return read_plain_number(text)
    if len(text) > MOST_CHARACTERS:
        return Unparsed("".join(text.split()))
    cleaned = clean(text)
    if len(cleaned) < 300 and PLAIN.fullmatch(cleaned):
        return read_plain_number(cleaned)
    special = read_phrase(cleaned) or read_described_set(cleaned)
    if special is not None:
        return special
    try:
        return parse_latex(_prepare(cleaned))
    except ParseError:
        return _read_unparsed(cleaned)


def is_parsed(text: str) -> bool:
    """Say whether an answer is understood, as mathematics or as words; else it equals its own writing only."""
    return not isinstance(parse(text), Unparsed)


@lru_cache(maxsize=8192)
def clean(text: str) -> str:
    """Rewrite Unicode, and take off what is wrapped around an answer: dollars, boxes, styles, final punctuation."""
    text = to_latex(text).strip()
    if "\\\\" in text and r"\begin" not in text:
        text = DOUBLED.sub(r"\\", text)
    for _ in range(MOST_WRAPPERS):
        before = text
        text = _unwrap(text.strip().rstrip(",;").strip())
        if text.endswith(".") and not text.endswith(".."):
            text = text[:-1]
        if text.endswith("\\") and not text.endswith("\\\\"):
            text = text[:-1]
        text = drop_marks(text)
        if text == before:
            break
    return text.strip()


def _unwrap(text: str) -> str:
    """Take off one wrapper that goes around the whole text, if there is one."""
    for opening, closing in OUTER:
        if text.startswith(opening) and text.endswith(closing) and len(text) >= len(opening) + len(closing):
            inside = text[len(opening) : -len(closing)]
            if opening not in inside:
                return inside
    if (line := unwrap_environment(text)) is not None:
        return line
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
    """Say whether the brace at `opening` is closed by the last sign of the text."""
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


def _prepare(text: str) -> str:
    """Rewrite an answer as the parser wants it: no currency, no thousands separators, words for units as text."""
    text = SEPARATED.sub(", ", write_compound(write_qualifiers(text)))
    text = name_currencies(text)
    if "mod" in text:
        text = write_moduli(text)
    if QUANTITY.search(text):
        text = write_quantities(text)
    if COUNTED.search(text):
        text = write_counts(text)
    text = SCALED.sub(lambda found: f"({found.group(1)} * 10^{SCALES[found.group(2).lower()]})", text)
    # `x < 1 \cup x > 2` joins inequalities, where no bracket opens an interval or a set.
    if r"\cup" in text and ("<" in text or ">" in text) and not BRACKET.search(text):
        text = text.replace(r"\cup", " or ")
    text = ORDINAL.sub(r"\1", text)
    text = PERCENT.sub(r"\\%", text)
    text = DEGREES.sub(r"^\\circ ", text)
    text = COMPOUND.sub(_wrap_unit, text) if "/" in text else text
    text = ELLIPSIS.sub(r"\1\\overline{\2}", text)
    text = TO_RATIO.sub(r"\1:\2", text)
    if "," in text:
        text = THOUSANDS.sub(_drop_separators, text)
    if not text.isascii():
        text = CHINESE.sub(lambda run: f"\\text{{{run.group()}}}", text)
    return text


def _wrap_unit(unit: re.Match[str]) -> str:
    """Write a quotient of units as text, where it is not yet."""
    is_text = unit.string[: unit.start()].rstrip().endswith("{")
    return unit.group() if is_text else f"\\text{{{unit.group()}}}"


def _drop_separators(found: re.Match[str]) -> str:
    """Return a number without its thousands separators; within brackets a comma separates values, and it stays."""
    before = found.string[: found.start()]
    inside = sum(before.count(sign) for sign in "([") - sum(before.count(sign) for sign in ")]")
    return found.group() if inside > 0 or r"\{" in before else found.group().replace(",", "")


def _read_unparsed(text: str) -> Value:
    """Return a text where there are words and no commands of mathematics; else what a worker may understand."""
    shown = re.sub(r"\\(?:text|textbf|textit|mathrm|mbox|textnormal|textrm)\s*\{([^{}]*)\}", r" \1 ", text)
    shown = re.sub(r"\\[ ,;!]|\\q?quad|[~$]", " ", shown)
    if "\\" not in shown and WORDS.search(shown):
        return Text(clean_words(shown))
    return Unparsed(squeeze(text))


def squeeze(text: str) -> str:
    """A text without what its mathematics does not need: most space, dollars, sizes of brackets and of fractions."""
    plain = NOISE.sub(" ", text).replace(r"\dfrac", r"\frac").replace(r"\tfrac", r"\frac")
    return SPACE.sub("", " ".join(plain.split()))
