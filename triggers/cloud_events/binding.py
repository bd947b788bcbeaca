"""CloudEvents' HTTP binding: the three content modes, each read into the same CloudEvent."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NoBase64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from triggers.bodies import EMPTY, read_value
from triggers.bodies.charset import UTF_8
from triggers.bodies.content import Content, check_content, content_of
from triggers.bodies.json_body import read_json
from triggers.bodies.refused import Limits, Refused
from triggers.cloud_events.attributes import REQUIRED, bad_event, checked, header_text
from triggers.http_answer import error_answer

PREFIX = "ce-"
_DATA = ("data", "data_base64")
_TELLING = tuple(PREFIX + name for name in REQUIRED)


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """One event as its sender described it."""

    attributes: dict[str, Any]  # by name; those that were not set are not in it
    form: str  # of its data: a name in BODIES, or `empty`
    data: Any


def in_headers(headers: Mapping[str, str]) -> bool:
    """Whether a request says that it is a CloudEvent in binary mode; `headers` has lower-case names.

    One required attribute is enough: what lacks the others is a broken event, and its sender is told so.
    """
    return _TELLING[0] in headers or _TELLING[1] in headers or _TELLING[2] in headers or _TELLING[3] in headers


def of_headers(items: Iterable[tuple[str, str]], content_type: str) -> dict[str, Any]:
    """The attributes of binary mode. Raises Refused 400."""
    found: dict[str, Any] = {}
    for header, value in items:
        low = header.lower()
        if low.startswith(PREFIX):
            name = low.removeprefix(PREFIX)
            if name in found:
                raise bad_event(f"the header {low[:60]} came twice")
            found[name] = header_text(name, value)
    found["datacontenttype"] = content_type or None  # the binding: it is the Content-Type, whatever else says so
    return checked(found)


def read_structured(raw: bytes, content: Content, limits: Limits) -> CloudEvent:
    """Raises Refused."""
    if not raw:
        raise bad_event("the body is empty")
    return _of_json(read_json(raw, content, limits), limits)


def read_batch(raw: bytes, content: Content, limits: Limits) -> list[CloudEvent]:
    """All events of a batch, which may have none. Raises Refused: one that is wrong refuses them all."""
    batch = read_json(raw, content, limits) if raw else None
    if type(batch) is not list:
        raise bad_event("a batch is a JSON list of events")
    if len(batch) > limits.max_events:
        said = f"the batch has {len(batch)} events, at most {limits.max_events} are read"
        raise Refused(error_answer(413, "TOO_MANY_EVENTS", said, "send smaller batches"))
    return [_of_json(value, limits, f"event {index} of the batch") for index, value in enumerate(batch)]


def _of_json(value: Any, limits: Limits, place: str = "") -> CloudEvent:
    if type(value) is not dict:
        raise bad_event("it is no JSON object", place)
    attributes = checked({name: each for name, each in value.items() if name not in _DATA}, place)
    form, data = _data(value, attributes.get("datacontenttype", ""), limits, place)
    return CloudEvent(attributes, form, data)


def _data(event: Mapping[str, Any], content_type: str, limits: Limits, place: str) -> tuple[str, Any]:
    """The data as binary mode would have it: the same event is the same `$.body` in every mode."""
    data, encoded = event.get("data"), event.get("data_base64")
    content = content_of(content_type)
    if encoded is None:
        if type(data) is not str or content.form == "json":
            return ("json", data) if data is not None else (EMPTY, None)
        raw = data.encode("utf-8", "surrogatepass")
        # It became text with the event around it, in UTF-8, and what JSON holds as text is no bytes.
        content = replace(content, form="text" if content.form == "binary" else content.form, charset=UTF_8, unknown_charset=None)
    elif data is not None:
        raise bad_event("it has both data and data_base64", place)
    elif type(encoded) is not str:
        raise bad_event("data_base64 is no text", place)
    else:
        try:
            raw = b64decode(encoded, validate=True)
        except (NoBase64, ValueError) as error:
            raise bad_event(f"data_base64 is not base64: {error}", place) from None
    try:
        check_content(content)
        return read_value(raw, content, limits)
    except Refused as refused:
        raise refused.said_of(f"the data of {place or 'the event'}") from None
