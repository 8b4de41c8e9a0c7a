"""Units of measure, by symbol and by word, and the products and quotients that are made of them.

Why: `5 cm`, `5\\text{ centimeters}` and `5` name the same length in an answer; `5 k` is a product. `km/h`,
`km per hour` and `km h^{-1}` are one unit, and `m/s` is another.
Promises: one name for each unit; words that are no known unit are kept as they stand.
"""

import re
from collections import Counter

from inference_kit.grader.vocabulary import LETTER_NAMES

UNITS = {
    "nm": "nanometer nanometers nanometre nanometres 纳米",
    "µm": "micrometer micrometers micrometre micrometres micron microns um 微米",
    "mm": "millimeter millimeters millimetre millimetres 毫米",
    "cm": "centimeter centimeters centimetre centimetres 厘米",
    "dm": "decimeter decimeters 分米",
    "m": "meter meters metre metres 米",
    "km": "kilometer kilometers kilometre kilometres kms 千米 公里",
    "in": "inch inches 英寸",
    "ft": "foot feet 英尺",
    "yd": "yard yards yds",
    "mi": "mile miles 英里",
    "Å": "angstrom angstroms",
    "ha": "hectare hectares 公顷",
    "acre": "acres",
    "g": "gram grams gm gms 克",
    "mg": "milligram milligrams 毫克",
    "µg": "microgram micrograms",
    "kg": "kilogram kilograms kgs 千克 公斤",
    "oz": "ounce ounces",
    "t": "ton tons tonne tonnes 吨",
    "s": "second seconds sec secs 秒",
    "ms": "millisecond milliseconds 毫秒",
    "µs": "microsecond microseconds",
    "ns": "nanosecond nanoseconds",
    "min": "minute minutes mins 分钟",
    "h": "hour hours hr hrs 小时",
    "day": "days 天",
    "week": "weeks 周",
    "month": "months 个月",
    "year": "years yr yrs 年 岁",
    "L": "liter liters litre litres 升",
    "mL": "milliliter milliliters millilitre millilitres ml 毫升",
    "dollar": "dollars usd bucks 美元",
    "cent": "cents",
    "euro": "euros eur 欧元",
    "pound": "pounds lb lbs gbp 英镑",  # of money and of mass: nobody means the other one beside it
    "yuan": "rmb cny 元",
    "rupee": "rupees rs inr",
    "peso": "pesos",
    "yen": "jpy 日元 円",
    "¥": "yuanoryen",  # one sign, two currencies
    "degree": "degrees deg",
    "radian": "radians rad rads",
    "unit": "units",
    "percent": "pct percentage",
    "N": "newton newtons 牛",
    "kN": "kilonewton kilonewtons",
    "J": "joule joules 焦耳",
    "kJ": "kilojoule kilojoules",
    "MJ": "megajoule megajoules",
    "cal": "calorie calories",
    "kcal": "kilocalorie kilocalories",
    "eV": "electronvolt electronvolts",
    "keV": "",
    "MeV": "",
    "GeV": "",
    "Wh": "",
    "kWh": "",
    "W": "watt watts 瓦",
    "mW": "milliwatt milliwatts",
    "kW": "kilowatt kilowatts 千瓦",
    "MW": "megawatt megawatts",
    "hp": "horsepower",
    "V": "volt volts 伏",
    "mV": "millivolt millivolts",
    "kV": "kilovolt kilovolts",
    "A": "amp amps ampere amperes 安",
    "mA": "milliamp milliamps milliampere milliamperes",
    "Ω": "Omega ohm ohms 欧姆",
    "kΩ": "kOmega kiloohm kiloohms kohm",
    "MΩ": "MOmega megaohm megaohms",
    "F": "farad farads",
    "µF": "microfarad microfarads",
    "T": "tesla teslas",
    "Hz": "hertz 赫兹",
    "kHz": "kilohertz",
    "MHz": "megahertz",
    "GHz": "gigahertz",
    "Pa": "pascal pascals 帕",
    "kPa": "kilopascal kilopascals",
    "MPa": "megapascal megapascals",
    "atm": "atmosphere atmospheres",
    "bar": "bars",
    "mmHg": "",
    "K": "kelvin kelvins",
    "°C": "celsius centigrade",
    "°F": "fahrenheit",
    "mol": "moles mole 摩尔",
    "rpm": "",
    "dB": "decibel decibels",
    "bit": "bits",
    "byte": "bytes",
    "MB": "megabyte megabytes",
    "GB": "gigabyte gigabytes",
    "gal": "gallon gallons",
    "pt": "point points pts",
}
NAMES = {word: name for name, words in UNITS.items() for word in [name, *words.split()]}
CURRENCIES = frozenset({"dollar", "euro", "pound", "rupee", "¥"})
COMPOSED = {"mph": "mi/h", "kph": "km/h", "kmh": "km/h", "fps": "ft/s", "mps": "m/s"}
SINGLE_LETTERS = frozenset("mgsLhNJWVK")
BEHIND_NUMBERS = frozenset({*"ACFT", "min", "sec", "deg", "rad"})
"""What is a unit when it stands as text behind a number, and a letter or a function anywhere else."""

ONLY_AS_TEXT = frozenset("nm ms ns ha bar cal".split())
"""Symbols that are a product of letters unless they stand as text: 3nm."""

COMPOUND = re.compile(
    r"(?<=[\d}\s])(?:km|cm|mm|m|ft|mi|miles|kg|g|mg|L|mL|J|N|W|V|lb|gal|dollars|cents)\s?/\s?(?:s|sec|h|hr|hour|min|m|km|L|kg|g|K|day|year)"
    r"(?:\s?\^\s?\{?\d\}?)?(?![A-Za-z])"
)
NO_UNITS = frozenset(
    "and or pi sin cos tan cot sec csc log ln exp sqrt abs mod inf infinity frac if for max min gcd lcm cis".split()
)
POWERS = {"square": 2, "squared": 2, "sq": 2, "cubic": 3, "cubed": 3, "cu": 3}
"""Words before or behind a unit that raise it to a power."""

MICRO = re.compile(r"\\mu\s*(?=[A-Za-z])|μ")
CELSIUS = re.compile(r"(?:\^\s*\{?\s*\\circ\s*\}?|\\degree|°)\s*([CF])\b")
PIECE = re.compile(r"\^\s*(?P<power>-?\d{1,2})|(?P<word>[^\W\d_]+|°[CF]|¥)|(?P<over>/)|(?P<open>\()|(?P<close>\))")


def is_unit(word: str) -> bool:
    """Say whether a word after a number is a unit: a known one, or a word that can be nothing else."""
    if len(word) == 1 or word in ONLY_AS_TEXT:
        return False
    if _is_name(word):
        return word not in NO_UNITS
    return len(word) >= 4 and word.lower() not in NO_UNITS and word.lower() not in LETTER_NAMES


def is_known_unit(word: str) -> bool:
    """Say whether a word is a unit by itself, also after a letter."""
    return _is_name(word) and word not in NO_UNITS and word not in ONLY_AS_TEXT


def _is_name(word: str) -> bool:
    return word in NAMES or word.lower() in NAMES or word in COMPOSED


def is_known(unit: str) -> bool:
    """Say whether a unit, as `name_unit` gives it, is made of known ones."""
    return re.split(r"[ ^/]", unit.lstrip("/"), maxsplit=1)[0] in UNITS


def name_unit(words: str) -> str:
    """Return the one spelling of a unit: `square centimeters` and `sq. cm` are `cm^2`; of other words, themselves."""
    words = CELSIUS.sub(r"°\1", MICRO.sub("µ", words)).replace(r"\Omega", "Ω")
    words = re.sub(r"\\(?:cdot|times|text|mathrm|[,;:! ])|[{}~·*]", " ", words).replace("\\", " ")
    powers = _read_powers(words)
    if powers["h"] == 1 and (watts := next((name for name in ("W", "kW") if powers[name] == 1), "")):
        powers += Counter({f"{watts}h": 1})
        del powers["h"], powers[watts]
    if not any(powers.values()):
        return " ".join(words.split()).strip(" .,").lower()
    above = [_raise(name, power) for name, power in sorted(powers.items()) if power > 0]
    below = [f"/{_raise(name, -power)}" for name, power in sorted(powers.items()) if power < 0]
    return " ".join(above) + "".join(below)


def _raise(name: str, power: int) -> str:
    return name if power == 1 else f"{name}^{power}"


def _read_powers(words: str) -> Counter[str]:
    """Read known units with their powers, up to the first word that is none: `kg m/s^2`, `cubic feet per minute`.

    What an unknown word is divided by (`dollars per ticket`) says what is counted, and is left out.
    """
    powers: Counter[str] = Counter()
    sign, before, last = 1, 1, ""
    grouped = False
    for piece in PIECE.finditer(re.sub(r"\bper\b", "/", words)):
        word = piece["word"]
        if piece["over"]:
            sign = -1
        elif piece["open"]:
            grouped = sign < 0
        elif piece["close"]:
            grouped, sign = False, 1
        elif piece["power"]:
            if last:
                powers[last] += (int(piece["power"]) - 1) * (1 if powers[last] > 0 else -1)
        elif word.lower() in POWERS:
            if last and word.lower().endswith("ed"):
                powers[last] *= POWERS[word.lower()]
            else:
                before = POWERS[word.lower()]
        elif (name := _find_name(word)) is None:
            if sign > 0:
                break
            sign, last = 1, ""
        elif name in COMPOSED.values():
            powers.update(_read_powers(name))
        else:
            if last == name and name in CURRENCIES:  # $5 dollars
                continue
            if last and name == "in":  # 5 m in length
                break
            powers[name] += sign * before
            before, last = 1, name
            sign = sign if grouped else 1
    return powers


def _find_name(word: str) -> str | None:
    """Return the name of a known unit."""
    return COMPOSED.get(word.lower()) or NAMES.get(word) or NAMES.get(word.lower())
