"""What commands read: a definition or inputs from a file or standard input, JSON or YAML, and -i pairs."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from daemon.errors import BadRequest
from flows.document import MAX_TEXT_BYTES, SUFFIXES, Document, locate, read_document
from flows.errors import DefinitionError


def read_input(file: str) -> Any:
    """The value in a file, or on standard input for `-`. Raises DefinitionError with file and line."""
    if file == "-":
        raw, suffix, name = sys.stdin.buffer.read(MAX_TEXT_BYTES + 1), "", "<stdin>"
    else:
        with Path(file).open("rb") as opened:
            raw = opened.read(MAX_TEXT_BYTES + 1)
        suffix, name = Path(file).suffix.lower(), file
    return _document(raw, suffix, name).value


def _document(raw: bytes, suffix: str, name: str) -> Document:
    if suffix not in SUFFIXES:
        suffix = ".json" if raw.lstrip()[:1] in {b"{", b"["} else ".yaml"
    try:
        return read_document(raw, suffix=suffix)
    except DefinitionError as error:
        raise DefinitionError(*(locate(problem, None, name) for problem in error.problems)) from error


def read_inputs(file: str | None, pairs: Iterable[str]) -> dict[str, Any]:
    """A run's inputs: those of --input, and over them -i name=text and -i name:=JSON. The flow's declared types do the rest."""
    inputs = {} if file is None else read_input(file)
    if not isinstance(inputs, dict):
        raise BadRequest("--input holds an object: the inputs by their names")
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.rstrip(":"):
            raise BadRequest(f"«{pair}» is no input", "-i name=text, or -i name:=JSON")
        if name.endswith(":"):
            inputs[name[:-1]] = _json(text, pair)
        else:
            inputs[name] = text
    return inputs


def _json(text: str, pair: str) -> Any:
    try:
        return read_document(text, suffix=".json").value
    except DefinitionError as error:
        raise BadRequest(f"«{pair}»: what follows := is not JSON", error.problems[0].problem) from error
