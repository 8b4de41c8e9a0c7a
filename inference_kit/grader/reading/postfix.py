r"""What stands behind a value: exponents, indices, signs of degrees and per cent.

Why: `90^\circ`, `f^\prime`, `A^T` and `5^{th}` look like powers and are none.
Promises: an index is taken by a symbol or by the digits of a number only.
"""

from inference_kit.grader.reading.grammar import Grammar
from inference_kit.grader.reading.reader import Reader
from inference_kit.grader.reading.tokens import ParseError, Token
from inference_kit.grader.values import Apply, Based, Bracketed, Num, Sym, Value
from inference_kit.grader.vocabulary import NUMBER_WORDS

RAISED = {r"\circ": "degree", r"\prime": "prime1", r"\top": "transpose"}
ORDINALS = frozenset({"th", "st", "nd", "rd"})
INDICES = frozenset("ijklmn")
BASES = range(2, 37)


def read_superscript(grammar: Grammar, base: Value) -> Value:
    r"""Read what stands right of `^`: `\circ`, `\prime`, a transposition, the ending of an ordinal, or an exponent."""
    reader = grammar.reader
    in_braces = reader.next.text == "{" and reader.peek(2).text == "}"
    sign = reader.peek(1) if in_braces else reader.next
    head = "transpose" if in_braces and sign.text == "T" else RAISED.get(sign.text)
    is_ordinal = sign.text[1:] in ORDINALS if sign.kind == "text" else in_braces and sign.text in ORDINALS
    if head is None and not is_ordinal:
        if reader.next.kind == "word" and len(reader.next.text) > 1 and reader.peek(1).text in ("^", "_"):
            reader.split_word()  # a^nb^n
        return Apply("pow", (base, reader.nest(grammar.read_exponent)))
    reader.move_to(reader.position + (3 if in_braces else 1))
    if head is None:
        return base
    return mark(head, base) if head == "degree" else Apply(head, (base,))


def mark(head: str, value: Value) -> Value:
    """Return a percentage or an angle in degrees; of such a one there is no other."""
    if isinstance(value, Apply) and value.head in ("percent", "degree"):
        raise ParseError("a second sign of its kind")
    return Apply(head, (value,))


def read_subscript(reader: Reader, base: Value) -> Value:
    """Read an index, or the base of a number: x_1, x_{ab}, 1011_2, 17_{eight}."""
    name = read_index(reader)
    name = str(NUMBER_WORDS.get(name, name)) if isinstance(base, Num) else name
    match base:
        case Num(value, 0) if name.isdigit() and int(name[:4]) in BASES:
            return Based(str(value), int(name))
        case Sym(letter):
            return Sym(f"{letter}_{name}")
        case Bracketed("(", (Num(value),), ")") if name.isdigit():
            return Based(str(value), int(name[:4]))
        case Apply("neg", (Based() as inner,)):
            return inner
    raise ParseError("an index on what has none")


def read_index(reader: Reader) -> str:
    """Read the tokens of an index, as its name."""
    if not reader.accept("{"):
        if _has_one_letter(reader):
            reader.split_word()
        return _read_name(reader.take())
    name = ""
    depth = 1
    while depth:
        token = reader.take()
        depth += {"{": 1, "}": -1}.get(token.text, 0)
        if token.text not in ("{", "}"):
            name += _read_name(token)
    return name


def _has_one_letter(reader: Reader) -> bool:
    """Say whether an index without braces ends after its first letter, as in TeX: F_kF_n; a_ij and x_max are wholes."""
    word = reader.next.text
    if reader.next.kind != "word" or len(word) < 2:
        return False
    if reader.peek(1).text in ("_", "^"):
        return True
    return not (word.isupper() or (word.islower() and (len(word) > 2 or set(word) <= INDICES)))


def _read_name(token: Token) -> str:
    r"""Return the name that a token gives to an index: the letters of a text or a command, in lower case."""
    return token.text.lstrip('"\\').strip().lower() if token.kind in ("text", "command") else token.text
