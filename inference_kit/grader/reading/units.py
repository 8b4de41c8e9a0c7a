"""Units of measure, by symbol and by word.

Why: `5 cm`, `5\\text{ centimeters}` and `5` name the same length in an answer; `5 k` is a product.
Promises: one name for each unit; words that are no known unit are kept as they stand.
"""

import re

from inference_kit.grader.vocabulary import LETTER_NAMES

UNITS = {
    "mm": "millimeter millimeters millimetre millimetres",
    "cm": "centimeter centimeters centimetre centimetres",
    "dm": "decimeter decimeters",
    "m": "meter meters metre metres",
    "km": "kilometer kilometers kilometre kilometres kms",
    "in": "inch inches",
    "ft": "foot feet",
    "yd": "yard yards yds",
    "mi": "mile miles",
    "g": "gram grams",
    "mg": "milligram milligrams",
    "kg": "kilogram kilograms kgs",
    "lb": "pound pounds lbs",
    "oz": "ounce ounces",
    "t": "ton tons tonne tonnes",
    "s": "second seconds sec secs",
    "min": "minute minutes mins",
    "h": "hour hours hr hrs",
    "day": "days",
    "week": "weeks",
    "month": "months",
    "year": "years yr yrs",
    "L": "liter liters litre litres",
    "mL": "milliliter milliliters ml",
    "mph": "",
    "km/h": "kmh kph",
    "dollar": "dollars usd bucks",
    "cent": "cents",
    "euro": "euros eur",
    "yuan": "rmb",
    "rupee": "rupees rs",
    "peso": "pesos",
    "degree": "degrees deg",
    "radian": "radians rad",
    "unit": "units",
    "percent": "pct percentage",
    "N": "newton newtons",
    "J": "joule joules",
    "W": "watt watts",
    "V": "volt volts",
    "Hz": "hertz",
    "Pa": "pascal",
    "K": "kelvin",
    "mol": "moles mole",
    "gal": "gallon gallons",
    "pt": "point points pts",
}
NAMES = {word: name for name, words in UNITS.items() for word in [name, *words.split()]}
SINGLE_LETTERS = frozenset("mgsLhNJWVK")
COMPOUND = re.compile(
    r"(?<=[\d}\s])(?:km|cm|mm|m|ft|mi|miles|kg|g|mg|L|mL|J|N|W|V|lb|gal|dollars|cents)\s?/\s?(?:s|sec|h|hr|hour|min|m|km|L|kg|g|K|day|year)"
    r"(?:\s?\^\s?\{?\d\}?)?(?![A-Za-z])"
)
NO_UNITS = frozenset(
    "and or pi sin cos tan cot sec csc log ln exp sqrt abs mod inf infinity frac if for max min gcd lcm".split()
)
POWERS = (("square ", "^2"), ("sq. ", "^2"), ("sq ", "^2"), ("cubic ", "^3"), ("cu. ", "^3"))


def is_unit(word: str) -> bool:
    """Say whether a word after a number is a unit: a known one, or a word that can be nothing else."""
    if len(word) == 1:
        return False
    if word in NAMES or word.lower() in NAMES:
        return word not in NO_UNITS
    return len(word) >= 4 and word.lower() not in NO_UNITS and word.lower() not in LETTER_NAMES


def is_known_unit(word: str) -> bool:
    """Say whether a word is a unit by itself, also after a letter."""
    return (word in NAMES or word.lower() in NAMES) and word not in NO_UNITS


def name_unit(words: str) -> str:
    """Return the one spelling of a unit: `square centimeters`, `cm^2` and `sq. cm` agree."""
    words = re.sub(r"\s*([/^])\s*", r"\1", " ".join(words.replace("\\", "").split())).strip(" .,")
    words = re.sub(r"\s+per\s+", "/", words)
    for prefix, power in POWERS:
        if words.lower().startswith(prefix):
            words = words[len(prefix) :] + power
    return "/".join("^".join(_find_name(base) for base in part.split("^")) for part in words.split("/"))


def _find_name(word: str) -> str:
    return NAMES.get(word, NAMES.get(word.lower(), word.lower()))
