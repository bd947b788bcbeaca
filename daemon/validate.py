"""Check definitions without running anything: a home, a folder, or single files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from daemon.config import FILE, read_config
from daemon.errors import HomeError
from daemon.home.beside import FlowsBeside
from daemon.home.definitions import Definitions
from daemon.home.read import read_file
from daemon.home.scan import flows_in
from daemon.home.whole import read_home
from daemon.kinds import configured_kinds
from flows.document import SUFFIXES, locate
from flows.errors import DefinitionError, Problem
from flows.steps import make_kinds
from triggers.load import load_trigger


def validate_paths(paths: Iterable[Path]) -> list[Problem]:
    """All problems and warnings in all paths, each once. An empty list: everything loads."""
    found = [problem for path in paths for problem in _problems(path)]
    return list(dict.fromkeys(found))


def _problems(path: Path) -> list[Problem]:
    try:
        if path.is_dir():
            return _of_folder(path)
        if not path.exists():
            return [Problem((), "it is not there", file=str(path))]
        return _of_file(path)
    except DefinitionError as error:
        return list(error.problems)
    except HomeError as error:
        return [Problem((), error.message, error.hint, file=str(path))]


def _of_folder(folder: Path) -> list[Problem]:
    if is_home(folder):
        return list(_read(folder).problems)
    home = folder.absolute().parent
    if folder.name in {"triggers", "flows"} and is_home(home):
        return _of_home_within(home, folder)
    files = list(flows_in(folder))
    if not files:
        return [Problem((), "it holds no definitions", "a home has triggers/ and flows/", file=str(folder))]
    return [problem for file in files for problem in _problems(file)]


def is_home(folder: Path) -> bool:
    return (folder / FILE).is_file() or (folder / "triggers").is_dir() or (folder / "flows").is_dir()


def _of_file(file: Path) -> list[Problem]:
    if file.name == FILE:
        configured_kinds(read_config(file.absolute().parent))
        return []
    home = _home_of(file)
    if home is not None:
        return _of_home_within(home, file)
    if file.suffix.lower() not in SUFFIXES:
        return [Problem((), f"«{file.suffix}» files are not definitions", f"known are {', '.join(SUFFIXES)}", file=str(file))]
    return _of_lone_file(file)


def _of_lone_file(file: Path) -> list[Problem]:
    """A definition that stands in no home: what it names elsewhere is not checked, but for sub-flows, which stand beside it."""
    document = read_file(file)
    kind = kind_of(document.value)
    try:
        if kind == "trigger":
            load_trigger(document.value, key=file.stem, file=file, default_timezone="UTC")
            return []
        if kind == "flow":
            flow = FlowsBeside(file, make_kinds()).first
            return [locate(warning, document, str(file)) for warning in flow.warnings]
    except DefinitionError as error:
        return [locate(problem, document, str(file)) for problem in error.problems]
    said = "it is neither a trigger (it has no `trigger`) nor a flow (it has no `steps` and no `nodes`)"
    return [locate(Problem((), said), document, str(file))]


def kind_of(definition: Any) -> str | None:
    """Triggers and flows are told apart by what they must have."""
    if not isinstance(definition, dict):
        return None
    if "trigger" in definition or ("flow" in definition and "steps" not in definition):
        return "trigger"
    if "steps" in definition or "nodes" in definition:
        return "flow"
    return None


def _home_of(file: Path) -> Path | None:
    """The home that reads this file as a definition of its own."""
    folder = file.absolute().parent
    if folder.name == "triggers" and is_home(folder.parent):
        return folder.parent
    for flows in (folder, folder.parent):
        if flows.name == "flows" and is_home(flows.parent) and file.absolute() in set(flows_in(flows)):
            return flows.parent
    return None


def _of_home_within(home: Path, path: Path) -> list[Problem]:
    """The problems of a home that stand in one of its files or folders, with the file named as the caller names it."""
    inside = []
    for problem in _read(home).problems:
        file = Path(problem.file) if problem.file is not None else None
        if file is not None and (file == path.absolute() or path.absolute() in file.parents):
            shown = path / file.relative_to(path.absolute()) if file != path.absolute() else path
            inside.append(replace(problem, file=str(shown)))
    return inside


def _read(home: Path) -> Definitions:
    config = read_config(home)
    return read_home(home, configured_kinds(config), timezone=config.timezone)
