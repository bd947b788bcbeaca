"""«Did you mean»: the known word nearest to an unknown one, and pydantic's errors as Problems people can act on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from flows.errors import Problem

if TYPE_CHECKING:
    from pydantic import ValidationError

KnownFields = Collection[str] | Mapping[tuple[str | int, ...], Collection[str]]

_SHOWN = 60  # characters of a value in a message
_LISTED = 12  # names in a hint
_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")  # pydantic's words for a field that is not known

# pydantic's error types that say «another JSON type is expected», and how people call it
_EXPECTED = {
    "string_type": "text",
    "path_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "decimal_type": "a number",
    "decimal_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "an object",
    "mapping_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "dataclass_type": "an object",
    "none_required": "null",
}
_LIMITS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """`did you mean «x»?`, or None where nothing known is near."""
    found = nearest(word, known)
    return f"did you mean «{found}»?" if found else None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is written nearly like this one: case, hyphens and underscores do not count."""
    by_shape: dict[str, str] = {}
    for name in known:
        by_shape.setdefault(_shape(name), name)
    found = get_close_matches(_shape(word)[:100], by_shape, n=1, cutoff=0.7)
    return by_shape[found[0]] if found else None


def _shape(word: str) -> str:
    return str(word).lower().replace("-", "").replace("_", "").replace(" ", "")


def shown(value: Any) -> str:
    """A value as it stands in a message: JSON's words, cut short."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, str):
        return f"«{value}»" if len(value) <= _SHOWN else f"«{value[:_SHOWN]}…»"
    if isinstance(value, (int, float)):
        return f"{value:.17g}" if isinstance(value, float) else str(value) if abs(value) < 10**_SHOWN else "a very large number"
    return "an object" if isinstance(value, Mapping) else "a list" if isinstance(value, (list, tuple)) else "something else"


def validation_problems(
    error: ValidationError,
    known_fields: KnownFields = (),
    *,
    document: Any = None,
    code: str = "DEFINITION",
) -> tuple[Problem, ...]:
    """What pydantic refused, each at its place in the document (fields by their aliases) and in words of JSON.

    `known_fields`: what may stand where an unknown field was found; a mapping gives it for each object by the object's path
    (`()` is the whole), a plain collection is for all of them. `document`: what was validated; with it, the arms of unions
    and tags that pydantic counts as places are told from keys.
    """
    problems: dict[tuple[tuple[str | int, ...], str], Problem] = {}
    expected: dict[tuple[str | int, ...], list[str]] = {}
    for each in error.errors(include_url=False):
        path = _path(each["loc"], each["type"], document)
        if each["type"].startswith("union_tag_"):
            path = (*path, str(each["ctx"]["discriminator"]).strip("'"))
        if each["type"] in _EXPECTED:
            words = expected.setdefault(path, [])
            words.extend([_EXPECTED[each["type"]]] * (_EXPECTED[each["type"]] not in words))
            problem, hint = f"{_named(path)} is {shown(each['input'])}, and must be {' or '.join(words)}", None
            problems[(path, "expected")] = Problem(path, problem, hint, code)
            continue
        problem, hint = _said(each, path, known_fields)
        problems.setdefault((path, problem), Problem(path, problem, hint, code, of_key=each["type"] in _UNKNOWN))
    return tuple(problems.values())


def _path(location: tuple[int | str, ...], kind: str, document: Any) -> tuple[str | int, ...]:
    """Where in the document: without pydantic's marks for keys, for the arms of a union and for its tags."""
    if document is None:
        return tuple(part for part in location if not (isinstance(part, str) and _is_mark(part)))
    path: list[str | int] = []
    here = document
    for number, part in enumerate(location):
        inside = isinstance(here, dict) and part in here
        inside = inside or (isinstance(here, (list, tuple)) and isinstance(part, int) and -len(here) <= part < len(here))
        if inside:
            path.append(part)
            here = here[part]
        elif kind == "missing" and number == len(location) - 1:
            path.append(part)
    return tuple(path)


def _is_mark(part: str) -> bool:
    """`[key]`, `function-after[…]`, `list[str]`: pydantic puts these among the keys of a document."""
    return part.endswith("]") and "[" in part


def _named(path: tuple[str | int, ...]) -> str:
    if not path:
        return "the whole"
    return f"element {path[-1]}" if isinstance(path[-1], int) else path[-1]


def _said(each: Any, path: tuple[str | int, ...], known: KnownFields) -> tuple[str, str | None]:
    """The problem and the hint of one of pydantic's errors."""
    kind, context, given = each["type"], each.get("ctx") or {}, shown(each["input"])
    name = _named(path)
    if kind in ("missing", "union_tag_not_found"):
        return f"{name} is missing", None
    if kind in _UNKNOWN:
        return f"{name} is not known here", _known_hint(name, known.get(path[:-1], ()) if isinstance(known, Mapping) else known)
    if kind in ("literal_error", "enum"):
        return f"{name} is {given}", _allowed_hint(each["input"], str(context.get("expected", "")))
    if kind == "union_tag_invalid":
        return f"{name} is {shown(context.get('tag'))}", _allowed_hint(context.get("tag"), str(context.get("expected_tags", "")))
    if kind in _LIMITS:
        bound, words = _LIMITS[kind]
        return f"{name} is {given}, and must be {words} {context.get(bound)}", None
    return _said_of_size(kind, context, name, given) or (_own_words(each, name), None)


def _allowed_hint(given: Any, listed: str) -> str:
    """From pydantic's list: `'a', 'b' or 'c'`."""
    allowed = [part.strip(" '") for part in listed.replace(" or ", ", ").split(",")]
    near = did_you_mean(given, allowed) if isinstance(given, str) else None
    return "; ".join(part for part in (near, f"allowed are {', '.join(allowed)}") if part)


def _known_hint(name: str, known: Collection[str]) -> str | None:
    near = did_you_mean(name, known)
    if near or not known:
        return near
    listed = sorted(known)
    return f"known are {', '.join(listed[:_LISTED])}{', …' if len(listed) > _LISTED else ''}"


def _said_of_size(kind: str, context: Mapping[str, Any], name: str, given: str) -> tuple[str, None] | None:
    if kind in ("string_too_short", "too_short"):
        least = context["min_length"]
        return (f"{name} is empty" if least == 1 else f"{name} is shorter than {least}"), None
    if kind in ("string_too_long", "too_long"):
        return f"{name} is longer than {context['max_length']}", None
    if kind == "string_pattern_mismatch":
        return f"{name} is {given}, and must match {context['pattern']}", None
    return None


def _own_words(each: Any, name: str) -> str:
    """What a validator of ours said (its ValueError), or at worst pydantic's own sentence."""
    raised = (each.get("ctx") or {}).get("error")
    if raised is not None:
        return str(raised)
    said = str(each["msg"])
    return f"{name}: {said[:1].lower()}{said[1:]}"
