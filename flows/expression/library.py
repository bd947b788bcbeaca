"""The names that every expression knows: Math, Number, Object, …, and the specification's contains, length, isEmpty."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from flows.expression import json_text, read, utf16
from flows.expression.arguments import argument, text_argument
from flows.expression.convert import fail, integer_of, is_primitive, key_of, number_of, same_value_zero, text_of
from flows.expression.fuel import Fuel
from flows.expression.mathematics import MATH
from flows.expression.numerals import double, parse_float, parse_int, to_int32
from flows.expression.values import UNDEFINED, Function, Opaque, is_array, own_keys, truthy, type_of

Call = Callable[[Fuel, list[Any]], Any]


def contains(fuel: Fuel, given: list[Any]) -> bool:
    """The specification's helper: a text in a text, a value in an array; nothing contains nothing."""
    place, wanted = argument(given, 0), argument(given, 1)
    if is_array(place):
        fuel.burn(len(place))
        return any(same_value_zero(item, wanted) for item in place)
    if not isinstance(place, str) or is_nothing(wanted):
        return False
    fuel.burn(len(place) >> 6)
    return utf16.units(text_of(wanted, fuel)) in utf16.units(place)


def is_nothing(value: Any) -> bool:
    return value is None or value is UNDEFINED


def length(fuel: Fuel, given: list[Any]) -> int:
    """The specification's helper: of a text, an array, an object's keys; 0 of what has none."""
    value = argument(given, 0)
    if isinstance(value, str):
        fuel.burn(len(value) >> 6)
        return utf16.length(value)
    return len(value) if is_array(value) or isinstance(value, dict) else 0


def is_empty(fuel: Fuel, given: list[Any]) -> bool:
    """The specification's helper: null, undefined, "", [] and {} are empty; 0 and false are not."""
    value = argument(given, 0)
    return is_nothing(value) or (length(fuel, given) == 0 and (isinstance(value, str | dict) or is_array(value)))


def number(fuel: Fuel, given: list[Any]) -> float:
    return number_of(given[0], fuel) if given else 0


def string(fuel: Fuel, given: list[Any]) -> str:
    return text_of(given[0], fuel) if given else ""


def boolean(_fuel: Fuel, given: list[Any]) -> bool:
    return truthy(argument(given, 0))


def float_of(fuel: Fuel, given: list[Any]) -> float:
    text = text_argument(fuel, given, 0)
    fuel.burn(len(text) >> 5)
    return parse_float(text)


def int_of(fuel: Fuel, given: list[Any]) -> float:
    text = text_argument(fuel, given, 0)
    fuel.burn(len(text) >> 5)
    return parse_int(text, to_int32(number_of(argument(given, 1), fuel)))


def not_a_number(fuel: Fuel, given: list[Any]) -> bool:
    return math.isnan(number_of(argument(given, 0), fuel))


def finite(fuel: Fuel, given: list[Any]) -> bool:
    return math.isfinite(number_of(argument(given, 0), fuel))


def _is_number(test: Callable[[float], bool]) -> Call:
    return lambda _fuel, given: type_of(argument(given, 0)) == "number" and test(double(argument(given, 0)))


def _whole(value: float) -> bool:
    return math.isfinite(value) and value == math.trunc(value)


def _safe(value: float) -> bool:
    return _whole(value) and abs(value) <= 2**53 - 1


def _object(fuel: Fuel, given: list[Any], name: str) -> dict[str, Any]:
    """What Object.keys() looks at: an object as it is, an array or a text by index."""
    value = argument(given, 0)
    if is_nothing(value):
        raise fail(f"Object.{name}() needs an object, not {type_of(value)}")
    if isinstance(value, dict):
        fuel.burn(len(value))
        return value
    if isinstance(value, str):
        value = list(utf16.units(value))
    if is_array(value):
        fuel.items(len(value))
        fuel.burn(len(value))
        return {str(index): item for index, item in enumerate(value)}
    return {}


def keys(fuel: Fuel, given: list[Any]) -> list[str]:
    return own_keys(_object(fuel, given, "keys"))


def values(fuel: Fuel, given: list[Any]) -> list[Any]:
    found = _object(fuel, given, "values")
    return [found[key] for key in own_keys(found)]


def entries(fuel: Fuel, given: list[Any]) -> list[Any]:
    found = _object(fuel, given, "entries")
    return [[key, found[key]] for key in own_keys(found)]


def from_entries(fuel: Fuel, given: list[Any]) -> dict[str, Any]:
    pairs = argument(given, 0)
    if not is_array(pairs) or any(is_primitive(pair) for pair in pairs):
        raise fail("Object.fromEntries() needs an array of [key, value]")
    fuel.items(len(pairs))
    fuel.burn(len(pairs))
    return {key_of(read.read(pair, 0), fuel): read.read(pair, 1) for pair in pairs}


def has_own(fuel: Fuel, given: list[Any]) -> bool:
    value = argument(given, 0)
    if is_nothing(value):
        raise fail(f"Object.hasOwn() needs an object, not {type_of(value)}")
    key = key_of(argument(given, 1), fuel)
    return read.read(value, key) is not UNDEFINED if isinstance(value, str) else read.has(value, key)


def same_value(_fuel: Fuel, given: list[Any]) -> bool:
    left, right = argument(given, 0), argument(given, 1)
    if type_of(left) == type_of(right) == "number" and left == right == 0:
        return math.copysign(1.0, left) == math.copysign(1.0, right)
    return same_value_zero(left, right)


def array_test(_fuel: Fuel, given: list[Any]) -> bool:
    return is_array(argument(given, 0))


def array_of(fuel: Fuel, given: list[Any]) -> list[Any]:
    fuel.items(len(given))
    return list(given)


def array_from(fuel: Fuel, given: list[Any]) -> list[Any]:
    """Array.from: of an array, of a text by character, of {length: n}; with a function as map() has it."""
    source, function = argument(given, 0), argument(given, 1)
    if is_nothing(source):
        raise fail(f"Array.from() needs an array or a text, not {type_of(source)}")
    items: list[Any] = []
    if isinstance(source, str) or is_array(source):
        fuel.items(len(source))
        items = list(source)
    elif isinstance(source, dict):
        count = int(min(max(integer_of(source.get("length", UNDEFINED), fuel), 0), 2**53))
        fuel.items(count)
        fuel.burn(count)
        items = [source.get(str(index), UNDEFINED) for index in range(count)]
    if function is UNDEFINED:
        return items
    if not isinstance(function, Function):
        raise fail("Array.from() takes a function as its second argument")
    return [function.call(fuel, [item, index]) for index, item in enumerate(items)]


def parse_json(fuel: Fuel, given: list[Any]) -> Any:
    if argument(given, 1) is not UNDEFINED:
        raise fail("JSON.parse() takes a text only")
    return json_text.parse(text_argument(fuel, given, 0), fuel)


def write_json(fuel: Fuel, given: list[Any]) -> Any:
    kept, space = argument(given, 1), argument(given, 2)
    if isinstance(kept, Function):
        raise fail("JSON.stringify() takes an array of keys, not a function")
    only = frozenset(text_of(key, fuel) for key in kept if type_of(key) in {"string", "number"}) if is_array(kept) else None
    indent = ""
    if type_of(space) == "number":
        indent = " " * int(min(max(integer_of(space, fuel), 0), 10))
    elif isinstance(space, str):
        indent = space[:10]
    text = json_text.stringify(argument(given, 0), fuel, indent, only)
    return UNDEFINED if text is None else text


_WHOLE_ADDRESS: Final = ";/?:@&=+$,#"
_UNESCAPED: Final = "-_.!~*'()"


def _encoder(keep: str) -> Call:
    def encode(fuel: Fuel, given: list[Any]) -> str:
        text = text_argument(fuel, given, 0)
        fuel.text(9 * len(text))
        try:
            return quote(text, safe=keep + _UNESCAPED)
        except UnicodeEncodeError:
            raise fail("half of a UTF-16 pair cannot be encoded") from None

    return encode


_ESCAPED: Final = re.compile("(?:%[0-9a-fA-F]{2})+")


def _decoder(keep: str) -> Call:
    kept = {f"%{ord(character):02X}" for character in keep}

    def decoded(found: re.Match[str]) -> str:
        text = found[0]
        if not kept:
            return bytes.fromhex(text.replace("%", "")).decode("utf-8")
        parts = [text[place : place + 3] for place in range(0, len(text), 3)]
        data = b"".join(part.encode() if part.upper() in kept else bytes.fromhex(part[1:]) for part in parts)
        return data.decode("utf-8")

    def decode(fuel: Fuel, given: list[Any]) -> str:
        text = text_argument(fuel, given, 0)
        fuel.burn(len(text) >> 1)
        try:
            if "%" in _ESCAPED.sub("", text):
                raise fail("a % is not followed by two hexadecimal digits")
            return _ESCAPED.sub(decoded, text)
        except UnicodeDecodeError:
            raise fail("this is not an encoded text") from None

    return decode


def _function(name: str, call: Call, **members: Any) -> Function:
    return Function(f"function {name}() {{ [native code] }}", call, members)


def _functions(calls: dict[str, Call]) -> dict[str, Any]:
    return {name: _function(name, call) for name, call in calls.items()}


_NUMBER: Final = {
    "EPSILON": 2.0**-52,
    "MAX_SAFE_INTEGER": 2**53 - 1,
    "MIN_SAFE_INTEGER": -(2**53) + 1,
    "MAX_VALUE": 1.7976931348623157e308,
    "MIN_VALUE": 5e-324,
    "NaN": math.nan,
    "POSITIVE_INFINITY": math.inf,
    "NEGATIVE_INFINITY": -math.inf,
    **_functions(
        {
            "isFinite": _is_number(math.isfinite),
            "isInteger": _is_number(_whole),
            "isNaN": _is_number(math.isnan),
            "isSafeInteger": _is_number(_safe),
            "parseFloat": float_of,
            "parseInt": int_of,
        }
    ),
}


def code_units(fuel: Fuel, given: list[Any]) -> str:
    """String.fromCharCode."""
    fuel.items(len(given))
    return utf16.joined("".join(chr(to_int32(number_of(code, fuel)) & 0xFFFF) for code in given))


def code_points(fuel: Fuel, given: list[Any]) -> str:
    """String.fromCodePoint."""
    fuel.items(len(given))
    codes = [number_of(code, fuel) for code in given]
    if not all(_whole(code) and 0 <= code <= 0x10FFFF for code in codes):
        raise fail("String.fromCodePoint() takes codes from 0 to 0x10FFFF")
    return utf16.joined("".join(chr(int(code)) for code in codes))


def _plain_object(_fuel: Fuel, given: list[Any]) -> Any:
    value = argument(given, 0)
    if is_nothing(value):
        return {}
    if is_primitive(value):
        raise fail("Object() makes nothing of a text, a number or a boolean")
    return value


def _no_array(_fuel: Fuel, _given: list[Any]) -> Any:
    raise fail("Array() is not part of the language: write [a, b] or Array.from({length: n})")


GLOBALS: Final[dict[str, Any]] = {
    "undefined": UNDEFINED,
    "NaN": math.nan,
    "Infinity": math.inf,
    "Math": MATH,
    "Number": _function("Number", number, **_NUMBER),
    "String": _function("String", string, **_functions({"fromCharCode": code_units, "fromCodePoint": code_points})),
    "Boolean": _function("Boolean", boolean),
    "Object": _function(
        "Object",
        _plain_object,
        **_functions(
            {"entries": entries, "fromEntries": from_entries, "hasOwn": has_own, "is": same_value, "keys": keys, "values": values}
        ),
    ),
    "Array": _function("Array", _no_array, **_functions({"from": array_from, "isArray": array_test, "of": array_of})),
    "JSON": Opaque("[object JSON]", _functions({"parse": parse_json, "stringify": write_json})),
    **_functions(
        {
            "contains": contains,
            "decodeURI": _decoder(_WHOLE_ADDRESS),
            "decodeURIComponent": _decoder(""),
            "encodeURI": _encoder(_WHOLE_ADDRESS),
            "encodeURIComponent": _encoder(""),
            "isEmpty": is_empty,
            "isFinite": finite,
            "isNaN": not_a_number,
            "length": length,
            "parseFloat": float_of,
            "parseInt": int_of,
        }
    ),
}
