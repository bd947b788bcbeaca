"""What can stand at the end of a command line: commands, options, their values, and keys of the home."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cyclopts import App

from daemon.cli.client import Client
from daemon.cli.options import likely_home
from daemon.errors import DaemonError
from flows.errors import DefinitionError

Word = tuple[str, str]  # the word, and what it is

FILES: list[Word] = [(":files", "")]  # for the shell to complete
FOLDERS: list[Word] = [(":folders", "")]
GLOBAL: list[Word] = [("--home", "The home's folder."), ("--help", ""), ("--version", "")]
ANSWER_S = 2.0  # a TAB that takes longer is of no use
SHOWN = 50  # the newest runs and events

# What an argument names, by the name of its command or of its option.
KEYS = {"trigger": "triggers", "flow": "flows", "run": "runs", "event": "events"}
NO_KEYS = {"list", "send"}  # of these nouns: commands whose first argument is none
OPTIONS = {"--trigger": "triggers", "--flow": "flows", "--event": "events", "--run": "runs", "--home": "folders"}
OF_FILES = {"add", "validate", "--input", "--data", "--form", "--mock", "--output-file", "--file"}
OF_FOLDERS = {"init", "--destdir", "--watch"}


def candidates(words: Sequence[str]) -> list[Word]:
    """`words`: after `camshaft`; the last one is begun, and may be empty. Never raises: a TAB has nobody to tell."""
    *before, current = [word for word in words if word != "="] or [""]
    if words and words[-1] == "=":  # bash makes `--output=` two words
        before, current = [*before, current], ""
    try:
        found = list(_found(before, current))
    except (DaemonError, DefinitionError, OSError, ValueError):
        return []
    return found if found in (FILES, FOLDERS) else [word for word in found if word[0].startswith(current)]


def _found(before: list[str], current: str) -> Iterator[Word]:
    path, option, given = _taken(before)
    home = _home(before)
    command, rest = _command(path)
    if option == "--event" and path[:1] == ["trigger"]:
        yield from FILES  # of an event that is made, and not of what is listed
    elif option in OPTIONS or option in OF_FILES or option in OF_FOLDERS:
        yield from _named(option, home)
    elif command is None:
        yield from () if path else GLOBAL if current.startswith("-") else _of_app(None)
    elif isinstance(command, App) and not rest:
        yield from _of_app(command)
    else:
        arguments = _arguments(command[rest[0]] if isinstance(command, App) else command, path)
        if option is not None and (choices := _choices(arguments, option)) is not None:
            yield from choices
        elif current.startswith("-"):
            yield from _all_options(arguments)
        else:
            yield from _positional(path, len(given), home)


def _taken(before: list[str]) -> tuple[list[str], str | None, list[str]]:
    """The command's words, the option whose value comes next, and the arguments so far."""
    from daemon.cli.main import COMMANDS  # main imports nothing of this; it is loaded by now

    nested = {name for name, place, _ in COMMANDS if place.endswith(":app")}
    path: list[str] = []
    given: list[str] = []
    option: str | None = None
    for word in before:
        if option is not None:
            option = None
        elif word.startswith("-") and word != "-":
            option = None if "=" in word else word
        elif not path or (len(path) == 1 and path[0] in nested):
            path.append(word)
        else:
            given.append(word)
    return path, option, given


def _command(path: list[str]) -> tuple[Any, list[str]]:
    """The command's app or function, loaded; None: no command yet. And the words below it."""
    from daemon.cli.main import COMMANDS

    for name, place, _ in COMMANDS:
        if path and name == path[0]:
            module, _, attribute = place.partition(":")
            found = getattr(importlib.import_module(module), attribute)
            known = not isinstance(found, App) or len(path) < 2 or path[1] in _commands(found)
            return (found, path[1:]) if known else (None, [])
    return None, []


def _of_app(app: App | None) -> list[Word]:
    from daemon.cli.main import COMMANDS

    if app is None:
        return [(name, summary) for name, _, summary in COMMANDS]
    return [(name, _first_line(app[name].help)) for name in _commands(app)]


def _commands(app: App) -> list[str]:
    return [str(name) for name in app if not str(name).startswith("-")]


def _arguments(command: Any, path: list[str]) -> list[Any]:
    app = command
    if not isinstance(command, App):
        app = App(name=path[0])
        app.default(command)
    return list(app.assemble_argument_collection())


def _choices(arguments: list[Any], option: str) -> list[Word] | None:
    """The values that an option takes. None: it takes none, or any; the word after it may be an argument or a text."""
    for argument in arguments:
        if option in argument.names:
            if argument.hint is bool:
                return None
            return [(str(choice), "") for choice in argument.get_choices() or ()]
    return None


def _all_options(arguments: list[Any]) -> Iterator[Word]:
    for argument in arguments:
        yield from ((name, _first_line(argument.parameter.help)) for name in argument.names if name.startswith("--"))
    yield "--help", ""


def _positional(path: list[str], number: int, home: Path) -> Iterable[Word]:
    name = path[-1]
    if name in OF_FILES or name in OF_FOLDERS:
        return FILES if name in OF_FILES else FOLDERS
    if path == ["config", "get"] and number == 0:
        return _settings()
    if path == ["schema"] and number == 0:
        return [("trigger", "a trigger's file"), ("flow", "a flow's file"), ("config", "camshaft.toml")]
    if len(path) == 2 and path[0] in KEYS and name not in NO_KEYS and number == 0:
        found = list(_of_home(KEYS[path[0]], home))
        return found or (FILES if path == ["flow", "execute"] else [])
    return []


def _named(option: str | None, home: Path) -> Iterable[Word]:
    kind = OPTIONS.get(option or "")
    if kind == "folders" or option in OF_FOLDERS:
        return FOLDERS
    return _of_home(kind, home) if kind is not None else FILES


def _of_home(kind: str, home: Path) -> Iterator[Word]:
    """Keys and ids: of the daemon where one runs, else by the names of files."""
    limit = {"limit": SHOWN} if kind in {"runs", "events"} else None
    try:
        rows = Client(home, patience_s=0).ask("GET", f"/v1/{kind}", limit, answer_s=ANSWER_S)
    except DaemonError:
        yield from sorted({(_key_of(file), "") for file in _files(home / kind)})
        return
    noun = kind.removesuffix("s")
    for row in rows:
        yield str(row.get("key") or row.get(noun)), str(row.get("flow") or row.get("name") or row.get("status") or "")


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if not path.name.startswith("."))


def _key_of(file: Path) -> str:
    return file.name if file.is_dir() else file.stem


def _settings() -> Iterator[Word]:
    """Those of the daemon itself; the ones of parts are many, and slow to load."""
    from daemon.config import Config  # pydantic: only for this one argument

    for section, field in Config.model_fields.items():
        settings: dict[str, Any] = getattr(field.annotation, "model_fields", {})
        yield from ((f"{section}.{name}", _first_line(setting.description)) for name, setting in settings.items())


def _home(before: list[str]) -> Path:
    for at, word in enumerate(before):
        if word == "--home" and at + 1 < len(before):
            return likely_home(Path(before[at + 1]))
        if word.startswith("--home="):
            return likely_home(Path(word.removeprefix("--home=")))
    return likely_home(None)


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]
