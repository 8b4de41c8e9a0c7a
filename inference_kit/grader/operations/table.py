r"""The table of operations: one entry holds all that an operation is, from its LaTeX to its proof.

Why: an operation that the parser knows and a proof does not, or that two proofs know otherwise, is a wrong verdict; in
one entry this cannot happen unseen, and a new operation is one entry.
Promises: constants only; nothing heavy is imported; the meanings of an entry agree with each other.
"""

import math
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from inference_kit.grader.operations import complexes, constructors, rationals, residues
from inference_kit.grader.operations.operation import Operation

SEVERAL: tuple[int, ...] = ()
"""The arity of what takes one or more arguments."""

_ARITHMETIC: dict[str, Operation] = {
    "add": Operation(
        signs=("+",),
        arity=SEVERAL,
        exact=rationals.add,
        number=lambda at, *terms: at.add(*terms),
        residue=residues.add,
        sympy=constructors.by_name("Add"),
    ),
    "neg": Operation(
        signs=("-",),
        exact=lambda a: -a,
        number=lambda at, a: -a,
        residue=residues.negate,
        sympy=lambda sympy, a: -a,
    ),
    "mul": Operation(
        signs=("*", r"\cdot", r"\times", r"\ast", r"\bullet", r"\centerdot"),
        arity=SEVERAL,
        exact=rationals.multiply,
        number=lambda at, *factors: math.prod(factors[1:], start=factors[0]),
        residue=residues.multiply,
        sympy=constructors.by_name("Mul"),
    ),
    "div": Operation(
        commands=(r"\frac", r"\dfrac", r"\tfrac", r"\cfrac"),
        signs=("/", r"\div"),
        arity=(2,),
        exact=lambda a, b: a / b,
        number=complexes.divide,
        residue=residues.divide,
        sympy=lambda sympy, a, b: a / b,
    ),
    "pow": Operation(
        signs=("^", "**"),
        arity=(2,),
        exact=rationals.raise_to,
        number=lambda at, power: at.power(power),
        unevaluated=True,
        residue=lambda values, power: values.power(power),
        sympy=constructors.power,
    ),
    "root": Operation(
        functions=("sqrt",),
        arity=(2,),
        domain="part",
        exact=rationals.take_root,
        number=complexes.take_root,
        residue=lambda values, root: values.root(root),
        sympy=constructors.root,
    ),
    "abs": Operation(
        functions=("abs",),
        exact=abs,
        number=lambda at, a: abs(a),
        sympy=constructors.by_name("Abs"),
    ),
    "percent": Operation(
        signs=("%", r"\%"),
        exact=lambda a: a / 100,
        number=lambda at, a: a / 100,
        residue=residues.take_hundredth,
        sympy=lambda sympy, a: a / 100,
    ),
    "degree": Operation(
        number=lambda at, a: a * at.library.pi / 180,
        sympy=lambda sympy, a: a * sympy.pi / 180,
    ),
    "max": Operation(
        functions=("max",),
        arity=SEVERAL,
        exact=lambda *numbers: max(numbers),
        number=complexes.chosen_by(max),
        sympy=constructors.by_name("Max"),
    ),
    "min": Operation(
        functions=("min",),
        arity=SEVERAL,
        exact=lambda *numbers: min(numbers),
        number=complexes.chosen_by(min),
        sympy=constructors.by_name("Min"),
    ),
}

_WHOLE_NUMBERS: dict[str, Operation] = {
    "gcd": Operation(
        functions=("gcd", "GCD", "hcf"),
        arity=SEVERAL,
        domain="whole",
        exact=rationals.of_whole_numbers(math.gcd),
        sympy=constructors.of_several("gcd"),
    ),
    "lcm": Operation(
        functions=("lcm", "LCM"),
        arity=SEVERAL,
        domain="whole",
        exact=rationals.of_whole_numbers(math.lcm),
        sympy=constructors.of_several("lcm"),
    ),
    "mod": Operation(
        signs=(r"\mod", r"\bmod", r"\pmod"),
        arity=(2,),
        domain="whole",
        exact=lambda a, b: a % b,
        sympy=constructors.by_name("Mod"),
    ),
    "floor": Operation(
        functions=("floor",),
        brackets=(r"\lfloor", r"\rfloor"),
        domain="whole",
        exact=lambda a: Fraction(math.floor(a)),
        number=complexes.rounded_by(math.floor),
        sympy=constructors.by_name("floor"),
    ),
    "ceil": Operation(
        functions=("ceil", "ceiling"),
        brackets=(r"\lceil", r"\rceil"),
        domain="whole",
        exact=lambda a: Fraction(math.ceil(a)),
        number=complexes.rounded_by(math.ceil),
        sympy=constructors.by_name("ceiling"),
    ),
    "factorial": Operation(
        signs=("!",),
        domain="whole",
        exact=rationals.factorial,
        number=complexes.factorial,
        sympy=constructors.factorial,
    ),
    "factorial2": Operation(
        signs=("!!",),
        domain="whole",
        exact=rationals.double_factorial,
        sympy=constructors.by_name("factorial2"),
    ),
    "binom": Operation(
        commands=(r"\binom", r"\dbinom", r"\tbinom"),
        arity=(2,),
        domain="whole",
        exact=rationals.binomial,
        number=complexes.binomial,
        sympy=constructors.by_name("binomial"),
    ),
}

_LOGARITHMS: dict[str, Operation] = {
    "ln": Operation(
        functions=("ln",),
        domain="part",
        number=lambda at, a: complexes.logarithm(at, a, at.library.e),
        sympy=constructors.by_name("log"),
    ),
    "log": Operation(
        functions=("log",),
        arity=(1, 2),
        domain="part",
        exact=rationals.logarithm,
        number=complexes.logarithm,
        sympy=constructors.by_name("log"),
    ),
    "log10": Operation(
        functions=("lg",),
        domain="part",
        exact=lambda a: rationals.logarithm(a, Fraction(10)),
        number=lambda at, a: complexes.logarithm(at, a, 10),
        sympy=lambda sympy, a: sympy.log(a, 10),
    ),
    "exp": Operation(functions=("exp",)),
}
"""The parser turns `exp(x)` into e^x, so that it has no meaning of its own."""


def _function(*names: str, number: Any, sympy: str, partial: bool = False, inverse: str | None = None) -> Operation:
    """Describe a function of one number that has no rational values worth an exact meaning."""
    return Operation(
        functions=names,
        domain="part" if partial else "all",
        inverse=inverse,
        number=number,
        sympy=constructors.by_name(sympy),
    )


_NAMED, _INVERSE_OF, _OF_INVERSE = complexes.by_name, complexes.inverse_of, complexes.of_inverse

_FUNCTIONS: dict[str, Operation] = {
    "sin": _function("sin", number=_NAMED("sin"), sympy="sin", inverse="arcsin"),
    "cos": _function("cos", number=_NAMED("cos"), sympy="cos", inverse="arccos"),
    "tan": _function("tan", "tg", number=_NAMED("tan"), sympy="tan", inverse="arctan"),
    "cot": _function("cot", "ctg", number=_INVERSE_OF("tan"), sympy="cot", inverse="arccot"),
    "sec": _function("sec", number=_INVERSE_OF("cos"), sympy="sec", inverse="arcsec"),
    "csc": _function("csc", "cosec", number=_INVERSE_OF("sin"), sympy="csc", inverse="arccsc"),
    "arcsin": _function("arcsin", "asin", number=_NAMED("asin"), sympy="asin", partial=True),
    "arccos": _function("arccos", "acos", number=_NAMED("acos"), sympy="acos", partial=True),
    "arctan": _function("arctan", "atan", "arctg", number=_NAMED("atan"), sympy="atan"),
    "arccot": _function("arccot", number=_OF_INVERSE("atan"), sympy="acot"),
    "arcsec": _function("arcsec", number=_OF_INVERSE("acos"), sympy="asec", partial=True),
    "arccsc": _function("arccsc", number=_OF_INVERSE("asin"), sympy="acsc", partial=True),
    "sinh": _function("sinh", number=_NAMED("sinh"), sympy="sinh", inverse="arsinh"),
    "cosh": _function("cosh", number=_NAMED("cosh"), sympy="cosh", inverse="arcosh"),
    "tanh": _function("tanh", number=_NAMED("tanh"), sympy="tanh", inverse="artanh"),
    "coth": _function("coth", number=_INVERSE_OF("tanh"), sympy="coth"),
    "sech": _function("sech", number=_INVERSE_OF("cosh"), sympy="sech"),
    "csch": _function("csch", number=_INVERSE_OF("sinh"), sympy="csch"),
    "arsinh": _function("arsinh", "arcsinh", "asinh", number=_NAMED("asinh"), sympy="asinh"),
    "arcosh": _function("arcosh", "arccosh", "acosh", number=_NAMED("acosh"), sympy="acosh", partial=True),
    "artanh": _function("artanh", "arctanh", "atanh", number=_NAMED("atanh"), sympy="atanh", partial=True),
    "Re": Operation(functions=("Re",), number=lambda at, a: complexes.real_part(a)),
    "Im": Operation(functions=("Im",), number=lambda at, a: a.imag if hasattr(a, "imag") else 0),
    "arg": Operation(functions=("arg", "Arg"), sympy=constructors.by_name("arg")),
    "sgn": Operation(functions=("sgn", "sign"), sympy=constructors.by_name("sign")),
    "deg": Operation(functions=("deg",)),
    "dim": Operation(functions=("dim",)),
}

_BOUNDED: dict[str, Operation] = {
    "sum": Operation(
        commands=(r"\sum",),
        arity=(4,),
        domain="whole",
        binds=True,
        number=lambda at, series: at.series(series),
        unevaluated=True,
        sympy=constructors.bounded("Sum"),
    ),
    "product": Operation(
        commands=(r"\prod",),
        arity=(4,),
        domain="whole",
        binds=True,
        number=lambda at, series: at.series(series),
        unevaluated=True,
        sympy=constructors.bounded("Product"),
    ),
    "integral": Operation(commands=(r"\int",), arity=(2, 4), binds=True, sympy=constructors.bounded("Integral")),
    "limit": Operation(commands=(r"\lim",), arity=(3,), binds=True, sympy=constructors.by_name("limit")),
    "bigunion": Operation(commands=(r"\bigcup",), arity=(4,), binds=True, kind="set"),
    "bigintersection": Operation(commands=(r"\bigcap",), arity=(4,), binds=True, kind="set"),
}

_STRUCTURES: dict[str, Operation] = {
    "union": Operation(signs=(r"\cup", r"\bigcup"), arity=(2,), kind="set"),
    "intersection": Operation(signs=(r"\cap", r"\bigcap"), arity=(2,), kind="set"),
    "difference": Operation(signs=(r"\setminus", r"\backslash", r"\smallsetminus"), arity=(2,), kind="set"),
    "pm": Operation(signs=(r"\pm", "+/-", "+-"), kind="structure"),
    "mp": Operation(signs=(r"\mp",), kind="structure"),
    "det": Operation(functions=("det",), kind="structure"),
    "transpose": Operation(kind="structure"),
}

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    _ARITHMETIC | _WHOLE_NUMBERS | _LOGARITHMS | _FUNCTIONS | _BOUNDED | _STRUCTURES
)
"""Every operation by its name, which is the head of its `Apply`; `call:f` and `prime1` are families, and not here."""
