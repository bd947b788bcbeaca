"""Bytes that nothing says are text: as base64, for JSON has no bytes."""

from __future__ import annotations

from base64 import b64encode

from triggers.bodies.content import Content
from triggers.bodies.refused import Limits


def read_binary(raw: bytes, content: Content, limits: Limits) -> str:  # noqa: ARG001 - the form of all bodies
    return b64encode(raw).decode("ascii")
