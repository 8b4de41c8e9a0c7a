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
        sympy=constructors.make_call("Add"),
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
        sympy=constructors.make_call("Mul"),
    ),
    "div": Operation(
        commands=(r"\frac", r"\dfrac", r"\tfrac", r"\cfrac", r"\nicefrac", r"\sfrac", r"\flatfrac"),
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
        sympy=constructors.make_call("Abs"),
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
        number=complexes.make_choice(max),
        sympy=constructors.make_call("Max"),
    ),
    "min": Operation(
        functions=("min",),
        arity=SEVERAL,
        exact=lambda *numbers: min(numbers),
        number=complexes.make_choice(min),
        sympy=constructors.make_call("Min"),
    ),
}

_WHOLE_NUMBERS: dict[str, Operation] = {
    "gcd": Operation(
        functions=("gcd", "GCD", "hcf"),
        arity=SEVERAL,
        domain="whole",
        exact=rationals.restrict_to_whole(math.gcd),
        sympy=constructors.make_of_several("gcd"),
    ),
    "lcm": Operation(
        functions=("lcm", "LCM"),
        arity=SEVERAL,
        domain="whole",
        exact=rationals.restrict_to_whole(math.lcm),
        sympy=constructors.make_of_several("lcm"),
    ),
    "mod": Operation(
        signs=(r"\bmod",),
        arity=(2,),
        domain="whole",
        exact=lambda a, b: a % b,
        sympy=constructors.make_call("Mod"),
    ),
    "floor": Operation(
        functions=("floor",),
        brackets=(r"\lfloor", r"\rfloor"),
        domain="whole",
        exact=lambda a: Fraction(math.floor(a)),
        number=complexes.make_rounding(math.floor),
        sympy=constructors.make_call("floor"),
    ),
    "ceil": Operation(
        functions=("ceil", "ceiling"),
        brackets=(r"\lceil", r"\rceil"),
        domain="whole",
        exact=lambda a: Fraction(math.ceil(a)),
        number=complexes.make_rounding(math.ceil),
        sympy=constructors.make_call("ceiling"),
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
        sympy=constructors.make_call("factorial2"),
    ),
    "binom": Operation(
        commands=(r"\binom", r"\dbinom", r"\tbinom"),
        arity=(2,),
        domain="whole",
        exact=rationals.binomial,
        number=complexes.binomial,
        sympy=constructors.make_call("binomial"),
    ),
}

_LOGARITHMS: dict[str, Operation] = {
    "ln": Operation(
        functions=("ln",),
        domain="part",
        number=lambda at, a: complexes.logarithm(at, a, at.library.e),
        sympy=constructors.make_call("log"),
    ),
    "log": Operation(
        functions=("log",),
        arity=(1, 2),
        domain="part",
        exact=rationals.logarithm,
        number=complexes.logarithm,
        sympy=constructors.make_call("log"),
    ),
    "log10": Operation(
        functions=("lg",),
        domain="part",
        exact=lambda a: rationals.logarithm(a, Fraction(10)),
        number=lambda at, a: complexes.logarithm(at, a, 10),
        sympy=lambda sympy, a: sympy.log(a, 10),
    ),
    "exp": Operation(functions=("exp",)),
    "cis": Operation(functions=("cis",)),
}
"""The parser turns `exp(x)` into e^x and `cis x` into e^(ix), so that these have no meaning of their own."""


def _describe_function(
    *names: str, number: Any, sympy: str, partial: bool = False, inverse: str | None = None
) -> Operation:
    """Describe a function of one number that has no rational values worth an exact meaning."""
    return Operation(
        functions=names,
        domain="part" if partial else "all",
        inverse=inverse,
        number=number,
        sympy=constructors.make_call(sympy),
    )


_CALL, _RECIPROCAL, _OF_RECIPROCAL = complexes.make_call, complexes.make_reciprocal, complexes.make_of_reciprocal

_FUNCTIONS: dict[str, Operation] = {
    "sin": _describe_function("sin", number=_CALL("sin"), sympy="sin", inverse="arcsin"),
    "cos": _describe_function("cos", number=_CALL("cos"), sympy="cos", inverse="arccos"),
    "tan": _describe_function("tan", "tg", number=_CALL("tan"), sympy="tan", inverse="arctan"),
    "cot": _describe_function("cot", "ctg", number=_RECIPROCAL("tan"), sympy="cot", inverse="arccot"),
    "sec": _describe_function("sec", number=_RECIPROCAL("cos"), sympy="sec", inverse="arcsec"),
    "csc": _describe_function("csc", "cosec", number=_RECIPROCAL("sin"), sympy="csc", inverse="arccsc"),
    "arcsin": _describe_function("arcsin", "asin", number=_CALL("asin"), sympy="asin", partial=True),
    "arccos": _describe_function("arccos", "acos", number=_CALL("acos"), sympy="acos", partial=True),
    "arctan": _describe_function("arctan", "atan", "arctg", number=_CALL("atan"), sympy="atan"),
    "arccot": _describe_function("arccot", number=_OF_RECIPROCAL("atan"), sympy="acot"),
    "arcsec": _describe_function("arcsec", number=_OF_RECIPROCAL("acos"), sympy="asec", partial=True),
    "arccsc": _describe_function("arccsc", number=_OF_RECIPROCAL("asin"), sympy="acsc", partial=True),
    "sinh": _describe_function("sinh", number=_CALL("sinh"), sympy="sinh", inverse="arsinh"),
    "cosh": _describe_function("cosh", number=_CALL("cosh"), sympy="cosh", inverse="arcosh"),
    "tanh": _describe_function("tanh", number=_CALL("tanh"), sympy="tanh", inverse="artanh"),
    "coth": _describe_function("coth", number=_RECIPROCAL("tanh"), sympy="coth"),
    "sech": _describe_function("sech", number=_RECIPROCAL("cosh"), sympy="sech"),
    "csch": _describe_function("csch", number=_RECIPROCAL("sinh"), sympy="csch"),
    "arsinh": _describe_function("arsinh", "arcsinh", "asinh", number=_CALL("asinh"), sympy="asinh"),
    "arcosh": _describe_function("arcosh", "arccosh", "acosh", number=_CALL("acosh"), sympy="acosh", partial=True),
    "artanh": _describe_function("artanh", "arctanh", "atanh", number=_CALL("atanh"), sympy="atanh", partial=True),
    "Re": Operation(functions=("Re",), number=lambda at, a: complexes.real_part(a)),
    "Im": Operation(functions=("Im",), number=lambda at, a: a.imag if hasattr(a, "imag") else 0),
    "arg": Operation(functions=("arg", "Arg"), sympy=constructors.make_call("arg")),
    "sgn": Operation(functions=("sgn", "sign"), sympy=constructors.make_call("sign")),
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
        sympy=constructors.make_bounded("Sum"),
    ),
    "product": Operation(
        commands=(r"\prod",),
        arity=(4,),
        domain="whole",
        binds=True,
        number=lambda at, series: at.series(series),
        unevaluated=True,
        sympy=constructors.make_bounded("Product"),
    ),
    "integral": Operation(commands=(r"\int",), arity=(2, 4), binds=True, sympy=constructors.make_bounded("Integral")),
    "limit": Operation(commands=(r"\lim",), arity=(3,), binds=True, sympy=constructors.make_call("limit")),
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
    "residue": Operation(signs=(r"\pmod", r"\mod"), arity=(2,), kind="structure"),
}

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    _ARITHMETIC | _WHOLE_NUMBERS | _LOGARITHMS | _FUNCTIONS | _BOUNDED | _STRUCTURES
)
"""Every operation by its name, which is the head of its `Apply`; `call:f` and `prime1` are families, and not here."""
