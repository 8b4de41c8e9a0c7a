r"""The ways of writing a modulus, as one: `(mod 12)`, `(\text{mod } 12)`, `\mod 12` and `modulo 12` are `\pmod{12}`.

Why: only one of them is a command that the parser can know; the others look like a product in brackets.
Promises: linear; a remainder, `17 \bmod 5`, stays one.
"""

import re

WORD = r"(?:\\(?:text|mathrm|operatorname)\s*\{\s*mod(?:ulo)?[\s~]*\}|\\[pb]?mod(?![a-z])|\bmod(?:ulo)?\b)"
BRACKETED = re.compile(
    rf"\(\s*{WORD}\s*\\?[~,;]?\s*([^()]{{1,60}})\)|\\text\s*\{{\s*\(\s*mod(?:ulo)?[\s~]*\}}\s*([^()]{{1,60}})\)"
    r"|\\text\s*\{\s*\(\s*mod(?:ulo)?\s+([^(){}]{1,60})\)\s*\}"
)
BARE = re.compile(r"\\(?:text|mathrm|operatorname)\s*\{\s*mod(?:ulo)?[\s~]*\}|(?<![\\A-Za-z])mod(?:ulo)?(?![a-z])")


def write_moduli(text: str) -> str:
    """Write every modulus in brackets as `\\pmod`, and the word without brackets as `\\mod`."""
    text = BRACKETED.sub(lambda found: f"\\pmod{{{next(filter(None, found.groups()))}}}", text)
    return BARE.sub(r"\\mod ", text)
