"""What commands read: a definition or inputs from a file or standard input, JSON or YAML, and -i pairs."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from daemon.errors import BadRequest
from flows.document import MAX_TEXT_BYTES, SUFFIXES, Document, locate, read_document
from flows.errors import DefinitionError

_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def read_input(file: str) -> Any:
    """The value in a file, or on standard input for `-`. Raises DefinitionError with file and line."""
    return read_text(file).value


def read_text(file: str) -> Document:
    """The same with its text, for saying where."""
    if file == "-":
        return _document(sys.stdin.buffer.read(MAX_TEXT_BYTES + 1), "", shown_name(file))
    with Path(file).open("rb") as opened:
        return _document(opened.read(MAX_TEXT_BYTES + 1), Path(file).suffix.lower(), file)


def shown_name(file: str) -> str:
    return "<stdin>" if file == "-" else file


def located(error: DefinitionError, document: Document, file: str) -> DefinitionError:
    """What was refused elsewhere, at its lines in the file that was read here. Over HTTP a path is one text: it is taken apart."""
    placed = []
    for problem in error.problems:
        path = problem.path
        if len(path) == 1 and isinstance(path[0], str):
            path = tuple(int(index) if index else name for name, index in _PART.findall(path[0]))
        found = locate(replace(problem, path=path), document, shown_name(file)) if problem.file is None else problem
        placed.append(replace(found, path=problem.path))
    return DefinitionError(*placed)


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


def read_object(text: str) -> dict[str, Any]:
    """Inputs that stand on the command line as one JSON object."""
    found = _json(text, "--inputs")
    if not isinstance(found, dict):
        raise BadRequest("--inputs is a JSON object", """--inputs '{"name": "Ada"}'""")
    return found


def read_answers(file: Path) -> dict[str, Any]:
    """What --mock gives: outputs by the ids of steps."""
    answers = read_input(str(file))
    if not isinstance(answers, dict):
        raise BadRequest("--mock FILE holds an object: outputs by the ids of steps")
    return answers


def _json(text: str, pair: str) -> Any:
    try:
        return read_document(text, suffix=".json").value
    except DefinitionError as error:
        raise BadRequest(f"«{pair}»: what follows := is not JSON", error.problems[0].problem) from error
