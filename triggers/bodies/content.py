"""What a Content-Type says of a body: which form it has, in which charset, with which boundary."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from triggers.bodies.charset import codec_of
from triggers.bodies.header_value import split_value
from triggers.bodies.refused import Refused
from triggers.http_answer import error_answer

FORMS = {  # media type → a name in BODIES; what stands here in no line is found by its beginning or end, or is binary
    "": "json",
    "application/json": "json",
    "text/json": "json",
    "application/x-ndjson": "json-lines",
    "application/ndjson": "json-lines",
    "application/jsonl": "json-lines",
    "application/x-jsonl": "json-lines",
    "application/jsonlines": "json-lines",
    "application/x-jsonlines": "json-lines",
    "application/json-lines": "json-lines",
    "text/x-ndjson": "json-lines",
    "application/json-seq": "json-lines",
    "application/x-www-form-urlencoded": "form",
    "multipart/form-data": "multipart",
    "application/xml": "xml",
    "text/xml": "xml",
    "application/yaml": "text",
    "application/x-yaml": "text",
    "application/toml": "text",
    "application/javascript": "text",
    "application/graphql": "text",
    "application/sql": "text",
}
_ENDINGS = {"+json": "json", "+json-seq": "json-lines", "+xml": "xml", "+yaml": "text"}
# What clients send by themselves, whatever the body is: `curl -d '{}'` says form, others say bytes or plain text.
LENIENT = frozenset({"application/x-www-form-urlencoded", "application/octet-stream", "text/plain"})
_MODES: dict[str, Literal["structured", "batched"]] = {
    "application/cloudevents+json": "structured",
    "application/cloudevents-batch+json": "batched",
}
_WITH_CHARSET = frozenset({"json", "json-lines", "form", "text", "xml"})


@dataclass(frozen=True, slots=True)
class Content:
    """One Content-Type, read."""

    kind: str  # the media type in lower case, without parameters; empty where there is none
    form: str  # a name in BODIES
    charset: str | None = None  # Python's codec; None: none is named
    boundary: str | None = None
    lenient: bool = False  # a body that is JSON is JSON
    cloud_events: Literal["structured", "batched"] | None = None
    unknown_charset: str | None = None  # named, and none that is read
    unknown_format: bool = False  # CloudEvents in a format that is not read


@lru_cache(maxsize=256)  # the header comes from strangers, so the cache is bounded; a sender always sends the same one
def content_of(content_type: str) -> Content:
    """Never raises: what is not read is told by check_content(), once there is a body."""
    value, parameters = split_value(content_type)
    kind = value.lower()
    if kind.startswith("application/cloudevents"):
        return _cloud_events(kind, parameters)
    form = form_of(kind)
    charset, unknown = _charset(parameters) if form in _WITH_CHARSET else (None, None)
    return Content(kind, form, charset, parameters.get("boundary"), kind in LENIENT, unknown_charset=unknown)


def form_of(kind: str) -> str:
    """The form of a media type: everything has one."""
    form = FORMS.get(kind)
    if form is None:
        ending = next((form for ending, form in _ENDINGS.items() if kind.endswith(ending)), None)
        form = ending or ("text" if kind.startswith("text/") else "binary")
    return form


def check_content(content: Content) -> None:
    """Raises Refused 415."""
    if content.unknown_charset is not None:
        raise Refused(error_answer(415, "CHARSET", f"the charset {content.unknown_charset[:40]} is not read", "send UTF-8"))
    if content.unknown_format:
        hint = "application/cloudevents+json and application/cloudevents-batch+json are, and CloudEvents in headers"
        raise Refused(error_answer(415, "CONTENT_TYPE", f"{content.kind[:100]} is not read", hint))


def _charset(parameters: dict[str, str]) -> tuple[str | None, str | None]:
    """The codec, or the label that stands for none."""
    label = parameters.get("charset")
    if not label:
        return None, None
    codec = codec_of(label)
    return codec, label if codec is None else None


def _cloud_events(kind: str, parameters: dict[str, str]) -> Content:
    charset, unknown = _charset(parameters)
    mode = _MODES.get(kind)
    return Content(
        kind, "json", charset, cloud_events=mode, unknown_charset=unknown if mode else None, unknown_format=mode is None
    )
