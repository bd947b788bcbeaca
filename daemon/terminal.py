"""What a stream takes: colours, or plain text."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO


def wants_colours(stream: TextIO, environment: Mapping[str, str] | None = None) -> bool:
    """On a terminal that has them. NO_COLOR is stronger than CLICOLOR_FORCE, and that is stronger than what the stream is."""
    environment = os.environ if environment is None else environment
    if environment.get("NO_COLOR"):
        return False
    if environment.get("CLICOLOR_FORCE", "0") not in {"", "0"}:
        return True
    return environment.get("TERM") != "dumb" and environment.get("CLICOLOR") != "0" and stream.isatty()
