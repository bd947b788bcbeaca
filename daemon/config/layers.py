"""Where settings stand: the defaults, camshaft.toml, systemd's credentials, the environment, flags; each is stronger than those before.

A credential or a variable is a setting when it is named like one, in any case: CAMSHAFT_HTTP__LISTEN. Other credentials are
secrets, other variables are somebody else's.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from daemon.errors import HomeError
from flows.errors import DefinitionError, Problem

FILE = "camshaft.toml"
PREFIX = "CAMSHAFT_"
CODE = "CONFIG"
MAX_VALUE_BYTES = 1024 * 1024  # of a credential; systemd's own limit

Place = tuple[str | int, ...]
Kind = Literal["default", "file", "credential", "environment", "flag"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from."""

    kind: Kind
    name: str = ""  # the credential, the variable, or the file
    line: int | None = None  # of the file

    def __str__(self) -> str:
        if self.kind == "file":
            return f"{FILE}:{self.line}" if self.line else FILE
        return f"{self.kind} {self.name}" if self.name else self.kind


@dataclass(frozen=True, slots=True)
class Layer:
    """The values of one place, in the shape of the file."""

    kind: Kind
    values: Mapping[str, Any]
    names: Mapping[Place, str] = field(default_factory=dict)  # of a credential or a variable, by what it sets
    text: str = ""  # of the file
    file: str = ""

    def has(self, path: Place) -> bool:
        here: Any = self.values
        for part in path:
            if not isinstance(here, Mapping) or part not in here:
                return False
            here = here[part]
        return True

    def origin(self, path: Place) -> Origin:
        if self.kind == "file":
            return Origin("file", self.file, line_of(self.text, path))
        near = [name for set_, name in self.names.items() if set_[: len(path)] == path or path[: len(set_)] == set_]
        return Origin(self.kind, near[0] if near else "")  # a part of it, or the whole that it is a part of


@dataclass(frozen=True, slots=True)
class Layers:
    """All that was said, the strongest first."""

    layers: Sequence[Layer] = ()

    def merged(self) -> dict[str, Any]:
        """One document; tables are put together, anything else is replaced."""
        whole: dict[str, Any] = {}
        for layer in reversed(self.layers):
            whole = _over(whole, layer.values)
        return whole

    def origin(self, path: Place) -> Origin:
        """Of the strongest layer that has this setting."""
        for layer in self.layers:
            if layer.has(path):
                return layer.origin(path)
        return Origin("default")


def read_layers(home: Path, flags: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Layers:
    """Read every place. Raises DefinitionError where one is no settings at all, HomeError where it cannot be read."""
    environment = os.environ if environment is None else environment
    file = home / FILE
    text = _read_text(file)
    return Layers(
        (
            Layer("flag", flags),
            _named("environment", environment.items()),
            _named("credential", _credentials(environment.get("CREDENTIALS_DIRECTORY"))),
            Layer("file", _parse(text, file), text=text, file=str(file)),
        )
    )


def is_setting(name: str) -> bool:
    """CAMSHAFT_SECTION__KEY, in any case."""
    head, inner, _ = name.upper().removeprefix(PREFIX).partition("__")
    return name.upper().startswith(PREFIX) and bool(head and inner)


def _named(kind: Kind, pairs: Any) -> Layer:
    """Variables or credentials as a document. Raises DefinitionError."""
    values: dict[str, Any] = {}
    names: dict[Place, str] = {}
    for name, text in pairs:
        if not is_setting(name):
            continue
        path = tuple(name[len(PREFIX) :].lower().split("__"))
        here = values
        for part in path[:-1]:
            inner = here.setdefault(part, {})
            if not isinstance(inner, dict):
                raise DefinitionError(Problem((name,), f"«{part}» is set as a whole already", code=CODE, file=kind))
            here = inner
        here[path[-1]] = _value(text)
        names[path] = name
    return Layer(kind, values, names)


def _value(text: str) -> Any:
    """A text as it stands; a list or an object where it is JSON."""
    if text[:1] in {"[", "{"}:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text  # [::1]:8700
    return text


def _credentials(folder: str | None) -> Iterator[tuple[str, str]]:
    """The files that systemd has put there and that are named like settings; the others are secrets, and are not opened."""
    if not folder:
        return
    try:
        found = sorted(path for path in Path(folder).iterdir() if is_setting(path.name))
    except OSError as error:
        raise HomeError(f"cannot read the credentials in {folder}: {error.strerror}") from error
    for path in found:
        problem = None
        try:
            with path.open("rb") as opened:
                raw = opened.read(MAX_VALUE_BYTES + 1)
            if len(raw) > MAX_VALUE_BYTES:
                problem = f"it is larger than {MAX_VALUE_BYTES} bytes"
            else:
                yield path.name, raw.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            problem = "it is not UTF-8 text"
        except OSError as error:
            problem = f"it cannot be read: {error.strerror}"
        if problem is not None:
            raise DefinitionError(Problem((path.name,), problem, code=CODE, file="credential"))


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""  # a home without a file has the defaults
    except UnicodeDecodeError as error:
        raise DefinitionError(Problem((), "it is not UTF-8 text", "save it as UTF-8", file=str(file))) from error
    except OSError as error:
        raise HomeError(f"cannot read {file}: {error.strerror}") from error


def _parse(text: str, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))  # attributes only from Python 3.14 on
        said = str(error).partition(" (at ")[0]
        line, column = (int(place[1]), int(place[2])) if place else (None, None)
        problem = Problem((), f"it is not TOML: {said}", code=CODE, file=str(file), line=line, column=column)
        raise DefinitionError(problem) from error


def _over(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(below)
    for name, value in above.items():
        old = both.get(name)
        both[name] = _over(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return both


def line_of(text: str, path: Place) -> int | None:
    """The line of a setting in TOML text, found by its header and its name: the parser keeps no places."""
    names = [str(part) for part in path]
    section: list[str] = []
    found = None
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line):
            section = [part.strip().strip("\"'") for part in header[1].split(".")]
            reached = section
        elif setting := re.match(r"\s*([\w.\-\"']+)\s*=", line):
            reached = section + [part.strip("\"'") for part in setting[1].split(".")]
        else:
            continue
        if reached[: len(names)] == names:  # or inside of it, written as a.b.c = 1
            return number
        if found is None and names[: len(reached)] == reached:
            found = number  # the section, where the setting itself stands in no line of its own
    return found
