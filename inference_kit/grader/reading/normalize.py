r"""One spelling for the many ways of writing the same signs: Unicode becomes LaTeX.

Why: `½`, `x²`, `−7`, `√2`, `４２` are answers like any other; the parser should know one form only.
Promises: superscripts and vulgar fractions are read before NFKC (which would turn x² into x2); idempotent; linear.
"""

import re
import unicodedata

SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱˣ", "0123456789+-=()nix", strict=True))
SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₙₖ", "0123456789+-=()nk", strict=True))
RAISED = re.compile(f"[{''.join(SUPERSCRIPTS)}]+")
LOWERED = re.compile(f"[{''.join(SUBSCRIPTS)}]+")
VULGAR_FRACTION = re.compile("[¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞]")
ROOT = re.compile(r"([√∛∜])\s*(\d+(?:\.\d+)?|[a-zA-Z]|)")
ROOTS = {"√": r"\sqrt", "∛": r"\sqrt[3]", "∜": r"\sqrt[4]"}
INVISIBLE = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff]"
)

SIGNS = {
    **dict.fromkeys("−–—‒‐‑﹣－", "-"),
    **dict.fromkeys("×✕✖", r"\times "),
    **dict.fromkeys("·⋅∙•∗", r"\cdot "),
    **dict.fromkeys("‘’′", "'"),
    **dict.fromkeys("，、﹐", ","),
    **dict.fromkeys("（﹙", "("),
    **dict.fromkeys("）﹚", ")"),
    **dict.fromkeys("【〔", "["),
    **dict.fromkeys("】〕", "]"),
    **dict.fromkeys("⟨〈《", r"\langle "),
    **dict.fromkeys("⟩〉》", r"\rangle "),
    **dict.fromkeys("°º˚", r"^\circ "),
    **dict.fromkeys("∅⌀Ø", r"\emptyset "),
    **dict.fromkeys("πΠ𝜋𝝅", r"\pi "),
    **dict.fromkeys("≤≦⩽", r"\le "),
    **dict.fromkeys("≥≧⩾", r"\ge "),
    **dict.fromkeys("⌊", r"\lfloor "),
    **dict.fromkeys("⌋", r"\rfloor "),
    **dict.fromkeys("⌈", r"\lceil "),
    **dict.fromkeys("⌉", r"\rceil "),
    **dict.fromkeys("→⟶", r"\to "),
    **dict.fromkeys("⇒⟹", r"\Rightarrow "),
    "÷": r"\div ",
    "／": "/",
    "⁄": "/",
    "∶": ":",
    "：": ":",
    "；": ";",
    "。": ".",
    "％": r"\%",
    "≠": r"\ne ",
    "≈": r"\approx ",
    "≡": r"\equiv ",
    "Å": r"\text{ Å}",
    "¢": r"\text{ cents}",
    "±": r"\pm ",
    "∓": r"\mp ",
    "∞": r"\infty ",
    "∈": r"\in ",
    "∉": r"\notin ",
    "∋": r"\ni ",
    "⊂": r"\subset ",
    "⊆": r"\subseteq ",
    "⊊": r"\subsetneq ",
    "⊃": r"\supset ",
    "⊇": r"\supseteq ",
    "∧": r"\land ",
    "∨": r"\lor ",
    "⇔": r"\iff ",
    "↔": r"\iff ",
    "⇐": r"\Leftarrow ",
    "⊥": r"\perp ",
    "∤": r"\nmid ",
    "∪": r"\cup ",
    "∩": r"\cap ",
    "∖": r"\setminus ",
    "ℝ": r"\mathbb{R}",
    "ℤ": r"\mathbb{Z}",
    "ℕ": r"\mathbb{N}",
    "ℚ": r"\mathbb{Q}",
    "ℂ": r"\mathbb{C}",
    "…": r"\ldots ",
    "″": "''",
    "ℓ": r"\ell ",
    "∑": r"\sum ",
    "∏": r"\prod ",
    "∫": r"\int ",
    "∂": r"\partial ",
    "∣": "|",
    "∥": "|",
    "∠": r"\angle ",
    "△": r"\triangle ",
    "度": r"^\circ ",
    "或": " or ",
    "和": " and ",
    "且": " and ",
    "“": '"',
    "”": '"',
}
GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi "
    "psi omega"
)
SIGNS |= {letter: f"\\{name} " for letter, name in zip("αβγδεζηθικλμνξοπρστυφχψω", GREEK.split(), strict=True)}
SIGNS |= {
    letter: f"\\{name} "
    for letter, name in zip(
        "ΓΔΘΛΞΣΦΨΩϕϵ", "Gamma Delta Theta Lambda Xi Sigma Phi Psi Omega phi epsilon".split(), strict=True
    )
}
TRANSLATION = str.maketrans(SIGNS)


def to_latex(text: str) -> str:
    """Rewrite Unicode signs as LaTeX; what is ASCII stays as it is."""
    if text.isascii():
        return INVISIBLE.sub("", text)
    text = INVISIBLE.sub("", text)
    text = RAISED.sub(lambda run: "^{" + "".join(SUPERSCRIPTS[sign] for sign in run.group()) + "}", text)
    text = LOWERED.sub(lambda run: "_{" + "".join(SUBSCRIPTS[sign] for sign in run.group()) + "}", text)
    text = VULGAR_FRACTION.sub(_write_fraction, text)
    text = ROOT.sub(lambda root: ROOTS[root.group(1)] + (f"{{{root.group(2)}}}" if root.group(2) else ""), text)
    text = unicodedata.normalize("NFKC", text.translate(TRANSLATION)).translate(TRANSLATION)
    return "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in text)


def _write_fraction(sign: re.Match[str]) -> str:
    """Write a vulgar fraction as LaTeX: NFKC turns ½ into 1⁄2."""
    numerator, _, denominator = unicodedata.normalize("NFKC", sign.group()).partition("⁄")
    return f"\\frac{{{numerator}}}{{{denominator}}}"
