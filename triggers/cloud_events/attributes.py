"""CloudEvents' attributes: what the specification asks of their names and values, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote_to_bytes

from triggers.bodies.header_value import unquoted
from triggers.bodies.refused import Refused
from triggers.http_answer import error_answer

SPECVERSION = "1.0"
REQUIRED = ("specversion", "id", "source", "type")
_TEXTS = frozenset((*REQUIRED, "time", "subject", "datacontenttype", "dataschema"))  # the others are extensions
_NAME = re.compile(r"[a-z0-9]+")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt]((?:[01]\d|2[0-3]):[0-5]\d):([0-5]\d|60)(?:\.\d+)?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_MEDIA_TYPE = re.compile(r"[^\s/;,]+/[^\s/;,]+\s*(;.*)?", re.DOTALL)
_MAX_INTEGER = 2**31  # CloudEvents' Integer has 32 bits


def checked(attributes: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """The attributes that are set. Raises Refused 400 with the first that is wrong; `place` says which event of a batch."""
    found = {name: _value(name, value, place) for name, value in attributes.items() if value is not None}
    for name in REQUIRED:
        if name not in found:
            raise bad_event(f"the attribute {name} is missing", place)
    if found["specversion"] != SPECVERSION:
        raise bad_event(f"specversion {found['specversion'][:40]!r} is not read, {SPECVERSION} is", place)
    if "time" in found and not _is_time(found["time"]):
        raise bad_event(f"time {found['time'][:60]!r} is no RFC 3339 timestamp", place, "like 2026-11-23T09:00:00Z")
    if "datacontenttype" in found and not _MEDIA_TYPE.fullmatch(found["datacontenttype"]):
        raise bad_event(f"datacontenttype {found['datacontenttype'][:60]!r} is no media type", place, "like application/json")
    return found


def header_text(name: str, value: str) -> str:
    """A header's value as an attribute: out of its quotes, then one round of percent-decoding. Raises Refused 400."""
    raw = unquoted(value.strip()).encode("utf-8", "surrogateescape")
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise bad_event(f"the header ce-{name} is not UTF-8 when it is percent-decoded") from None


def bad_event(what: str, place: str = "", hint: str | None = None) -> Refused:
    said = f"{place}: {what}" if place else f"no CloudEvent: {what}"
    return Refused(error_answer(400, "BAD_CLOUDEVENT", said, hint))


def _value(name: str, value: Any, place: str) -> Any:
    if not _NAME.fullmatch(name):
        raise bad_event(f"the attribute {name[:60]!r} has a name of other characters than a-z and 0-9", place)
    if type(value) is str:
        if _CONTROL.search(value):
            raise bad_event(f"the attribute {name[:60]} holds a control character", place)
        if name in _TEXTS and not value:
            raise bad_event(f"the attribute {name} is empty", place)
        return value
    if name in _TEXTS:
        raise bad_event(f"the attribute {name} is {_kind(value)}, and has to be text", place)
    if type(value) is bool or (type(value) is int and -_MAX_INTEGER <= value < _MAX_INTEGER):
        return value
    raise bad_event(f"the attribute {name[:60]} is {_kind(value)}, and may be text, true, false or an integer of 32 bits", place)


def _is_time(text: str) -> bool:
    found = _TIME.fullmatch(text)
    if found is None:
        return False
    try:
        datetime.fromisoformat(f"{found[1]}T{found[2]}")  # a second of 60 is a leap second
    except ValueError:
        return False
    return True


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", bool: "a truth value"}.get(type(value), "a number")
