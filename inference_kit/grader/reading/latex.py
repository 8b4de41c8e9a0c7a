r"""Our own parser: LaTeX or plain mathematics to a value, by recursive descent over tokens.

Why: it costs a tenth of a general grammar, knows how people write answers (`\frac12`, `2\frac13`, `[1,2)`, `1 1/2`),
and has its limits inside: length, nesting, tokens and digits are bounded before any work is done.
Promises: consumes everything or raises `ParseError`; an unknown command is not parsed, never skipped; evaluates
nothing.
"""

import re
from collections.abc import Callable
from fractions import Fraction

from inference_kit.grader.reading.tokens import ParseError, numeral, tokenize
from inference_kit.grader.reading.units import is_known_unit, is_unit, unit_name
from inference_kit.grader.values import (
    EULER,
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
    symbols_of,
    walk,
)
from inference_kit.grader.vocabulary import (
    AND_OR,
    ANGLES,
    BARS,
    BIG,
    BINOMIALS,
    CALLABLE,
    CLOSINGS,
    CONSTANTS_BY_COMMAND,
    FRACTIONS,
    FUNCTIONS,
    GREEK,
    INVERSES,
    LETTER_NAMES,
    MARKED,
    MODULO,
    NAMED_SETS,
    NO_FACTOR,
    NUMBER_WORDS,
    OPENINGS,
    OVER,
    PLUS_MINUS,
    RELATIONS,
    ROUNDED,
    SENTENCE_WORDS,
    SET_OPERATIONS,
    SEVERAL_ARGUMENTS,
    STYLES,
    SYNONYMS,
    TIMES,
)

DEEPEST = 48
MOST_LINKS = 100
MOST_CELLS = 256


def parse_latex(text: str) -> Value:
    """Parse the whole of a text.

    Raises:
        ParseError: where something is unknown, left over, or beyond the limits.
    """
    return Parser(tokenize(text)).whole()


class Parser:
    """Reads tokens from left to right; each method reads one level of the grammar, the loosest first."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.position = 0
        self.depth = 0
        self.links = 0
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

    def linked(self, value: Value) -> Value:
        """A value around another one, within the limit: chains like `1/1/1/1` and `5!!!!` nest as well."""
        self.links += 1
        if self.links > MOST_LINKS:
            raise ParseError("too long a chain")
        return value

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
        while (self.peek() in RELATIONS or self.peek() == r"\not") and not (self.bar_ends and self.peek() == r"\mid"):
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
            value = self.linked(Apply(head, (value, self.sum())))
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
            return negative(self.deeper(self.signed_term))
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
                value = self.linked(Apply("div", (value, self.signed_factor())))
            elif token in MODULO:
                self.take()
                value = self.linked(Apply("mod", (value, self.factor())))
            elif token is not None and self._is_unit(token, value):
                value = Measure(value, self.unit())
            elif token is not None and self._starts_factor(token):
                value = self._named_by(value) if isinstance(value, Text) else _product(value, self.factor())
            else:
                return value

    def _named_by(self, label: Text) -> Value:
        """What words announce: a Chinese phrase names the number after it, other words make a sentence."""
        if label.words.isascii():
            raise ParseError("words before mathematics")
        return self.factor()

    def signed_factor(self) -> Value:
        if self.accept("-"):
            return negative(self.deeper(self.signed_factor))
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
            return len(token) > 2 or not symbols_of(value)
        if not token.isalpha() or not is_unit(token) or token.lower() in SENTENCE_WORDS:
            return False
        return is_known_unit(token) or any(isinstance(part, Num) for part in walk(value))

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
        return token[0].isalpha() or token in OPENINGS or (token[0] in "\\{" and token not in NO_FACTOR)

    def factor(self) -> Value:
        """A primary with its postfix signs and its exponent."""
        value = self.deeper(self.primary)
        while (token := self.peek()) is not None:
            if token == "!":
                self.take()
                double = self.accept("!")
                value = self.linked(Apply("factorial2" if double else "factorial", (value,)))
            elif token in ("%", r"\%"):
                self.take()
                value = self._marked("percent", value)
            elif token == "^" or token == "**":
                self.take()
                value = self._raised(value)
            elif token == "_":
                self.take()
                value = self._lowered(value)
            elif token[0] == "'":
                self.take()
                value = self.linked(Apply(f"prime{len(token)}", (value,)))
            else:
                return value
        return value

    def _raised(self, base: Value) -> Value:
        if self.accept(r"\circ") or self._braced(r"\circ"):
            return self._marked("degree", base)
        if self.accept(r"\prime") or self._braced(r"\prime"):
            return Apply("prime1", (base,))
        if self._braced("T", r"\top") or self.accept(r"\top"):
            return Apply("transpose", (base,))
        if self._braced('"th', '"st', '"nd', '"rd', "th", "st", "nd", "rd") or self.accept('"th', '"st', '"nd', '"rd'):
            return base
        exponent = self.deeper(self.argument_of_power)
        return Apply("pow", (base, exponent))

    def _marked(self, head: str, value: Value) -> Value:
        """A percentage or an angle in degrees; of such a one there is no other."""
        if isinstance(value, Apply) and value.head in ("percent", "degree"):
            raise ParseError("a second sign of its kind")
        return Apply(head, (value,))

    def _braced(self, *tokens: str) -> bool:
        if self.peek() == "{" and self.peek(1) in tokens and self.peek(2) == "}":
            self.position += 3
            return True
        return False

    def argument_of_power(self) -> Value:
        """What stands right of `^`: a group, or a signed number, letter or function; `2^3^2` is 2^(3^2)."""
        if self.accept("-"):
            return negative(self.deeper(self.argument_of_power))
        self.accept("+")
        value = self.primary()
        if self.accept("^", "**"):
            return Apply("pow", (value, self.deeper(self.argument_of_power)))
        return value

    def _lowered(self, base: Value) -> Value:
        """An index, or the base of a number."""
        name = self._index()
        name = str(NUMBER_WORDS.get(name, name)) if isinstance(base, Num) else name
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
        if token[0] == '"':
            return self._text(token[1:])
        if token[0].isdigit() or (token[0] == "." and token[-1] in "0123456789}"):
            return self._number(token)
        if token[0].isalpha():
            return self._word(token)
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
        value = numeral(token)
        if not token.isdigit():
            return value
        mixed = self._fraction_after(value)
        return mixed if mixed is not None else value

    def _fraction_after(self, whole: Num) -> Num | None:
        start = self.position
        if self.peek() in FRACTIONS:
            self.take()
            parts = [self._whole_number_argument(), self._whole_number_argument()]
            if parts[0] is not None and parts[1] and self.peek() not in ("^", "!"):
                return Num(whole.value + Fraction(parts[0], parts[1]))
        elif (
            _is_whole(self.peek())
            and self.peek(1) == "/"
            and _is_whole(self.peek(2))
            and self.peek(3) not in ("^", "!")
        ):
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
        if (
            self.peek() == "^"
            and self.peek(1) == "{"
            and self.peek(2) == "-"
            and self.peek(3) == "1"
            and self.peek(4) == "}"
        ):
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
        if len(words) == 1 and words.isascii():
            return self._letter(words)
        lowered = words.lower().strip(" .,:")
        if self.peek() == "(" and words.isascii() and words.isalpha() and len(words) < 8:
            return self._maybe_call(Sym(words))
        if lowered in NUMBER_WORDS:
            return number(NUMBER_WORDS[lowered])
        if lowered in ("infinity", "infinite"):
            return INFINITY
        while (token := self.peek()) is not None and (
            token[0] == '"' or (len(token) > 1 and token.isalpha() and token not in AND_OR)
        ):
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
        if token in CONSTANTS_BY_COMMAND:
            return CONSTANTS_BY_COMMAND[token]
        if token in FRACTIONS:
            return Apply("div", (self.argument(), self.argument()))
        if token in BINOMIALS:
            return Apply("binom", (self.argument(), self.argument()))
        if token in BIG:
            return self._limit() if token == r"\lim" else self._big(BIG[token])
        if token in ROUNDED:
            return self._rounded(*ROUNDED[token])
        name = token[1:]
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
            return negative(self.deeper(self.argument))
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
            if token.startswith('"') or (is_unit(token) and len(token) > 1):
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
        return negative(self.deeper(self._bound)) if self.accept("-") else self.primary()

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
            if self.peek() in ('"if', '"otherwise', '"for', '"when', "if", "for", "when") and self.peek(1) not in (
                r"\\",
                r"\end",
            ):
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


_READERS: dict[str, Callable[[Parser], Value]] = {
    r"\begin": Parser._environment,
    r"\mathbb": Parser._blackboard,
    r"\color": Parser._color,
    r"\sqrt": Parser._root,
    **dict.fromkeys(ANGLES, Parser._angle),
}


def _list(items: list[Value], joint: str) -> Value:
    if len(items) == 1:
        return items[0]
    assert joint in (",", ";", "and", "or")
    return ListOf(tuple(items), joint)  # type: ignore[arg-type]


def _signed(sign: str, term: Value) -> Value:
    if sign == "add":
        return term
    return negative(term) if sign == "neg" else Apply(sign, (term,))


def _product(left: Value, right: Value) -> Value:
    if isinstance(right, Text):
        raise ParseError("words in a product")
    if isinstance(left, Apply) and left.head == "mul":
        return Apply("mul", (*left.args, right))
    return Apply("mul", (left, right))


def _applied(name: str, arguments: tuple[Value, ...], base: Value | None) -> Value:
    if not arguments:
        raise ParseError(f"{name} of nothing")
    if name not in SEVERAL_ARGUMENTS and len(arguments) != 1:
        raise ParseError(f"{name} of {len(arguments)} arguments")
    if name in ("log", "lg"):
        return (
            Apply("log", (*arguments, base))
            if base is not None
            else Apply("log10" if name == "lg" else "log", arguments)
        )
    if name == "exp":
        return Apply("pow", (EULER, *arguments))
    return Apply(name, arguments)


def _constant(letter: str) -> Value:
    return {"i": IMAGINARY, "e": EULER}.get(letter, Sym(letter))


def _plain(token: str) -> str:
    return token.lstrip('"\\').strip().lower() if token[0] in '"\\' else token


def _is_whole(token: str | None) -> bool:
    return token is not None and token.isdigit() and len(token) < 400
