"""The functions of arrays. None changes its array: sort() and reverse() give a new one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key
from typing import Any, Final

from flows.expression.arguments import argument, callback, clamped, integer, relative, text_argument
from flows.expression.convert import array_text, fail, number_of, same, same_value_zero, text_of
from flows.expression.fuel import Fuel
from flows.expression.utf16 import sort_key
from flows.expression.values import UNDEFINED, Function, is_array, truthy

Array = list[Any]
Method = Callable[[Fuel, Any, list[Any]], Any]


def at(fuel: Fuel, this: Array, given: list[Any]) -> Any:
    index = integer(fuel, given, 0)
    index = index + len(this) if index < 0 else index
    return this[int(index)] if 0 <= index < len(this) else UNDEFINED


def concat(fuel: Fuel, this: Array, given: list[Any]) -> Array:
    result = list(this)
    for value in given:
        result.extend(value if is_array(value) else [value])
        fuel.items(len(result))
    return result


def joined(fuel: Fuel, this: Array, given: list[Any]) -> str:
    return array_text(this, "," if argument(given, 0) is UNDEFINED else text_argument(fuel, given, 0), fuel)


def cut(fuel: Fuel, this: Array, given: list[Any]) -> Array:
    start = relative(fuel, given, 0, len(this), 0)
    end = relative(fuel, given, 1, len(this), len(this))
    fuel.items(max(end - start, 0))
    return list(this[start:end])


def includes(fuel: Fuel, this: Array, given: list[Any]) -> bool:
    wanted = argument(given, 0)
    for index in range(relative(fuel, given, 1, len(this), 0), len(this)):
        fuel.burn(1)
        if same_value_zero(this[index], wanted):
            return True
    return False


def index_of(fuel: Fuel, this: Array, given: list[Any]) -> int:
    wanted = argument(given, 0)
    for index in range(relative(fuel, given, 1, len(this), 0), len(this)):
        fuel.burn(1)
        if same(this[index], wanted):
            return index
    return -1


def last_index_of(fuel: Fuel, this: Array, given: list[Any]) -> int:
    wanted = argument(given, 0)
    start = integer(fuel, given, 1, len(this) - 1) if len(given) > 1 else len(this) - 1
    if len(given) > 1 and argument(given, 1) is UNDEFINED:
        start = 0
    start = start + len(this) if start < 0 else min(start, len(this) - 1)
    for index in range(int(max(start, -1)), -1, -1):
        fuel.burn(1)
        if same(this[index], wanted):
            return index
    return -1


def mapped(fuel: Fuel, this: Array, given: list[Any]) -> Array:
    function = callback(given, "map")
    fuel.items(len(this))
    return [function.call(fuel, [item, index, this]) for index, item in enumerate(this)]


def filtered(fuel: Fuel, this: Array, given: list[Any]) -> Array:
    function = callback(given, "filter")
    fuel.items(len(this))
    return [item for index, item in enumerate(this) if truthy(function.call(fuel, [item, index, this]))]


def some(fuel: Fuel, this: Array, given: list[Any]) -> bool:
    function = callback(given, "some")
    fuel.items(len(this))
    return any(truthy(function.call(fuel, [item, index, this])) for index, item in enumerate(this))


def every(fuel: Fuel, this: Array, given: list[Any]) -> bool:
    function = callback(given, "every")
    fuel.items(len(this))
    return all(truthy(function.call(fuel, [item, index, this])) for index, item in enumerate(this))


def _found(fuel: Fuel, this: Array, given: list[Any], name: str, *, backwards: bool = False) -> int:
    function = callback(given, name)
    fuel.items(len(this))
    for index in range(len(this) - 1, -1, -1) if backwards else range(len(this)):
        if truthy(function.call(fuel, [this[index], index, this])):
            return index
    return -1


def find(fuel: Fuel, this: Array, given: list[Any]) -> Any:
    index = _found(fuel, this, given, "find")
    return UNDEFINED if index < 0 else this[index]


def find_index(fuel: Fuel, this: Array, given: list[Any]) -> int:
    return _found(fuel, this, given, "findIndex")


def find_last(fuel: Fuel, this: Array, given: list[Any]) -> Any:
    index = _found(fuel, this, given, "findLast", backwards=True)
    return UNDEFINED if index < 0 else this[index]


def find_last_index(fuel: Fuel, this: Array, given: list[Any]) -> int:
    return _found(fuel, this, given, "findLastIndex", backwards=True)


def _folded(fuel: Fuel, this: Array, given: list[Any], places: list[int], name: str) -> Any:
    function = callback(given, name)
    fuel.items(len(this))
    if len(given) < 2:
        if not this:
            raise fail(f"{name}() of an empty array needs a first value")
        value: Any = this[places[0]]
        places = places[1:]
    else:
        value = given[1]
    for index in places:
        value = function.call(fuel, [value, this[index], index, this])
    return value


def reduce(fuel: Fuel, this: Array, given: list[Any]) -> Any:
    return _folded(fuel, this, given, list(range(len(this))), "reduce")


def reduce_right(fuel: Fuel, this: Array, given: list[Any]) -> Any:
    return _folded(fuel, this, given, list(range(len(this) - 1, -1, -1)), "reduceRight")


def flat(fuel: Fuel, this: Array, given: list[Any]) -> Array:
    return _flattened(fuel, this, integer(fuel, given, 0, 1))


def _flattened(fuel: Fuel, this: Array, depth: float) -> Array:
    result: Array = []
    todo: list[tuple[Any, int, float]] = [(this, 0, depth)]
    while todo:
        items, index, left = todo.pop()
        if index == len(items):
            continue
        fuel.burn(1)
        todo.append((items, index + 1, left))
        item = items[index]
        if is_array(item) and left >= 1:
            todo.append((item, 0, left - 1))
        else:
            result.append(item)
    return result


def flat_map(fuel: Fuel, this: Array, given: list[Any]) -> Array:
    callback(given, "flatMap")
    return _flattened(fuel, mapped(fuel, this, given), 1)


def in_order(fuel: Fuel, this: Array, given: list[Any]) -> Array:
    comparator = argument(given, 0)
    if comparator is not UNDEFINED and not isinstance(comparator, Function):
        raise fail("sort() needs a function, such as (a, b) => a - b")
    fuel.items(len(this))
    known = [item for item in this if item is not UNDEFINED]
    absent = [UNDEFINED] * (len(this) - len(known))
    if isinstance(comparator, Function):
        return sorted(known, key=cmp_to_key(lambda left, right: _order(fuel, comparator, left, right))) + absent
    keys = []
    for item in known:
        text = text_of(item, fuel)
        fuel.burn(1 + (len(text) >> 4))
        keys.append(sort_key(text))
    order = sorted(range(len(known)), key=keys.__getitem__)
    fuel.burn(len(known))
    return [known[index] for index in order] + absent


def _order(fuel: Fuel, comparator: Function, left: Any, right: Any) -> int:
    number = number_of(comparator.call(fuel, [left, right]), fuel)
    return (number > 0) - (number < 0)


def backwards(fuel: Fuel, this: Array, _given: list[Any]) -> Array:
    fuel.items(len(this))
    return list(this[::-1])


def replaced(fuel: Fuel, this: Array, given: list[Any]) -> Array:
    index = integer(fuel, given, 0)
    index = index + len(this) if index < 0 else index
    if not 0 <= index < len(this):
        raise fail("with() needs an index that is there")
    fuel.items(len(this))
    return [*this[: int(index)], argument(given, 1), *this[int(index) + 1 :]]


def spliced(fuel: Fuel, this: Array, given: list[Any]) -> Array:
    start = relative(fuel, given, 0, len(this), 0)
    count = clamped(fuel, given, 1, len(this) - start, 0) if len(given) > 1 else (len(this) - start if given else 0)
    fuel.items(len(this) + len(given))
    return [*this[:start], *given[2:], *this[start + count :]]


def own_text(fuel: Fuel, this: Array, _given: list[Any]) -> str:
    return array_text(this, ",", fuel)


def places(fuel: Fuel, this: Array, _given: list[Any]) -> Array:
    fuel.items(len(this))
    return list(range(len(this)))


def pairs(fuel: Fuel, this: Array, _given: list[Any]) -> Array:
    fuel.items(2 * len(this))
    return [[index, item] for index, item in enumerate(this)]


def items(fuel: Fuel, this: Array, _given: list[Any]) -> Array:
    fuel.items(len(this))
    return list(this)


ARRAYS: Final[dict[str, Method]] = {
    "at": at,
    "concat": concat,
    "entries": pairs,
    "every": every,
    "filter": filtered,
    "find": find,
    "findIndex": find_index,
    "findLast": find_last,
    "findLastIndex": find_last_index,
    "flat": flat,
    "flatMap": flat_map,
    "includes": includes,
    "indexOf": index_of,
    "join": joined,
    "keys": places,
    "lastIndexOf": last_index_of,
    "map": mapped,
    "reduce": reduce,
    "reduceRight": reduce_right,
    "reverse": backwards,
    "slice": cut,
    "some": some,
    "sort": in_order,
    "toReversed": backwards,
    "toSorted": in_order,
    "toSpliced": spliced,
    "toString": own_text,
    "values": items,
    "with": replaced,
}
