"""multipart/form-data: fields as text, files as objects, both lists where a name repeats. RFC 7578, on bytes in memory."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from triggers.bodies.binary import read_binary
from triggers.bodies.charset import codec_of
from triggers.bodies.content import Content, check_content, content_of
from triggers.bodies.header_value import split_value
from triggers.bodies.json_body import read_json
from triggers.bodies.named import by_name
from triggers.bodies.refused import Limits, Refused
from triggers.bodies.text import read_text, read_xml
from triggers.http_answer import error_answer

MAX_BOUNDARY = 70  # RFC 2046
MAX_HEAD_BYTES = 8 * 1024  # of one part
TEXTS = {"text": read_text, "xml": read_xml, "json": read_text, "json-lines": read_text}  # a file of these forms is kept as text

_BROWSERS = re.compile("%22|%0[dDaA]")
_ESCAPED = {"%22": '"', "%0D": "\r", "%0A": "\n"}


@dataclass(frozen=True, slots=True)
class Part:
    """One part as it was sent, its transfer encoding undone."""

    name: str
    filename: str | None  # None: a field
    content_type: str | None
    data: bytes


def read_multipart(raw: bytes, content: Content, limits: Limits) -> dict[str, Any]:
    """Name → text, JSON or file. Raises Refused: 400 for what is malformed, 413 for too many parts."""
    return by_name((part.name, _value(part, limits)) for part in parts_of(raw, content.boundary, limits.max_parts))


def parts_of(raw: bytes, boundary: str | None, max_parts: int) -> Iterator[Part]:
    """The parts in order. What stands before the first and behind the last is not looked at, as RFC 2046 has it."""
    if not boundary or len(boundary) > MAX_BOUNDARY:
        raise _malformed(f"its Content-Type names no boundary of 1 to {MAX_BOUNDARY} characters")
    delimiter = b"--" + boundary.encode("utf-8", "surrogateescape")
    line_end = b"\n" if raw.startswith(delimiter + b"\n") else b"\r\n"  # some senders were written by hand
    data = line_end + raw
    end = _next_delimiter(data, line_end + delimiter, 0)
    for number in range(1, max_parts + 2):
        if end is None:
            raise _malformed("its last boundary is missing: it was cut off")
        if end.closes:
            return
        if number > max_parts:
            raise Refused(error_answer(413, "TOO_MANY_PARTS", f"the multipart body has more than {max_parts} parts"))
        begin = end.behind - len(line_end)  # the line end that closes a boundary may open the next one: an empty part
        end = _next_delimiter(data, line_end + delimiter, begin)
        if end is None:
            raise _malformed(f"part {number} does not end: the body was cut off")
        yield _part(data[begin + len(line_end) : end.at], line_end, number)


@dataclass(frozen=True, slots=True)
class _Delimiter:
    at: int  # where its line end begins
    behind: int  # where the line after it begins
    closes: bool


def _next_delimiter(data: bytes, delimiter: bytes, start: int) -> _Delimiter | None:
    """A line of the boundary and nothing else; a line that only begins like it is part of what it stands in."""
    line_end = delimiter[: delimiter.index(b"--")]
    at = data.find(delimiter, start)
    while at >= 0:
        behind = at + len(delimiter)
        closes = data.startswith(b"--", behind)
        behind += 2 if closes else 0
        while data[behind : behind + 1] in (b" ", b"\t"):
            behind += 1
        if data.startswith(line_end, behind):
            return _Delimiter(at, behind + len(line_end), closes)
        if closes and data[behind : behind + 1] in (b"", b"\n"):  # the last line need not end
            return _Delimiter(at, behind, closes)
        at = data.find(delimiter, behind)
    return None


def _part(data: bytes, line_end: bytes, number: int) -> Part:
    blank = line_end * 2
    # A part without headers begins with the blank line's second half.
    head, found, body = (b"", blank, data[len(line_end) :]) if data.startswith(line_end) else data.partition(blank)
    if not found:
        raise _malformed(f"the headers of part {number} do not end")
    if len(head) > MAX_HEAD_BYTES:
        raise _malformed(f"the headers of part {number} have more than {MAX_HEAD_BYTES} bytes")
    headers = _headers(head, line_end)
    disposition, parameters = split_value(headers.get("content-disposition", ""))
    name = _unescaped(parameters.get("name"))
    if disposition.lower() != "form-data" or name is None:
        raise _malformed(f"part {number} has no Content-Disposition: form-data with a name")
    filename = _extended(parameters.get("filename*")) or _unescaped(parameters.get("filename"))
    encoding = headers.get("content-transfer-encoding", "").lower()
    return Part(name, filename, headers.get("content-type"), _decoded(body, encoding, number))


def _headers(head: bytes, line_end: bytes) -> dict[str, str]:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError:
        text = head.decode("latin-1")  # as HTTP's own headers are read
    found: dict[str, str] = {}
    for line in re.sub(r"\r?\n[ \t]+", " ", text).split(line_end.decode()):
        name, _, value = line.partition(":")
        found.setdefault(name.strip().lower(), value.strip())
    return found


def _unescaped(text: str | None) -> str | None:
    """The three characters that browsers and curl write in this way, and no others: they leave `%` as it is."""
    return text and _BROWSERS.sub(lambda found: _ESCAPED[found[0].upper()], text)


def _extended(value: str | None) -> str | None:
    """`utf-8''caf%C3%A9.pdf` (RFC 5987) → `café.pdf`; None for what is not of that form."""
    charset, quote, rest = (value or "").partition("'")
    codec = codec_of(charset)
    _, second, escaped = rest.partition("'")
    if not quote or not second or codec is None:
        return None
    try:
        return unquote_to_bytes(escaped).decode(codec)
    except UnicodeDecodeError:
        return None


def _decoded(body: bytes, encoding: str, number: int) -> bytes:
    """Transfer encodings have no place in a form any more, and old mail libraries send them all the same."""
    if encoding in ("", "7bit", "8bit", "binary"):
        return body
    if encoding == "quoted-printable":
        return binascii.a2b_qp(body)
    if encoding != "base64":
        raise _malformed(f"part {number} is encoded as {encoding[:40]}")
    try:
        return b64decode(b"".join(body.split()), validate=True)
    except binascii.Error as error:
        raise _malformed(f"part {number} is not base64: {error}") from None


def _value(part: Part, limits: Limits) -> Any:
    content = content_of(part.content_type or "text/plain")
    if part.filename is None and content.form in TEXTS:
        check_content(content)
        return _json(part, content, limits) if content.form == "json" else read_text(part.data, content, limits)
    described = {"filename": part.filename, "contentType": part.content_type, "size": len(part.data)}
    read = TEXTS.get(content.form) if part.content_type is not None and content.unknown_charset is None else None
    if read is not None:
        try:
            return {**described, "text": read(part.data, content, limits)}
        except Refused:
            pass  # it says that it is text and is none: its bytes are kept
    return {**described, "base64": read_binary(part.data, content, limits)}


def _json(part: Part, content: Content, limits: Limits) -> Any:
    try:
        return read_json(part.data, content, limits)
    except Refused as refused:
        raise refused.said_of(f"the field {part.name[:60]!r}") from None


def _malformed(what: str) -> Refused:
    return Refused(error_answer(400, "BAD_MULTIPART", f"the multipart body is malformed: {what}"))
