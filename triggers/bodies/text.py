"""Text as text, XML too: nothing parses it, so nothing in it is followed or expanded."""

from __future__ import annotations

import re

from triggers.bodies.charset import codec_of, decode_text
from triggers.bodies.content import Content
from triggers.bodies.refused import Limits

_DECLARED = re.compile(rb"<\?xml[^>]{0,100}?\sencoding\s{0,9}=\s{0,9}[\"']([A-Za-z][\w.:-]{0,40})[\"']")
_LOOKED_AT = 200  # bytes: a declaration stands at the beginning or not at all


def read_text(raw: bytes, content: Content, limits: Limits) -> str:  # noqa: ARG001 - the form of all bodies
    return decode_text(raw, content.charset)


def read_xml(raw: bytes, content: Content, limits: Limits) -> str:  # noqa: ARG001 - as above
    """In the charset of its header, else in the one that its declaration names, where we know it."""
    charset = content.charset
    if charset is None and (declared := _DECLARED.match(raw[:_LOOKED_AT])):
        charset = codec_of(declared[1].decode("ascii"))
    return decode_text(raw, charset)
