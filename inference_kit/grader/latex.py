r"""Our own parser: LaTeX or plain mathematics to a value, by recursive descent over tokens.

Why: it costs a tenth of a general grammar, knows how people write answers (`\frac12`, `2\frac13`, `[1,2)`, `1 1/2`), and has its
limits inside: length, nesting, tokens and digits are bounded before any work is done.
Promises: consumes everything or raises `ParseError`; an unknown command is not parsed, never skipped; evaluates nothing.
"""

import re
from collections.abc import Callable
from fractions import Fraction

from inference_kit.grader.units import is_known_unit, is_unit, unit_name
from inference_kit.grader.values import (
    EULER,
    HUNDRED,
    IMAGINARY,
    INFINITY,
    ONE,
    PI,
    TWO,
    Apply,
    Based,
    Bracketed,
    Builder,
    ListOf,
    Matrix,
    Measure,
    Num,
    Ratio,
    Relation,
    SetOf,
    Sym,
    Text,
    Value,
    negative,
    number,
)

MOST_CHARACTERS = 4096
MOST_TOKENS = 2048
DEEPEST = 48
MOST_DIGITS = 4000
LARGEST_EXPONENT = 10_000
MOST_CELLS = 256
MOST_GLUED = 3


SENTENCE_WORDS = frozenset(
    "the is are was were be been we he she it they that this these those so then thus hence therefore there here has have had "
    "for which what will would can could not by as at on with from when where because since let our its his her their into "
    "you must should may find get only just also each every both".split()
)
"""Words that an answer does not begin with, and no variables have: what holds them is a sentence."""


class ParseError(ValueError):
    """The text is not mathematics that this parser knows."""


TEXT_COMMANDS = r"text|textbf|textit|textrm|textnormal|textsf|mbox|hbox|mathrm|operatorname\*?|mathop|rm"
TOKEN = re.compile(
    r"(?P<space>\s+|~|\\[,;:!> /]|\\q?quad|\\(?:left|right|mleft|mright|[bB]igg?[lrm]?|displaystyle|textstyle|scriptstyle"
    r"|limits|nolimits|thinspace|hfill|strut|phantom\{[^{}]*\}|hspace\{[^{}]*\}|vspace\{[^{}]*\})(?![A-Za-z])\.?)"
    rf"|\\(?:{TEXT_COMMANDS})(?![A-Za-z])\s*(?P<text>\{{[^{{}}]*\}}|\{{[^{{}}]*\{{[^{{}}]*\}}[^{{}}]*\}})"
    r"|(?P<repeating>\d*\.\d*\\(?:overline|bar|dot)\s*(?:\{\d{1,60}\}|\d)(?:\d{0,60}\\dot\s*(?:\{\d\}|\d))?)"
    r"|(?P<number>(?:\d+(?:\.\d+|\.(?=\s*[/*]))?|\.\d+)(?:[eE][-+]?\d{1,6}(?![\d.A-Za-z]))?)"
    r"|(?P<command>\\[A-Za-z]+|\\.)"
    r"|(?P<word>[A-Za-z]+)"
    r"|(?P<sign>\*\*|<=|>=|!=|==|=>|\+/-|\+-|\.{2,}|'+|[-+*/^_=<>(){}\[\]|,;:!%&])",
    re.DOTALL,
)
GROUPED = re.compile(r"(?<![\d.])\d{1,3}(?:(?:\{,\}|,\\!\s?|\\,|\\!|\\ )\d{3})+(?!\d)")
THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
SLANTED = re.compile(r"\^\{?(\d+)\}?\s*/\s*_\{?(\d+)\}?")

FUNCTIONS = frozenset(
    "sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc sinh cosh tanh coth sech csch arsinh arcosh artanh "
    "ln log lg exp abs floor ceil max min gcd lcm sqrt det arg Re Im sgn deg dim".split()
)
SYNONYMS = {
    "arcsinh": "arsinh", "asinh": "arsinh", "arccosh": "arcosh", "acosh": "arcosh", "arctanh": "artanh", "atanh": "artanh",
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "tg": "tan", "ctg": "cot", "arctg": "arctan", "cosec": "csc",
    "GCD": "gcd", "LCM": "lcm", "ceiling": "ceil", "Arg": "arg", "sign": "sgn", "hcf": "gcd",
}  # fmt: skip
INVERSES = {
    "sin": "arcsin", "cos": "arccos", "tan": "arctan", "cot": "arccot", "sec": "arcsec", "csc": "arccsc",
    "sinh": "arsinh", "cosh": "arcosh", "tanh": "artanh",
}  # fmt: skip
SEVERAL_ARGUMENTS = frozenset({"max", "min", "gcd", "lcm"})
GREEK = frozenset(
    r"\alpha \beta \gamma \delta \epsilon \varepsilon \zeta \eta \theta \vartheta \iota \kappa \lambda \mu \nu \xi \omicron "
    r"\rho \varrho \sigma \varsigma \tau \upsilon \phi \varphi \chi \psi \omega \Gamma \Delta \Theta \Lambda \Xi \Sigma \Upsilon "
    r"\Phi \Psi \Omega \ell \hbar \nabla \partial \Pi".split()
)
LETTER_NAMES = frozenset(name[1:] for name in GREEK)
RELATIONS = {
    "=": "=", "==": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "!=": "!=",
    r"\le": "<=", r"\leq": "<=", r"\leqslant": "<=", r"\leqq": "<=", r"\ge": ">=", r"\geq": ">=", r"\geqslant": ">=",
    r"\geqq": ">=", r"\lt": "<", r"\gt": ">", r"\ne": "!=", r"\neq": "!=", r"\approx": "~", r"\simeq": "~", r"\in": "in",
    r"\equiv": "equiv", r"\sim": "sim", r"\cong": "sim", r"\mid": "divides", r"\to": "to", r"\rightarrow": "to",
    r"\Rightarrow": "implies", r"\implies": "implies", r"\subset": "subset", r"\subseteq": "subset", r"\perp": "perp",
    r"\parallel": "parallel", r"\notin": "notin", r"\iff": "iff", r"\doteq": "~", r"\mapsto": "to", "=>": "implies",
    r"\coloneqq": "=",
}  # fmt: skip
SET_OPERATIONS = {
    r"\cup": "union", r"\bigcup": "union", r"\cap": "intersection", r"\bigcap": "intersection", r"\setminus": "difference",
    r"\backslash": "difference", r"\smallsetminus": "difference",
}  # fmt: skip
TIMES = frozenset({"*", r"\cdot", r"\times", r"\ast", r"\bullet", r"\centerdot"})
OVER = frozenset({"/", r"\div"})
PLUS_MINUS = {"+": "add", "-": "sub", r"\pm": "pm", r"\mp": "mp", "+/-": "pm", "+-": "pm"}
NAMED_SETS = {"R": "reals", "Z": "integers", "N": "naturals", "Q": "rationals", "C": "complexes"}
OPENINGS = {"(": "(", "[": "[", r"\lbrack": "[", r"\langle": "<", r"\lparen": "("}
CLOSINGS = {")": ")", "]": "]", r"\rbrack": "]", r"\rangle": ">", r"\rparen": ")"}
BARS = frozenset({"|", r"\vert", r"\lvert", r"\rvert", r"\Vert", r"\|", r"\lVert", r"\rVert"})
STYLES = frozenset(
    r"\mathbf \mathit \mathsf \mathcal \boldsymbol \bm \vec \overrightarrow \hat \overline \bar \tilde \widehat \widetilde "
    r"\dot \ddot \boxed \fbox \framebox \underline \ensuremath \mathstrut \overset \pmb \mathfrak \mathscr \emph \bold \textcolor \small "
    r"\bf \it \Large \large \cancel \mathnormal \displaylimits \mathord".split()
)
MARKED = {r"\dot": "dot", r"\ddot": "ddot", r"\vec": "", r"\overrightarrow": "", r"\hat": "hat", r"\overline": "bar", r"\bar": "bar", r"\tilde": "tilde"}
ANGLES = frozenset({r"\angle", r"\triangle", r"\measuredangle", r"\odot"})
CALLABLE = frozenset("fghFGHPQpqTSV") | {r"\phi", r"\varphi", r"\psi", r"\Gamma", r"\zeta"}
AND_OR = {"and": "and", "or": "or", "&": "and", r"\land": "and", r"\lor": "or", r"\wedge": "and", r"\vee": "or", r"\&": "and"}
NUMBER_WORDS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen twenty".split()
    )
} | dict(zip("thirty forty fifty sixty seventy eighty ninety hundred".split(), range(30, 101, 10), strict=True))


def parse_latex(text: str) -> Value:
    """Parse the whole of a text.

    Raises:
        ParseError: where something is unknown, left over, or beyond the limits.
    """
    return Parser(tokenize(text)).whole()


def tokenize(text: str) -> list[str]:
    r"""Cut a text into tokens; space and sizes are dropped, `\text{...}` is one token that begins with a quotation mark."""
    if len(text) > MOST_CHARACTERS:
        raise ParseError("too long")
    text = GROUPED.sub(lambda found: re.sub(r"\D", "", found.group()), text)
    text = SLANTED.sub(r"\\frac{\1}{\2}", text)
    tokens: list[str] = []
    position = 0
    while position < len(text):
        found = TOKEN.match(text, position)
        if found is None:
            raise ParseError(f"unknown sign {text[position]!r}")
        position = found.end()
        kind = found.lastgroup
        if kind == "text":
            tokens.extend(_words(found.group("text")[1:-1]))
        elif kind == "command":
            tokens.extend(_unglued(found.group()))
        elif kind != "space":
            tokens.append(found.group())
    if len(tokens) > MOST_TOKENS:
        raise ParseError("too many tokens")
    return tokens


def _unglued(command: str) -> list[str]:
    r"""A command, or a known one and the letters that lost their space to it: `\cdotC`, `\leqx`."""
    if command in KNOWN_COMMANDS or not command[1:].isalpha():
        return [command]
    for length in range(len(command) - 1, max(2, len(command) - MOST_GLUED - 1), -1):
        if command[:length] in KNOWN_COMMANDS:
            return [command[:length], command[length:]]
    return [command]


def _words(text: str) -> list[str]:
    r"""The tokens of what stands inside `\text{...}`: connectives, numbers and letters as such, words as one text."""
    words = " ".join(text.replace("~", " ").split())
    if not words:
        return []
    low = words.lower().strip(" ,.")
    if low in AND_OR:
        return [AND_OR[low]]
    for joint in ("and", "or"):
        if words.startswith(joint + " "):
            return [joint, *_words(words[len(joint) :])]
        if words.endswith(" " + joint):
            return [*_words(words[: -len(joint)]), joint]
    if low in FUNCTIONS or low in SYNONYMS or (len(words) == 1 and words.isascii()) or re.fullmatch(r"[-+]?[\d.,:%/$\\ ]+", words):
        return tokenize(words)
    return [f'"{words}']


class Parser:
    """Reads tokens from left to right; each method reads one level of the grammar, the loosest first."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.position = 0
        self.depth = 0
        self.inside_bars = 0
        self.bar_ends = False

    def whole(self) -> Value:
        """The whole text."""
        value = self._over(top=True)
        if self.peek() is not None:
            raise ParseError(f"left over: {self.peek()}")
        return value

    # Reading tokens

    def peek(self, ahead: int = 0) -> str | None:
        place = self.position + ahead
        return self.tokens[place] if place < len(self.tokens) else None

    def take(self) -> str:
        token = self.peek()
        if token is None:
            raise ParseError("ends too early")
        self.position += 1
        return token

    def accept(self, *tokens: str) -> bool:
        if self.peek() in tokens:
            self.position += 1
            return True
        return False

    def expect(self, *tokens: str) -> None:
        if not self.accept(*tokens):
            raise ParseError(f"expected {tokens[0]}, found {self.peek()}")

    def deeper(self, read: Callable[[], Value]) -> Value:
        """Read something nested, within the limit."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise ParseError("nested too deeply")
        value = read()
        self.depth -= 1
        return value

    # Lists, relations, sets

    def list_of(self, *, top: bool = False) -> Value:
        """Relations with commas, semicolons, `and` or `or` between them; semicolons separate more than commas do."""
        groups: list[Value] = []
        items = [self.relation()]
        joint = ","
        while (token := self.peek()) is not None and (token in (",", ";", r"\\") or token in AND_OR):
            self.take()
            if token in (";", r"\\") and top:
                groups.append(_list(items, joint))
                items, joint = [], ","
            if token in AND_OR:
                joint = AND_OR[token]
            while self.peek() in AND_OR or self.peek() == ",":
                joint = AND_OR.get(self.take(), joint)
            if self.peek() is None or self.peek() in CLOSINGS or self.peek() in ("}", r"\}"):
                break
            items.append(self.relation())
        if items:
            groups.append(_list(items, joint))
        if len(groups) == 1:
            return groups[0]
        if all(not isinstance(group, ListOf) for group in groups):
            return _list(groups, ",")
        return ListOf(tuple(groups), ";")

    def relation(self) -> Value:
        """Sides with signs of relation between them; a ratio is one side."""
        sides = [self.ratio()]
        signs = []
        while self.peek() in RELATIONS or self.peek() == r"\not":
            negated = self.accept(r"\not")
            sign = RELATIONS[self.take()]
            signs.append({"=": "!=", "in": "notin"}.get(sign, sign) if negated else sign)
            if sign in ("<", ">") and self.accept("="):
                signs[-1] += "="
            sides.append(self.ratio())
        return Relation(tuple(signs), tuple(sides)) if signs else sides[0]

    def ratio(self) -> Value:
        parts = [self.set_expression()]
        while self.peek() in (":", r"\colon") and not self.bar_ends:
            if isinstance(parts[0], Text):
                raise ParseError("words before mathematics")
            self.take()
            parts.append(self.set_expression())
        return Ratio(tuple(parts)) if len(parts) > 1 else parts[0]

    def set_expression(self) -> Value:
        value = self.sum()
        while self.peek() in SET_OPERATIONS:
            head = SET_OPERATIONS[self.take()]
            value = Apply(head, (value, self.sum()))
        return value

    # Arithmetic

    def sum(self) -> Value:
        """Terms with + - ± between them."""
        sign = PLUS_MINUS[self.take()] if self.peek() in PLUS_MINUS else "add"
        value = _signed(sign, self.signed_term())
        terms = [value]
        while self.peek() in PLUS_MINUS:
            sign = PLUS_MINUS[self.take()]
            terms.append(_signed(sign, self.signed_term()))
        return Apply("add", tuple(terms)) if len(terms) > 1 else terms[0]

    def signed_term(self) -> Value:
        if self.accept("-"):
            return negative(self.signed_term())
        if self.accept("+"):
            return self.signed_term()
        return self.term()

    def term(self) -> Value:
        """Factors with a sign of multiplication or division between them, or none; then a unit."""
        value = self.factor()
        while True:
            token = self.peek()
            if token in TIMES or (token == "x" and self._is_times_sign()):
                self.take()
                value = _product(value, self.signed_factor())
            elif token in OVER:
                self.take()
                value = Apply("div", (value, self.signed_factor()))
            elif token in (r"\mod", r"\bmod", r"\pmod"):
                self.take()
                value = Apply("mod", (value, self.factor()))
            elif token is not None and self._is_unit(token, value):
                value = Measure(value, self.unit())
            elif token is not None and self._starts_factor(token):
                value = _product(value, self.factor()) if not isinstance(value, Text) else self._named_by(value)
            else:
                return value

    def _named_by(self, label: Text) -> Value:
        """What words announce: a Chinese phrase names the number after it, other words make a sentence."""
        if label.words.isascii():
            raise ParseError("words before mathematics")
        return self.factor()

    def signed_factor(self) -> Value:
        if self.accept("-"):
            return negative(self.signed_factor())
        if self.accept(r"\pm"):
            return Apply("pm", (self.signed_factor(),))
        self.accept("+")
        return self.factor()

    def _is_times_sign(self) -> bool:
        """`1.5 x 10^3`: the letter x between two numbers, the second a power of ten."""
        before = self.tokens[self.position - 1] if self.position else ""
        return before[-1:].isdigit() and self.peek(1) == "10" and self.peek(2) == "^"

    def _is_unit(self, token: str, value: Value) -> bool:
        if isinstance(value, Measure):
            return False
        if token.startswith('"'):
            return True
        if not token.isalpha() or not is_unit(token) or token.lower() in SENTENCE_WORDS:
            return False
        return is_known_unit(token) or not isinstance(value, Sym)

    def unit(self) -> str:
        """Words up to the next sign that is not part of a unit."""
        words: list[str] = []
        while (token := self.peek()) is not None:
            if token.startswith('"'):
                words.append(token[1:])
            elif token.isalpha() and token not in AND_OR:
                words.append(token)
            elif token in ("/", "^", "-", r"\cdot") and words and self._unit_goes_on(token):
                words.append(token)
                if token == "^":
                    self.take()
                    words.append(self._exponent_text())
                    continue
            else:
                break
            self.take()
        return unit_name(" ".join(words))

    def _unit_goes_on(self, token: str) -> bool:
        following = self.peek(1) or ""
        if token == "^":
            return following.isdigit() or following in ("{", "-")
        return following.startswith('"') or following.isalpha()

    def _exponent_text(self) -> str:
        """The exponent of a unit, as text."""
        braced = self.accept("{")
        sign = "-" if self.accept("-") else ""
        text = sign + self.take()
        if braced:
            self.expect("}")
        return text

    def _starts_factor(self, token: str) -> bool:
        if token in BARS:
            return not (self.inside_bars or self.bar_ends)
        if token[0].isdigit() or token[0] == ".":
            previous = self.tokens[self.position - 1]
            return not previous[-1:].isdigit()
        if token in AND_OR or token in RELATIONS or token in SET_OPERATIONS or token in CLOSINGS:
            return False
        return token[0].isalpha() or token in OPENINGS or (token[0] in "\\{" and token not in _NO_FACTOR)

    def factor(self) -> Value:
        """A primary with its postfix signs and its exponent."""
        value = self.deeper(self.primary)
        while (token := self.peek()) is not None:
            if token == "!":
                self.take()
                double = self.accept("!")
                value = Apply("factorial2" if double else "factorial", (value,))
            elif token in ("%", r"\%"):
                self.take()
                value = Apply("percent", (value,))
            elif token == "^" or token == "**":
                self.take()
                value = self._raised(value)
            elif token == "_":
                self.take()
                value = self._lowered(value)
            elif token[0] == "'":
                self.take()
                value = Apply(f"prime{len(token)}", (value,))
            else:
                return value
        return value

    def _raised(self, base: Value) -> Value:
        if self.accept(r"\circ") or self._braced(r"\circ"):
            return Apply("degree", (base,))
        if self.accept(r"\prime") or self._braced(r"\prime"):
            return Apply("prime1", (base,))
        if self._braced("T", r"\top") or self.accept(r"\top"):
            return Apply("transpose", (base,))
        if self._braced('"th', '"st', '"nd', '"rd', "th", "st", "nd", "rd") or self.accept('"th', '"st', '"nd', '"rd'):
            return base
        exponent = self.deeper(self.argument_of_power)
        return Apply("pow", (base, exponent))

    def _braced(self, *tokens: str) -> bool:
        if self.peek() == "{" and self.peek(1) in tokens and self.peek(2) == "}":
            self.position += 3
            return True
        return False

    def argument_of_power(self) -> Value:
        """What stands right of `^`: a group, or a signed number, letter or function; `2^3^2` is 2^(3^2)."""
        if self.accept("-"):
            return negative(self.argument_of_power())
        self.accept("+")
        value = self.primary()
        if self.accept("^", "**"):
            return Apply("pow", (value, self.deeper(self.argument_of_power)))
        return value

    def _lowered(self, base: Value) -> Value:
        """An index, or the base of a number."""
        name = self._index()
        if isinstance(base, Num) and name.isdigit() and 2 <= int(name[:4]) <= 36 and not base.digits:
            return Based(str(base.value), int(name))
        match base:
            case Sym(letter):
                return Sym(f"{letter}_{name}")
            case Bracketed("(", (Num() as inner,), ")") if name.isdigit():
                return Based(str(inner.value), int(name[:4]))
            case Apply("neg", (Based() as inner,)):
                return inner
        raise ParseError("an index on what has none")

    def _index(self) -> str:
        """The tokens of an index, as its name."""
        if not self.accept("{"):
            return _plain(self.take())
        name = ""
        depth = 1
        while True:
            token = self.take()
            depth += {"{": 1, "}": -1}.get(token, 0)
            if not depth:
                return name
            if token not in ("{", "}"):
                name += _plain(token)

    # Primaries

    def primary(self) -> Value:
        """A number, letter, function, group or command."""
        token = self.take()
        if token[0].isdigit() or (token[0] == "." and token[-1].isdigit()) or "\\" in token[1:]:
            return self._number(token)
        if token[0].isalpha():
            return self._word(token)
        if token[0] == '"':
            return self._text(token[1:])
        if token == "{":
            return self._braces("}")
        if token == r"\{" or token == r"\lbrace":
            return self._set(r"\}", r"\rbrace")
        if token in OPENINGS:
            return self._brackets(OPENINGS[token])
        if token in BARS:
            return self._absolute_value()
        if token[0] == "\\":
            return self._command(token)
        raise ParseError(f"unexpected {token}")

    def _number(self, token: str) -> Value:
        """A number; before a fraction of whole numbers, the whole part of a mixed one."""
        value = _numeral(token)
        if not token.isdigit():
            return value
        mixed = self._fraction_after(value)
        return mixed if mixed is not None else value

    def _fraction_after(self, whole: Num) -> Num | None:
        start = self.position
        if self.peek() in (r"\frac", r"\dfrac", r"\tfrac", r"\cfrac"):
            self.take()
            parts = [self._whole_number_argument(), self._whole_number_argument()]
            if parts[0] is not None and parts[1] and self.peek() not in ("^", "!"):
                return Num(whole.value + Fraction(parts[0], parts[1]))
        elif _is_whole(self.peek()) and self.peek(1) == "/" and _is_whole(self.peek(2)) and self.peek(3) not in ("^", "!"):
            numerator, denominator = int(self.tokens[start]), int(self.tokens[start + 2])
            if denominator:
                self.position += 3
                return Num(whole.value + Fraction(numerator, denominator))
        self.position = start
        return None

    def _whole_number_argument(self) -> int | None:
        if self.peek() == "{" and _is_whole(self.peek(1)) and self.peek(2) == "}":
            self.position += 3
            return int(self.tokens[self.position - 2])
        if _is_whole(self.peek()):
            return int(self._digit())
        return None

    def _digit(self) -> str:
        """One digit, as TeX takes an argument without braces; the rest of its numeral stays."""
        token = self.tokens[self.position]
        if len(token) == 1 or not token.isdigit():
            self.position += 1
            return token
        self.tokens[self.position] = token[1:]
        return token[0]

    def _word(self, token: str) -> Value:
        """Letters: a function, a constant, a number in words, or a product of variables."""
        name = SYNONYMS.get(token, SYNONYMS.get(token.lower(), token))
        if len(token) == 1:
            return self._letter(token)
        if name in FUNCTIONS or name.lower() in FUNCTIONS:
            return self._function(name if name in FUNCTIONS else name.lower())
        lowered = token.lower()
        if lowered in SENTENCE_WORDS and self.depth == 1:
            raise ParseError("a sentence")
        if lowered in ("pi", "infinity", "inf", "oo", "infty"):
            return PI if lowered == "pi" else INFINITY
        if lowered in NUMBER_WORDS:
            return number(NUMBER_WORDS[lowered])
        if lowered in ("frac", "dfrac", "tfrac", "binom"):
            return self._command(f"\\{lowered}")
        if lowered in LETTER_NAMES:
            return Sym(lowered)
        if lowered in ("approximately", "about", "approx", "over"):
            return self.factor()
        if len(token) <= 4 and not is_unit(token):
            return self._letters(token)
        return self._text(token)

    def _letters(self, token: str) -> Value:
        """A product of single letters; an index, call or exponent after the last belongs to that one."""
        factors: list[Value] = [_constant(letter) for letter in token[:-1]]
        last = self._letter(token[-1])
        while self.peek() in ("_", "^"):
            last = self._lowered(last) if self.take() == "_" else self._raised(last)
        return Apply("mul", (*factors, last))

    def _letter(self, letter: str) -> Value:
        if self.peek() == "_":
            self.take()
            symbol = self._lowered(Sym(letter))
            return self._maybe_call(symbol) if letter in CALLABLE else symbol
        return self._maybe_call(Sym(letter)) if letter in CALLABLE else _constant(letter)

    def _maybe_call(self, symbol: Value) -> Value:
        """`f(x)`, also `f'(x)` and `f^{-1}(x)`; a letter alone stays one."""
        assert isinstance(symbol, Sym)
        start = self.position
        name = symbol.name
        while (token := self.peek()) is not None and token[0] == "'":
            name += self.take()
        if self.peek() == "^" and self.peek(1) == "{" and self.peek(2) == "-" and self.peek(3) == "1" and self.peek(4) == "}":
            self.position += 5
            name += "^-1"
        if self.accept("("):
            inside = self.deeper(lambda: self._closed(self.list_of, ")"))
            arguments = inside.items if isinstance(inside, ListOf) else (inside,)
            return Apply(f"call:{name}", arguments)
        self.position = start
        return symbol

    def _closed(self, read: Callable[[], Value], *closing: str) -> Value:
        bars, self.inside_bars = self.inside_bars, 0
        ends, self.bar_ends = self.bar_ends, False
        value = read()
        self.expect(*closing)
        self.inside_bars, self.bar_ends = bars, ends
        return value

    def _text(self, words: str) -> Value:
        """Words before mathematics name it; alone they are a text; a short name before a bracket is a function's."""
        lowered = words.lower().strip(" .,:")
        if self.peek() == "(" and words.isascii() and words.isalpha() and len(words) < 8:
            return self._maybe_call(Sym(words))
        if lowered in NUMBER_WORDS:
            return number(NUMBER_WORDS[lowered])
        if lowered in ("infinity", "infinite"):
            return INFINITY
        while (token := self.peek()) is not None and (token[0] == '"' or (len(token) > 1 and token.isalpha() and token not in AND_OR)):
            lowered += " " + self.take().strip('" ').lower()
        return Text(" ".join(lowered.split()))

    def _braces(self, closing: str) -> Value:
        """TeX's own group; with a comma inside, a set whose braces lost their backslashes."""
        if self.accept(closing):
            raise ParseError("an empty group")
        value = self.deeper(lambda: self._closed(self._over, closing))
        if isinstance(value, ListOf):
            return SetOf(value.items)
        return value

    def _over(self, *, top: bool = False) -> Value:
        r"""A list, or `a \over b` and `a \choose b`, which take all that the group holds."""
        value = self.list_of(top=top)
        if self.accept(r"\over"):
            return Apply("div", (value, self.list_of()))
        if self.accept(r"\choose"):
            return Apply("binom", (value, self.list_of()))
        return value

    def _set(self, *closing: str) -> Value:
        if self.peek() == r"\begin":
            return self._command(self.take())
        if self.accept(*closing):
            return SetOf(())
        return self.deeper(lambda: self._closed(self._set_inside, *closing))

    def _set_inside(self) -> Value:
        self.bar_ends = True
        first = self.relation()
        self.bar_ends = False
        if self.accept("|", r"\mid", ":", r"\colon", r"\vert"):
            return Builder(first, self.list_of())
        items = [first]
        if self.accept(",", ";", *AND_OR):
            self.accept(*AND_OR)
            rest = self.list_of()
            items += rest.items if isinstance(rest, ListOf) else (rest,)
        return SetOf(tuple(items))

    def _brackets(self, opening: str) -> Value:
        if self.peek() in CLOSINGS:
            return Bracketed(opening, (), CLOSINGS[self.take()])
        value = self.deeper(lambda: self._bracketed(opening))
        return value

    def _bracketed(self, opening: str) -> Value:
        bars, self.inside_bars = self.inside_bars, 0
        ends, self.bar_ends = self.bar_ends, False
        inside = self.list_of()
        token = self.take()
        self.inside_bars, self.bar_ends = bars, ends
        if token not in CLOSINGS:
            raise ParseError(f"{opening} is closed by {token}")
        closing = CLOSINGS[token]
        if isinstance(inside, ListOf):
            return Bracketed(opening, inside.items, closing)
        matching = {"(": ")", "[": "]", "<": ">"}[opening] == closing
        if not matching:
            raise ParseError("brackets do not match")
        return inside if opening != "<" else Bracketed(opening, (inside,), closing)

    def _absolute_value(self) -> Value:
        self.inside_bars += 1
        value = self.deeper(self.list_of)
        self.inside_bars -= 1
        self.expect(*BARS)
        if isinstance(value, Matrix):
            return Apply("det", (value,))
        return Apply("abs", (value,))

    # Commands

    def _command(self, token: str) -> Value:
        name = token[1:]
        simple = _SIMPLE.get(token)
        if simple is not None:
            return simple
        if token in (r"\frac", r"\dfrac", r"\tfrac", r"\cfrac"):
            return Apply("div", (self.argument(), self.argument()))
        if token in (r"\binom", r"\dbinom", r"\tbinom"):
            return Apply("binom", (self.argument(), self.argument()))
        if token == r"\sqrt":
            return self._root()
        name = SYNONYMS.get(name, name)
        if name in FUNCTIONS:
            return self._function(name)
        if token in GREEK:
            symbol = Sym(name.removeprefix("var"))
            return self._maybe_call(symbol) if token in CALLABLE else symbol
        if token in STYLES:
            return self._styled(token)
        reader = _READERS.get(token)
        if reader is None:
            raise ParseError(f"unknown command {token}")
        return reader(self)

    def argument(self) -> Value:
        """An argument of a command: a group, one digit, one letter or a command with its own arguments."""
        token = self.peek()
        if token is not None and token.isdigit() and len(token) > 1:
            return number(int(self._digit()))
        if token is not None and token.isalpha() and len(token) > 1:
            self.tokens[self.position : self.position + 1] = list(token)
        if self.accept("-"):
            return negative(self.argument())
        return self.deeper(self.primary)

    def _root(self) -> Value:
        index: Value = TWO
        if self.accept("["):
            index = self.deeper(lambda: self._closed(self.list_of, "]"))
        if self.peek() is not None and self.tokens[self.position].isalpha():
            radicand = self.argument()
        else:
            radicand = self.deeper(self.primary)
        return Apply("root", (radicand, index))

    def _function(self, name: str) -> Value:
        """A function with its index, exponent and argument."""
        if name == "sqrt":
            return self._root()
        base: Value | None = None
        power: Value | None = None
        for _ in range(2):
            if name in ("log", "lg") and self.peek() == "_":
                self.take()
                base = self.argument() if self.peek() != "10" else self.deeper(self.primary)
            elif self.peek() in ("^", "**"):
                self.take()
                power = self.deeper(self.argument_of_power)
        if name == "det" and self.peek() in (r"\begin",):
            return Apply("det", (self.deeper(self.primary),))
        if power == Num(Fraction(-1)) and name in INVERSES:
            name, power = INVERSES[name], None
        arguments = self._arguments(name)
        value = _applied(name, arguments, base)
        return Apply("pow", (value, power)) if power is not None else value

    def _arguments(self, name: str) -> tuple[Value, ...]:
        r"""What a function is applied to: a group, or all factors up to the next function, sign or relation."""
        if self.peek() in ("(", "[", "{", r"\{"):
            inside = self.deeper(self.primary)
            if isinstance(inside, Bracketed | SetOf):
                return inside.items
            if name in SEVERAL_ARGUMENTS and isinstance(inside, ListOf):
                return inside.items
            return (inside,)
        if self.accept("-"):
            return (negative(self._arguments(name)[0]),)
        value = self.factor()
        while (token := self.peek()) is not None and self._starts_factor(token) and not self._is_function(token):
            if token.startswith('"') or is_unit(token) and len(token) > 1:
                break
            value = _product(value, self.factor())
            if self.peek() == "/" and isinstance(value, Sym):
                break
        return (value,)

    def _is_function(self, token: str) -> bool:
        name = token.lstrip("\\")
        return SYNONYMS.get(name, name) in FUNCTIONS or token in OPENINGS

    def _styled(self, token: str) -> Value:
        if token == r"\textcolor":
            self.argument()
        if self.peek() is None:
            raise ParseError(f"nothing after {token}")
        value = self.deeper(self.primary)
        mark = MARKED.get(token, "")
        if mark and isinstance(value, Sym) and value.name != "i":
            return Sym(f"{value.name}_{mark}")
        if mark and not isinstance(value, Sym) and token != r"\overline":
            raise ParseError(f"{token} over an expression")
        return value

    def _color(self) -> Value:
        self.argument()
        return self.deeper(self.primary)

    def _blackboard(self) -> Value:
        self.accept("{")
        letter = self.take()
        self.accept("}")
        if letter not in NAMED_SETS:
            raise ParseError(f"unknown set {letter}")
        suffix = ""
        while self.peek() in ("^", "_"):
            suffix += self.take() + self._index()
        return Sym(NAMED_SETS[letter] + suffix)

    def _angle(self) -> Value:
        """The name of an angle or a triangle: letters."""
        letters = self.take()
        if not letters.isalpha():
            raise ParseError("an angle without a name")
        return Sym(f"angle_{letters}")

    def _rounded(self, head: str, closing: str) -> Value:
        value = self.deeper(lambda: self._closed(self.list_of, closing))
        return Apply(head, (value,))

    def _big(self, head: str) -> Value:
        r"""A sum, product or integral with its bounds."""
        lower: Value | None = None
        upper: Value | None = None
        for _ in range(2):
            if self.accept("_"):
                lower = self.deeper(self._bound)
            elif self.accept("^"):
                upper = self.deeper(self._bound)
        if head == "integral":
            return self._integral(lower, upper)
        body = self.deeper(self.term)
        match lower:
            case Relation(("=",), (Sym() as index, start)) if upper is not None:
                return Apply(head, (body, index, start, upper))
        raise ParseError(f"{head} without bounds")

    def _bound(self) -> Value:
        return negative(self._bound()) if self.accept("-") else self.primary()

    def _integral(self, lower: Value | None, upper: Value | None) -> Value:
        end = self._differential()
        variable = Sym(self.tokens[end][1:] or self.tokens[end + 1])
        rest = self.tokens[end + (1 if len(self.tokens[end]) > 1 else 2) :]
        inner = Parser(self.tokens[self.position : end])
        inner.depth = self.depth
        body = inner.sum() if inner.tokens else ONE
        if inner.peek() is not None:
            raise ParseError("an integrand that does not end")
        self.tokens, self.position = rest, 0
        bounds = (lower, upper) if lower is not None and upper is not None else ()
        return Apply("integral", (body, variable, *bounds))

    def _differential(self) -> int:
        """The place of the next `dx`."""
        for place in range(self.position, len(self.tokens)):
            token = self.tokens[place]
            if re.fullmatch(r"d[A-Za-z]", token):
                return place
            if token == "d" and place + 1 < len(self.tokens) and re.fullmatch(r"[A-Za-z]", self.tokens[place + 1]):
                return place
        raise ParseError("an integral without dx")

    def _limit(self) -> Value:
        self.expect("_")
        bound = self.deeper(self._bound)
        match bound:
            case Relation(("to",), (Sym() as variable, target)):
                return Apply("limit", (self.deeper(self.term), variable, target))
        raise ParseError("a limit of what?")

    def _environment(self) -> Value:
        self.expect("{")
        name = self.take()
        while not self.accept("}"):
            name += self.take()
        if name == "array" and self.peek() in ("{", "["):
            while self.take() != "}":
                pass
        if name in ("cases", "aligned", "align", "array") and self._is_system(name):
            rows = self._rows(name, self.relation)
            return ListOf(tuple(row[0] if len(row) == 1 else Bracketed("(", row, ")") for row in rows if row), "and")
        rows = self._rows(name, self.sum)
        if name not in ("matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "Vmatrix", "smallmatrix", "array"):
            raise ParseError(f"unknown environment {name}")
        if len({len(row) for row in rows}) != 1 or sum(map(len, rows)) > MOST_CELLS:
            raise ParseError("a matrix with uneven rows")
        matrix = Matrix(rows)
        return Apply("det", (matrix,)) if name == "vmatrix" else matrix

    def _is_system(self, name: str) -> bool:
        """Whether the rows of this environment are relations, not entries."""
        relations = 0
        for token in self.tokens[self.position :]:
            if token == r"\end":
                break
            relations += token in RELATIONS or token in ('"if', '"otherwise')
        return relations > 0 or name == "cases"

    def _rows(self, name: str, read: Callable[[], Value]) -> tuple[tuple[Value, ...], ...]:
        rows: list[tuple[Value, ...]] = []
        row: list[Value] = []
        bars, self.inside_bars = self.inside_bars, 0
        while True:
            if self.accept(r"\hline"):
                continue
            if self.accept(r"\end"):
                break
            if self.accept("&"):
                continue
            if self.accept(r"\\", r"\cr"):
                rows.append(tuple(row))
                row = []
                continue
            if self.peek() in ('"if', '"otherwise', '"for', '"when', "if", "for", "when") and self.peek(1) not in (r"\\", r"\end"):
                self.take()
                continue
            row.append(self.deeper(read))
            self.accept(",", ";")
        if row:
            rows.append(tuple(row))
        self.expect("{")
        while self.take() != "}":
            pass
        self.inside_bars = bars
        return tuple(rows)


_SIMPLE: dict[str, Value] = {
    r"\pi": PI, r"\infty": INFINITY, r"\emptyset": SetOf(()), r"\varnothing": SetOf(()), r"\imath": IMAGINARY,
    r"\ldots": Sym("..."), r"\dots": Sym("..."), r"\cdots": Sym("..."), r"\R": Sym("reals"), r"\degree": Sym("degree"),
}  # fmt: skip
_READERS: dict[str, Callable[[Parser], Value]] = {
    r"\begin": Parser._environment,
    r"\mathbb": Parser._blackboard,
    r"\color": Parser._color,
    r"\lfloor": lambda parser: parser._rounded("floor", r"\rfloor"),
    r"\lceil": lambda parser: parser._rounded("ceil", r"\rceil"),
    r"\bigcup": lambda parser: parser._big("bigunion"),
    r"\bigcap": lambda parser: parser._big("bigintersection"),
    r"\sum": lambda parser: parser._big("sum"),
    r"\prod": lambda parser: parser._big("product"),
    r"\int": lambda parser: parser._big("integral"),
    r"\lim": Parser._limit,
    **dict.fromkeys(ANGLES, Parser._angle),
}
_NO_FACTOR = (
    frozenset({r"\}", r"\rbrace", r"\\", r"\end", r"\over", r"\choose", r"\rfloor", r"\rceil", r"\mid", r"\%", r"\circ", r"\cr"})
    | frozenset(PLUS_MINUS)
    | TIMES
    | OVER
    | frozenset({r"\mod", r"\bmod", r"\pmod", r"\colon", r"\not", r"\prime", r"\hline"})
)


KNOWN_COMMANDS = frozenset(
    {*_SIMPLE, *_READERS, *_NO_FACTOR, *GREEK, *STYLES, *RELATIONS, *SET_OPERATIONS, *TIMES, *OVER, *PLUS_MINUS, *OPENINGS, *CLOSINGS}
    | {*BARS, *AND_OR, *(f"\\{name}" for name in FUNCTIONS | SYNONYMS.keys())}
    | {r"\frac", r"\dfrac", r"\tfrac", r"\cfrac", r"\binom", r"\dbinom", r"\tbinom", r"\lbrace"}
    | {r"\inf", r"\sup", r"\neg", r"\nmid"}  # not parsed, but not to be taken apart either
)


def _list(items: list[Value], joint: str) -> Value:
    if len(items) == 1:
        return items[0]
    assert joint in (",", ";", "and", "or")
    return ListOf(tuple(items), joint)  # type: ignore[arg-type]


def _signed(sign: str, term: Value) -> Value:
    if sign == "add":
        return term
    return negative(term) if sign == "sub" else Apply(sign, (term,))


def _product(left: Value, right: Value) -> Value:
    if isinstance(left, Apply) and left.head == "mul":
        return Apply("mul", (*left.args, right))
    return Apply("mul", (left, right))


def _applied(name: str, arguments: tuple[Value, ...], base: Value | None) -> Value:
    if not arguments:
        raise ParseError(f"{name} of nothing")
    if name not in SEVERAL_ARGUMENTS and len(arguments) != 1:
        raise ParseError(f"{name} of {len(arguments)} arguments")
    if name in ("log", "lg"):
        return Apply("log", (*arguments, base)) if base is not None else Apply("log10" if name == "lg" else "log", arguments)
    if name == "exp":
        return Apply("pow", (EULER, *arguments))
    return Apply(name, arguments)


def _constant(letter: str) -> Value:
    return {"i": IMAGINARY, "e": EULER}.get(letter, Sym(letter))


def _numeral(token: str) -> Num:
    """The number that a numeral writes; a decimal keeps how many digits it shows."""
    if len(token) > MOST_DIGITS:
        raise ParseError("too many digits")
    if "\\" in token:
        return Num(_repeating(token))
    mantissa, _, exponent = token.lower().partition("e")
    if exponent and abs(int(exponent)) > LARGEST_EXPONENT:
        raise ParseError("too large an exponent")
    value = Fraction(mantissa) * Fraction(10) ** int(exponent or 0)
    shown = mantissa.replace(".", "").lstrip("0")
    return Num(value, len(shown) if "." in mantissa or exponent else 0)


def _repeating(token: str) -> Fraction:
    r"""The value of `0.1\overline{6}` and of `0.\dot{1}4\dot{2}`."""
    before, _, after = token.partition("\\")
    whole, _, fixed = before.partition(".")
    period = re.sub(r"[a-z\\{}\s]", "", after)
    start = Fraction(f"{whole or 0}.{fixed or 0}")
    return start + Fraction(int(period), (10 ** len(period) - 1) * 10 ** len(fixed))


def _plain(token: str) -> str:
    return token.lstrip('"\\').strip().lower() if token[0] in '"\\' else token


def _is_whole(token: str | None) -> bool:
    return token is not None and token.isdigit() and len(token) < 400
