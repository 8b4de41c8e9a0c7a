r"""Signs of currency, written as units behind the amount: `\$5` is `5\text{ dollar}`.

Why: 5 dollars and 5 euros are two answers, but most answers that are money are given without their currency.
Promises: linear; a dollar that is a sign of TeX is taken off; only amounts in figures get a currency.
"""

import re

SIGNS = {
    r"\$": "dollar", "$": "dollar", r"\textdollar": "dollar", "USD": "dollar",
    "€": "euro", r"\euro": "euro", r"\texteuro": "euro", "EUR": "euro",
    "£": "pound", r"\pounds": "pound", "GBP": "pound",
    "₹": "rupee", "Rs": "rupee", "Rs.": "rupee", "INR": "rupee", "¥": "yuanoryen", r"\yen": "yuanoryen",
}  # fmt: skip
"""Each sign of currency and its unit."""

SIGN = r"\\\$|\$|€|£|¥|₹|\\(?:textdollar|pounds|euro|texteuro|yen)(?![A-Za-z])"
CURRENCY = re.compile(rf"\b(?:US|A|C)(?=\\?\$)|{SIGN}|\b(?:USD|EUR|GBP|INR|Rs\.?)(?=\s*\d)")
GROUPS = r"\d{1,3}(?:(?:,\\!|\{,\}|\\,|\\!|,)\d{3})+"
AMOUNT = rf"[-+]?\s?(?:{GROUPS}|\d+)(?:\.\d+)?(?![\d.]|,\d|,\\!\d)"
SCALE = r"(?:\s?(?:thousand|million|billion|trillion)\b)?"
ENDS = r"(?=\s*(?:$|[,;.)}]|\\text|\\mathrm|/|[a-z]{2}|\\[,;: ]))"
PRICE = re.compile(
    rf"(?:\b(?:US|A|C))?(?P<sign>{SIGN}|\b(?:USD|EUR|GBP|INR|Rs\.?)(?=\s*\d))\s?(?P<amount>{AMOUNT}{SCALE}){ENDS}"
)
LETTER_SCALE = re.compile(rf"(?P<price>(?:{SIGN})\s?{AMOUNT})\s?(?P<letter>[KMB])\b")
LETTERS = {"K": "thousand", "M": "million", "B": "billion"}
TRAILING = re.compile(r"(?<=\d)\s?(?P<sign>€|£|₹|¥|\\euro(?![A-Za-z]))")
LONGEST = 400


def name_currencies(text: str) -> str:
    """Write prices with their currency as a unit; take off every other sign of currency, and dollars of TeX."""
    if CURRENCY.search(text) is None:
        return text
    if len(text) <= LONGEST:
        scaled = LETTER_SCALE.sub(lambda price: f"{price['price']} {LETTERS[price['letter']]}", text)
        named = TRAILING.sub(_name_trailing, PRICE.sub(_name_price, scaled))
        if CURRENCY.search(named) is None and "$" not in named:
            return named
    return CURRENCY.sub("", text)


def _name_price(price: re.Match[str]) -> str:
    return f"{price['amount']} \\text{{ {SIGNS[price['sign']]} }}"


def _name_trailing(sign: re.Match[str]) -> str:
    return f" \\text{{ {SIGNS[sign['sign']]} }}"
