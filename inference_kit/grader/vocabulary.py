r"""The words and commands of mathematical writing, and what each means to the parser.

Why: tables are easier to read, check and extend than branches; a new command is one entry here.
Promises: constants only; whatever is in no table is unknown to the parser.
"""

from inference_kit.grader.operations.table import OPERATIONS
from inference_kit.grader.values import IMAGINARY, INFINITY, PI, SetOf, Sym, Value

FUNCTIONS = frozenset(each.functions[0] for each in OPERATIONS.values() if each.functions)
SYNONYMS = {name: each.functions[0] for each in OPERATIONS.values() for name in each.functions[1:]}
INVERSES = {each.functions[0]: each.inverse for each in OPERATIONS.values() if each.inverse}
SEVERAL_ARGUMENTS = frozenset(each.functions[0] for each in OPERATIONS.values() if each.functions and not each.arity)
GREEK = frozenset(
    r"\alpha \beta \gamma \delta \epsilon \varepsilon \zeta \eta \theta \vartheta \iota \kappa \lambda \mu \nu \xi "
    r"\omicron \rho \varrho \sigma \varsigma \tau \upsilon \phi \varphi \chi \psi \omega \Gamma \Delta \Theta "
    r"\Lambda \Xi \Sigma \Upsilon \Phi \Psi \Omega \ell \hbar \nabla \partial \Pi".split()
)
LETTER_NAMES = frozenset(name[1:] for name in GREEK)
RELATIONS = {
    "=": "=", "==": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "!=": "!=",
    r"\le": "<=", r"\leq": "<=", r"\leqslant": "<=", r"\leqq": "<=", r"\ge": ">=", r"\geq": ">=", r"\geqslant": ">=",
    r"\geqq": ">=", r"\lt": "<", r"\gt": ">", r"\ne": "!=", r"\neq": "!=", r"\approx": "~", r"\simeq": "~",
    r"\in": "in", r"\ni": "holds", r"\notin": "not in",
    r"\equiv": "equiv", r"\sim": "sim", r"\cong": "cong", r"\perp": "perp", r"\parallel": "parallel",
    r"\mid": "divides", r"\nmid": "not divides", r"\nparallel": "not parallel",
    r"\to": "to", r"\rightarrow": "to", r"\longrightarrow": "to", r"\mapsto": "to",
    r"\leftarrow": "from", r"\gets": "from",
    r"\Rightarrow": "implies", r"\implies": "implies", r"\Longrightarrow": "implies", "=>": "implies",
    r"\Leftarrow": "implied by", r"\impliedby": "implied by", r"\Longleftarrow": "implied by",
    r"\iff": "iff", r"\Leftrightarrow": "iff", r"\Longleftrightarrow": "iff", r"\leftrightarrow": "iff",
    r"\subset": "subset", r"\subseteq": "subset", r"\subsetneq": "proper subset", r"\nsubseteq": "not subset",
    r"\supset": "superset", r"\supseteq": "superset", r"\supsetneq": "proper superset",
    r"\nsupseteq": "not superset", r"\doteq": "~", r"\coloneqq": "=",
}  # fmt: skip
NEGATED = {
    "=": "!=", "!=": "=", "in": "not in", "<": ">=", ">": "<=", "<=": ">", ">=": "<",
}  # fmt: skip
"""What a stroke through a sign of relation makes of it; of any other sign, `not` and its name."""

CONVERSES = {
    "<": ">", "<=": ">=", "subset": "superset", "proper subset": "proper superset", "in": "holds", "to": "from",
    "implies": "implied by",
}  # fmt: skip
CONVERSES |= {right: left for left, right in CONVERSES.items()}
SYMMETRIC = frozenset(("=", "!=", "~", "equiv", "sim", "cong", "perp", "parallel", "iff"))
SET_OPERATIONS = {sign: name for name, each in OPERATIONS.items() if each.kind == "set" for sign in each.signs}
TIMES = frozenset(OPERATIONS["mul"].signs)
OVER = frozenset(OPERATIONS["div"].signs)
MODULO = frozenset(OPERATIONS["mod"].signs)
MODULI = frozenset(OPERATIONS["residue"].signs)
PLUS_MINUS = {sign: name for name in ("add", "neg", "pm", "mp") for sign in OPERATIONS[name].signs}
NAMED_SETS = {"R": "reals", "Z": "integers", "N": "naturals", "Q": "rationals", "C": "complexes"}
OPENINGS = {"(": "(", "[": "[", r"\lbrack": "[", r"\langle": "<", r"\lparen": "("}
CLOSINGS = {")": ")", "]": "]", r"\rbrack": "]", r"\rangle": ">", r"\rparen": ")"}
BARS = frozenset({"|", r"\vert", r"\lvert", r"\rvert", r"\Vert", r"\|", r"\lVert", r"\rVert"})
STYLES = frozenset(
    r"\mathbf \mathit \mathsf \mathcal \boldsymbol \bm \vec \overrightarrow \hat \overline \bar \tilde \widehat "
    r"\widetilde \dot \ddot \boxed \fbox \framebox \underline \ensuremath \mathstrut \overset \pmb \mathfrak "
    r"\mathscr \emph \bold \textcolor \small \bf \it \Large \large "
    r"\LARGE \huge \Huge \tiny \normalsize \cancel \mathnormal \displaylimits \mathord".split()
)
MARKED = {
    r"\dot": "dot",
    r"\ddot": "ddot",
    r"\vec": "",
    r"\overrightarrow": "",
    r"\hat": "hat",
    r"\overline": "bar",
    r"\bar": "bar",
    r"\tilde": "tilde",
}
ANGLES = frozenset({r"\angle", r"\measuredangle"})
FIGURES = frozenset({r"\triangle", r"\odot"})
VECTORS = frozenset({r"\vec", r"\overrightarrow", r"\mathbf", r"\boldsymbol", r"\bm", r"\pmb"})
"""Styles in which a letter is a vector, so that `\\times` before it is no multiplication."""

CALLABLE = frozenset("fghFGHPQpqTSV") | {r"\phi", r"\varphi", r"\psi", r"\Gamma", r"\zeta"}
AND_OR = {
    "and": "and",
    "or": "or",
    "&": "and",
    r"\land": "and",
    r"\lor": "or",
    r"\wedge": "and",
    r"\vee": "or",
    r"\&": "and",
}
NUMBER_WORDS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
} | dict(zip("thirty forty fifty sixty seventy eighty ninety hundred".split(), range(30, 101, 10), strict=True))
FRACTIONS = frozenset(OPERATIONS["div"].commands)
BINOMIALS = frozenset(OPERATIONS["binom"].commands)
BIG = {command: name for name, each in OPERATIONS.items() if each.binds for command in each.commands}
ROUNDED = {each.brackets[0]: (name, each.brackets[1]) for name, each in OPERATIONS.items() if each.brackets}
CONSTANTS_BY_COMMAND: dict[str, Value] = {
    r"\pi": PI, r"\infty": INFINITY, r"\emptyset": SetOf(()), r"\varnothing": SetOf(()), r"\imath": IMAGINARY,
    r"\jmath": Sym("j"),
    r"\ldots": Sym("..."), r"\dots": Sym("..."), r"\cdots": Sym("..."), r"\R": Sym("reals"), r"\degree": Sym("degree"),
    r"\oslash": SetOf(()),
}  # fmt: skip
SIGNS = frozenset(
    r"\lbrace \rbrace \end \begin \over \choose \lfloor \rfloor \lceil \rceil \circ \cr \mod \bmod \pmod \colon "
    r"\not \prime \hline \mathbb \color \lim \top".split()
)
ENDINGS = frozenset(
    r"\} \rbrace \\ \end \over \choose \rfloor \rceil \mid \% \circ \cr \colon \not \prime \hline".split()
).union(PLUS_MINUS, TIMES, OVER, MODULO, MODULI, AND_OR, RELATIONS, SET_OPERATIONS, CLOSINGS)
"""Commands that begin no factor, so that a product ends before them."""

BARE_COMMANDS = {command[1:]: command for command in (r"\frac", r"\dfrac", r"\tfrac", r"\binom")}
"""Commands that are understood without their backslash too."""

KNOWN_COMMANDS = frozenset(
    {*GREEK, *STYLES, *RELATIONS, *SET_OPERATIONS, *TIMES, *OVER, *PLUS_MINUS, *OPENINGS, *CLOSINGS, *BARS, *AND_OR}
    | {f"\\{name}" for name in FUNCTIONS | SYNONYMS.keys()}
    | {*ANGLES, *FIGURES, *FRACTIONS, *BINOMIALS, *BIG, *CONSTANTS_BY_COMMAND, *SIGNS}
    | {r"\inf", r"\sup", r"\neg"}  # not parsed, but not to be taken apart either
)
SENTENCE_WORDS = frozenset(
    "the is are was were be been we he she it they that this these those so then thus hence therefore there here "
    "has have had for which what will would can could not by as at on with from when where because since let our "
    "its his her their into you must should may find get only just also each every both".split()
)
"""Words that an answer does not begin with, and no variables have: what holds them is a sentence."""
