"""Bodies: the forms in which a request may carry its content, and how each becomes a JSON value.

A form is one file and one line in BODIES; which media types have it stands in content.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from triggers.bodies.binary import read_binary
from triggers.bodies.content import Content
from triggers.bodies.form import read_form
from triggers.bodies.json_body import read_json
from triggers.bodies.json_lines import read_json_lines
from triggers.bodies.multipart import read_multipart
from triggers.bodies.refused import Limits, NotJson
from triggers.bodies.text import read_text, read_xml

Read = Callable[[bytes, Content, Limits], Any]
"""A body that is not empty → its JSON value. Raises Refused."""

BODIES: dict[str, Read] = {
    "json": read_json,
    "json-lines": read_json_lines,
    "form": read_form,
    "multipart": read_multipart,
    "text": read_text,
    "xml": read_xml,
    "binary": read_binary,
}
EMPTY = "empty"  # the form of a body without a byte, whatever its type: a legal ping
_FORM = re.compile(rb'[^"\s=&]*=')  # how a form begins: JSON that was broken has a quote or a space before its first =


def read_value(raw: bytes, content: Content, limits: Limits) -> tuple[str, Any]:
    """The form that the body has, and its value. Raises Refused: no body raises anything else."""
    if not raw:
        return EMPTY, None
    if content.lenient and raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        try:
            return "json", read_json(raw, content, limits)
        except NotJson:
            if content.form == "form" and not _FORM.match(raw):
                raise
    return content.form, BODIES[content.form](raw, content, limits)
