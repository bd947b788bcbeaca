"""Numbers and their texts, as JavaScript reads and prints them. Every number is a double."""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Final

from flows.expression.utf16 import WHITESPACE

SAFE: Final = 2**53  # ints up to here are exactly doubles
_DECIMAL: Final = re.compile(r"[+-]?(?:Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")
_LONG: Final = 800  # significant digits beyond which no digit changes the nearest double (767), only whether any is there
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def double(number: float) -> float:
    """The double nearest to an int of any size."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def number_text(number: float) -> str:
    """String(number): the shortest digits that give the same double."""
    if isinstance(number, int) and -SAFE <= number <= SAFE:
        return str(int(number))
    value = double(number)
    if not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # noqa: PLR0124 - NaN
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    digits, exponent = shortest(abs(value))
    return sign + _place(digits, exponent)


def shortest(value: float) -> tuple[str, int]:
    """Digits d and exponent n with value = 0.d × 10^n."""
    mantissa, _, power = repr(value).partition("e")
    whole, _, part = mantissa.partition(".")
    if part == "0":
        part = ""
    digits = (whole + part).lstrip("0")
    point = len(whole) + int(power or 0) - (len(whole + part) - len(digits))
    return digits.rstrip("0"), point


def _place(digits: str, point: int) -> str:
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    return _scientific(digits, point - 1)


def _scientific(digits: str, power: int) -> str:
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{rest}e{'+' if power >= 0 else '-'}{abs(power)}"


def parse_number(text: str) -> float:
    """Number(text): NaN where it is not a number; blank is 0."""
    text = text.strip(WHITESPACE)
    if not text:
        return 0.0
    base = {"0x": 16, "0X": 16, "0o": 8, "0O": 8, "0b": 2, "0B": 2}.get(text[:2])
    if base is not None:
        allowed = _DIGITS[:base]
        digits = text[2:].lower()
        if not digits or not text.isascii() or digits.strip(allowed):
            return math.nan
        return double(int(digits, base))
    return decimal(text) if _DECIMAL.fullmatch(text) else math.nan


def parse_float(text: str) -> float:
    """parseFloat: the longest number that `text` begins with."""
    found = _DECIMAL.match(text.lstrip(WHITESPACE))
    return decimal(found[0]) if found else math.nan


def decimal(text: str) -> float:
    """A text that is known to be a decimal number."""
    if text.endswith("Infinity"):
        return -math.inf if text[0] == "-" else math.inf
    if len(text) > _LONG:
        text = _short(text)
    return float(text)


def _short(text: str) -> str:
    """The same number in a bounded count of digits: float() takes quadratic time on long ones."""
    mantissa, _, power = text.lower().partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, part = mantissa.lstrip("+-").partition(".")
    point = len(whole)
    digits = (whole + part).lstrip("0")
    point -= len(whole + part) - len(digits)
    if len(digits) > _LONG:
        digits = digits[:_LONG] + "1"  # what is cut off only matters by not being zero
    power = power.replace("+", "")
    negative = power.startswith("-")
    magnitude = power.lstrip("-").lstrip("0") or "0"
    exponent = 10**9 if len(magnitude) > 9 else int(magnitude)
    return f"{sign}0.{digits or '0'}e{point + (-exponent if negative else exponent)}"


def parse_int(text: str, radix: int) -> float:
    """parseInt; `radix` 0 means 10, or 16 after 0x."""
    text = text.lstrip(WHITESPACE)
    negative = text.startswith("-")
    if text[:1] in {"+", "-"}:
        text = text[1:]
    if radix in {0, 16} and text[:2] in {"0x", "0X"}:
        text, radix = text[2:], 16
    radix = radix or 10
    if not 2 <= radix <= 36:
        return math.nan
    digits = re.match(_PREFIXES[radix], text)
    if not digits:
        return math.nan
    value = _integer(digits[0].lower(), radix)
    return -value if negative else value


_PREFIXES: Final = {
    radix: "[0-9]{1,}" if radix == 10 else f"[{_DIGITS[:radix]}{_DIGITS[:radix].upper()}]+" for radix in range(2, 37)
}


def _integer(digits: str, radix: int) -> float:
    if radix == 10:
        return decimal(digits)
    digits = digits.lstrip("0") or "0"
    if len(digits) > 1100:
        return math.inf  # at least 2^1100
    return double(int(digits, radix))


def fixed_text(value: float, places: int) -> str:
    """ToFixed for |value| < 1e21: exact, halves away from zero."""
    with localcontext() as context:
        context.prec = 400
        rounded = abs(Decimal(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    text = f"{rounded:f}"
    return f"-{text}" if value < 0 else text


def _rounded(value: float, count: int) -> tuple[str, int]:
    """`count` significant digits of a value > 0, and the power of ten of the first."""
    exact = Decimal(value)
    with localcontext() as context:
        context.prec = 1200
        power = exact.adjusted()
        scaled = exact.scaleb(count - 1 - power).to_integral_value(ROUND_HALF_UP)
    digits = str(int(scaled))
    if len(digits) > count:
        digits, power = digits[:-1], power + 1
    return digits, power


def precision_text(value: float, count: int) -> str:
    """ToPrecision of a finite value."""
    sign, value = ("-", -value) if value < 0 else ("", value)
    digits, power = ("0" * count, 0) if value == 0 else _rounded(value, count)
    if power < -6 or power >= count:
        return sign + _scientific(digits, power)
    if power == count - 1:
        return sign + digits
    if power >= 0:
        return f"{sign}{digits[: power + 1]}.{digits[power + 1 :]}"
    return f"{sign}0.{'0' * -(power + 1)}{digits}"


def exponential_text(value: float, places: int | None) -> str:
    """ToExponential of a finite value; None places: as many as it takes."""
    sign, value = ("-", -value) if value < 0 else ("", value)
    if value == 0:
        digits, power = "0" * (1 + (places or 0)), 0
    elif places is None:
        digits, point = shortest(value)
        power = point - 1
    else:
        digits, power = _rounded(value, places + 1)
    return sign + _scientific(digits, power)


def radix_text(value: float, radix: int) -> str:
    """toString(radix) of a finite value, with as many places as tell it from its neighbours."""
    if value == 0:
        return "0"
    sign, value = ("-", -value) if value < 0 else ("", value)
    whole = math.floor(value)
    return sign + _whole_digits(value, radix) if value == whole else sign + _part_digits(whole, value - whole, value, radix)


def _whole_digits(value: float, radix: int) -> str:
    # Digits below the precision of the double are printed as zeros; in doubles, as V8 computes it.
    zeros = ""
    while value / radix >= SAFE:
        value /= radix
        zeros += "0"
    text = ""
    while True:
        rest = math.fmod(value, radix)
        text = _DIGITS[int(rest)] + text
        value = (value - rest) / radix
        if value < 1:
            return text + zeros


def _part_digits(whole: int, fraction: float, value: float, radix: int) -> str:
    delta = max(0.5 * (math.nextafter(value, math.inf) - value), math.nextafter(0.0, 1.0))
    digits: list[int] = []
    if fraction >= delta:
        while True:
            fraction *= radix
            delta *= radix
            digit = int(fraction)
            digits.append(digit)
            fraction -= digit
            if (fraction > 0.5 or (fraction == 0.5 and digit & 1)) and fraction + delta > 1:
                whole += _carry(digits, radix)
                break
            if fraction < delta:
                break
    part = "".join(_DIGITS[digit] for digit in digits)
    return f"{_whole_digits(float(whole), radix)}.{part}" if part else _whole_digits(float(whole), radix)


def _carry(digits: list[int], radix: int) -> int:
    """Round the last digit up; gives 1 where that reaches the whole part."""
    while digits:
        digit = digits.pop() + 1
        if digit < radix:
            digits.append(digit)
            return 0
    return 1


def to_int32(value: float) -> int:
    """The value modulo 2^32, as a signed 32-bit integer."""
    number = to_uint32(value)
    return number - 2**32 if number >= 2**31 else number


def to_uint32(value: float) -> int:
    """The value modulo 2^32, not negative."""
    return int(value) & 0xFFFFFFFF if math.isfinite(value) else 0


def to_integer(value: float) -> float:
    """Without its fraction; NaN is 0; infinities stay."""
    if value != value:  # noqa: PLR0124 - NaN
        return 0.0
    return float(math.trunc(value)) if math.isfinite(value) else value
