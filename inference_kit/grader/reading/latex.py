r"""Our own parser: LaTeX or plain mathematics to a value, by recursive descent over tokens.

Why: it costs a tenth of a general grammar, knows how people write answers (`\frac12`, `2\frac13`, `[1,2)`, `1 1/2`),
and has its limits inside: length, nesting, tokens and digits are bounded before any work is done.
Promises: consumes everything or raises `ParseError`; an unknown command is not parsed, never skipped; evaluates
nothing.
"""

from inference_kit.grader.reading.brackets import read_absolute_value, read_braces, read_brackets, read_set
from inference_kit.grader.reading.commands import read_command
from inference_kit.grader.reading.grammar import Grammar, make_cross_product, multiply
from inference_kit.grader.reading.lists import join, to_residue
from inference_kit.grader.reading.measures import read_measure, unit_follows
from inference_kit.grader.reading.postfix import mark, read_subscript, read_superscript
from inference_kit.grader.reading.reader import Reader
from inference_kit.grader.reading.tokens import END, ParseError, tokenize
from inference_kit.grader.reading.words import read_greek, read_number, read_text, read_word
from inference_kit.grader.values import Apply, ListOf, Measure, Ratio, Relation, Sym, Text, Value, list_symbols, negate
from inference_kit.grader.vocabulary import (
    AND_OR,
    BARE_COMMANDS,
    BARS,
    CLOSINGS,
    GREEK,
    MODULI,
    MODULO,
    NAMED_SETS,
    NEGATED,
    OPENINGS,
    OVER,
    PLUS_MINUS,
    RELATIONS,
    SET_OPERATIONS,
    TIMES,
    VECTORS,
)

SEPARATORS = frozenset({",", ";", r"\\"}) | AND_OR.keys()
GROUP_ENDS = frozenset({END.text, "}", r"\}"}) | CLOSINGS.keys()
POSTFIXES = frozenset({"!", "%", r"\%", "^", "**", "_"})


def parse_latex(text: str) -> Value:
    """Parse the whole of a text.

    Raises:
        ParseError: where something is unknown, left over, or beyond the limits.
    """
    parser = Parser(Reader(tokenize(text)))
    value = parser.read_group(top=True)
    if parser.reader.next is not END:
        raise ParseError(f"left over: {parser.reader.next.text}")
    return value


class Parser(Grammar):
    """Reads the levels of the grammar, the loosest first; what a primary is made of is read by the files beside it."""

    def read_group(self, *, top: bool = False) -> Value:
        r"""Read a list, or `a \over b` and `a \choose b`, which take all that the group holds."""
        value = self.read_list(top=top)
        if self.reader.accept(r"\over"):
            return Apply("div", (value, self.read_list()))
        if self.reader.accept(r"\choose"):
            return Apply("binom", (value, self.read_list()))
        return value

    # Lists, relations, sets

    def read_list(self, *, top: bool = False) -> Value:
        """Read a list; at the top, semicolons and line ends separate more than commas do."""
        reader = self.reader
        groups: list[Value] = []
        items = [self.read_relation()]
        joints: list[str] = []
        while (sign := reader.next.text) in SEPARATORS:
            reader.take()
            if top and sign in (";", r"\\"):
                groups.append(join(items, joints))
                items, joints = [], []
            else:
                joints.append(AND_OR.get(sign, ","))
            while (sign := reader.next.text) in AND_OR or sign == ",":
                joints[-1:] = [AND_OR.get(sign, joint) for joint in joints[-1:]]
                reader.take()
            if sign in GROUP_ENDS:
                break
            items.append(self.read_relation())
        if not groups:
            return join(items, joints)
        if items:
            groups.append(join(items, joints))
        # `1; 2` is a list of two, `1, 2; 3` a list of lists.
        return join(groups, [";" if any(isinstance(group, ListOf) for group in groups) else ","])

    def read_relation(self) -> Value:
        """Read ratios with signs of relation between them, in chains of any length: `0 < x <= 1`."""
        reader = self.reader
        sides = [self._read_side()]
        signs = []
        while (text := reader.next.text) in RELATIONS or text == r"\not":
            if text == r"\mid" and reader.surroundings.bar_ends:
                break
            negated = reader.accept(r"\not")
            sign = RELATIONS.get(reader.take().text)
            if sign is None:
                raise ParseError("a negation of no relation")
            signs.append(NEGATED.get(sign, f"not {sign}") if negated else sign)
            if sign in ("<", ">") and reader.accept("="):
                signs[-1] += "="
            sides.append(self._read_side())
            if signs[-1] == "in" and isinstance(sides[-1], Sym):
                sides[-1] = Sym(NAMED_SETS.get(sides[-1].name, sides[-1].name))  # k in Z
        if "equiv" in signs:
            sides[-1] = to_residue(sides[-1])
        return Relation(tuple(signs), tuple(sides)) if signs else sides[0]

    def _read_side(self) -> Value:
        r"""Read a side of a relation; a modulus behind it, `\pmod{12}`, is one of the whole side."""
        reader = self.reader
        value = self._read_ratio()
        while reader.next.text in MODULI:
            head = "residue" if reader.take().text == r"\pmod" else "mod"
            reader.link()
            value = Apply(head, (value, self.read_factor()))
        return value

    def _read_ratio(self) -> Value:
        """Read parts with colons between them: a ratio or a time of day."""
        reader = self.reader
        parts = [self._read_set_expression()]
        while reader.next.text in (":", r"\colon") and not reader.surroundings.bar_ends:
            if isinstance(parts[0], Text):
                raise ParseError("words before mathematics")
            reader.take()
            parts.append(self._read_set_expression())
        return Ratio(tuple(parts)) if len(parts) > 1 else parts[0]

    def _read_set_expression(self) -> Value:
        """Read sets with unions, intersections and differences between them, or one sum."""
        value = self.read_sum()
        while self.reader.next.text in SET_OPERATIONS:
            head = SET_OPERATIONS[self.reader.take().text]
            self.reader.link()
            value = Apply(head, (value, self.read_sum()))
        return value

    # Arithmetic

    def read_sum(self) -> Value:
        """Read terms with signs between them; the first may have one too."""
        reader = self.reader
        terms: list[Value] = []
        while not terms or reader.next.text in PLUS_MINUS:
            sign = PLUS_MINUS[reader.take().text] if reader.next.text in PLUS_MINUS else "add"
            terms.append(_apply_sign(sign, self._read_signed_term()))
        return Apply("add", tuple(terms)) if len(terms) > 1 else terms[0]

    def _read_signed_term(self) -> Value:
        """Read a term with signs of its own: `--2`, `+-2`."""
        reader = self.reader
        while reader.accept("+"):
            pass
        if not reader.accept("-"):
            return self.read_term()
        return negate(reader.nest(self._read_signed_term))

    def read_term(self) -> Value:
        """Read factors from left to right, so that `1/2x` is (1/2)x and a unit belongs to all before it."""
        reader = self.reader
        value = self.read_factor()
        while (sign := reader.next.text) != END.text:
            if sign == r"\times" and self._vector_follows(value):
                reader.take()
                reader.link()
                value = make_cross_product(value, self.read_factor())
            elif sign in TIMES or (sign == "x" and self._x_means_times()):
                reader.take()
                value = multiply(value, self._read_signed_factor())
            elif sign in OVER:
                reader.take()
                reader.link()
                value = Apply("div", (value, self._read_signed_factor()))
            elif sign in MODULO:
                reader.take()
                reader.link()
                value = Apply("mod", (value, self.read_factor()))
            elif unit_follows(reader, value):
                value = read_measure(reader, value)
            elif self.factor_follows():
                value = self._read_named(value) if isinstance(value, Text) else multiply(value, self.read_factor())
            else:
                break
        return value

    def _vector_follows(self, value: Value) -> bool:
        r"""Say whether `\times` stands before a letter that is a vector, behind something that may be one."""
        reader = self.reader
        letter = reader.peek(3) if reader.peek(2).text == "{" else reader.peek(2)
        return reader.peek(1).text in VECTORS and letter.kind == "word" and bool(list_symbols(value))

    def _x_means_times(self) -> bool:
        """Say whether the letter x that comes next is a sign of multiplication: between numbers, as in `1.5 x 10^3`."""
        reader = self.reader
        return reader.previous.text[-1:].isdigit() and reader.peek(1).text == "10" and reader.peek(2).text == "^"

    def _read_named(self, label: Text) -> Value:
        """Read what words announce: a Chinese phrase names the number after it, other words make a sentence."""
        if label.words.isascii():
            raise ParseError("words before mathematics")
        return self.read_factor()

    def _read_signed_factor(self) -> Value:
        """Read a factor with signs of its own: `2 \\cdot -3`."""
        reader = self.reader
        sign = reader.next.text
        if not reader.accept("-", r"\pm"):
            reader.accept("+")
            return self.read_factor()
        value = reader.nest(self._read_signed_factor)
        return negate(value) if sign == "-" else Apply("pm", (value,))

    def read_factor(self) -> Value:
        """Read a primary and what stands behind it: `!`, `%`, exponents, indices, primes."""
        reader = self.reader
        value = self.read_nested_primary()
        while (token := reader.next).text in POSTFIXES or token.kind == "primes":
            reader.take()
            if token.text == "!":
                reader.link()
                value = Apply("factorial2" if reader.accept("!") else "factorial", (value,))
            elif token.text in ("^", "**"):
                value = read_superscript(self, value)
            elif token.text == "_":
                value = read_subscript(reader, value)
            elif token.kind == "primes":
                reader.link()
                value = Apply(f"prime{len(token.text)}", (value,))
            else:
                value = mark("percent", value)
        return value

    def read_exponent(self) -> Value:
        """Read a group, or a signed number, letter or function."""
        reader = self.reader
        if reader.accept("-"):
            return negate(reader.nest(self.read_exponent))
        reader.accept("+")
        value = self.read_primary()
        if reader.accept("^", "**"):  # 2^3^2 is 2^(3^2)
            return Apply("pow", (value, reader.nest(self.read_exponent)))
        return value

    def read_primary(self) -> Value:
        """Read by what comes first: the kind of a token, or the sign that it is."""
        token = self.reader.take()
        text = token.text
        match token.kind:
            case "digits" | "number":
                return read_number(self.reader, token)
            case "text":
                return read_text(self, text[1:])
            case "word":
                command = BARE_COMMANDS.get(text.lower())
                return read_word(self, text) if command is None else read_command(self, command)
        if text == "{":
            return read_braces(self)
        if text in (r"\{", r"\lbrace"):
            return read_set(self)
        if text in OPENINGS:
            return read_brackets(self, OPENINGS[text])
        if text in BARS:
            return read_absolute_value(self)
        if text in GREEK:
            return read_greek(self, text)
        if token.kind == "command":
            return read_command(self, text)
        raise ParseError(f"unexpected {text}")


def _apply_sign(sign: str, term: Value) -> Value:
    """Return a term as its sign makes it; ± and ∓ stay, for they are two values."""
    if sign == "add":
        return term
    if isinstance(term, Measure):
        return Measure(_apply_sign(sign, term.value), term.unit)
    return negate(term) if sign == "neg" else Apply(sign, (term,))
