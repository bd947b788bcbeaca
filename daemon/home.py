"""A home: the folder with definitions; read whole into one frozen set, written one trigger at a time."""

from __future__ import annotations

import errno
import gc
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from daemon.crosscheck import check_flows, check_triggers
from daemon.errors import Conflict, HomeError, NotFound
from flows.dialects import load_flow
from flows.document import MAX_TEXT_BYTES, SUFFIXES, Document, locate, read_document
from flows.errors import DefinitionError, Problem
from flows.flow import Flow
from flows.step import StepKind
from triggers.load import load_trigger
from triggers.match import TriggerSet
from triggers.trigger import Trigger

FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", re.ASCII)

Kinds = Mapping[str, StepKind]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one file gave. `stamp` tells a file that was not touched since, so that it is not read again."""

    file: Path
    stamp: tuple[int, ...]
    key: str  # the definition's, or the file's name where it does not load
    definition: Trigger | Flow | None  # None: it is refused, and `problems` say why
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Definitions:
    """All that a home defines and that may run, checked together. Nothing in it changes; a reload makes another."""

    home: Path
    triggers: tuple[Trigger, ...]
    set: TriggerSet
    flows: Mapping[str, Flow]
    problems: tuple[Problem, ...] = ()  # what was left out and why, and warnings
    files: Mapping[Path, Loaded] = field(default_factory=dict, repr=False)

    @property
    def refused(self) -> tuple[Problem, ...]:
        """The problems that left something out."""
        return tuple(problem for problem in self.problems if not problem.warning)

    def trigger(self, key: str) -> Trigger | None:
        return next((trigger for trigger in self.triggers if trigger.key == key), None)


@dataclass(slots=True)
class Holder:
    """The set that is in force. Swapped whole; whoever works with one keeps the one it took."""

    current: Definitions


def read_home(home: Path, kinds: Kinds, *, timezone: str = "UTC", previous: Definitions | None = None) -> Definitions:
    """Read every definition. What is wrong is left out and stands in `problems`; the rest is loaded.

    Files that were not touched since `previous` are taken from there. Raises HomeError when the home cannot be read.
    """
    known = previous.files if previous is not None else {}
    with _uncollected():
        triggers = [_load(file, known, lambda file, document: _trigger(file, document, timezone)) for file in trigger_files(home)]
        flows = [_load(file, known, lambda file, document: _flow(file, document, kinds)) for file in flow_files(home)]
        return assemble(home, triggers, flows)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Nothing of what is loaded is garbage: to look for some costs a third of the time with ten thousand triggers."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def assemble(home: Path, trigger_loads: Iterable[Loaded], flow_loads: Iterable[Loaded]) -> Definitions:
    """Check what stands in single files against each other, and keep what holds."""
    loaded_flows, loaded_triggers = list(flow_loads), list(trigger_loads)
    problems = [problem for loaded in (*loaded_triggers, *loaded_flows) for problem in loaded.problems]
    flows, doubles = _unique(loaded_flows, "flow")
    problems += doubles
    broken = {loaded.key for loaded in loaded_flows if loaded.definition is None}
    flows, found = check_flows(flows, broken)
    problems += _placed(found, {loaded.key: loaded.file for loaded in loaded_flows})
    broken |= {loaded.key for loaded in loaded_flows if loaded.key not in flows}
    triggers, doubles = _unique(loaded_triggers, "trigger")
    problems += doubles
    triggers, found = check_triggers(triggers, flows, broken)
    problems += _placed(found, {loaded.key: loaded.file for loaded in loaded_triggers})
    kept = tuple(triggers.values())
    files = {loaded.file: loaded for loaded in (*loaded_triggers, *loaded_flows)}
    return Definitions(home, kept, TriggerSet(kept), flows, tuple(problems), files)


def with_trigger(definitions: Definitions, trigger: Trigger, file: Path) -> Definitions:
    """The set as it would be with this trigger in this file. Nothing is written."""
    folder = definitions.home / "triggers"
    others = [loaded for path, loaded in definitions.files.items() if path != file]
    triggers = [loaded for loaded in others if loaded.file.parent == folder]
    flows = [loaded for loaded in others if loaded.file.parent != folder]
    return assemble(definitions.home, [*triggers, Loaded(file, (), trigger.key, trigger)], flows)


def without_trigger(definitions: Definitions, key: str) -> Definitions:
    """The set without this trigger, and otherwise as it is. Nothing is read or written."""
    folder = definitions.home / "triggers"
    kept = [loaded for loaded in definitions.files.values() if loaded.file.parent != folder or loaded.key != key]
    triggers = [loaded for loaded in kept if loaded.file.parent == folder]
    return assemble(definitions.home, triggers, [loaded for loaded in kept if loaded.file.parent != folder])


def trigger_files(home: Path) -> list[Path]:
    """The definitions of triggers, in the order of their names."""
    return [file for file in _listed(home / "triggers") if file.suffix in SUFFIXES and not file.is_dir()]


def flow_files(home: Path) -> list[Path]:
    """The definitions of flows: flows/<key>.json, flows/<key>/flow.json, flows/<key>.flow.json, and the same in YAML."""
    return list(flows_in(home / "flows"))


def flows_in(folder: Path) -> Iterator[Path]:
    """The files in `folder` that define flows, by their names."""
    for entry in _listed(folder):
        if entry.is_dir():
            yield from (file for suffix in SUFFIXES if (file := entry / f"flow{suffix}").is_file())
        elif entry.suffix in SUFFIXES:
            yield entry


def flow_name(file: Path) -> str:
    """The key of a flow that names none: its file's stem, or its folder's name."""
    if file.stem == "flow":
        return file.absolute().parent.name
    return file.stem.removesuffix(".flow")


def read_file(file: Path) -> Document:
    """A definition's document. Raises DefinitionError with file and line."""
    try:
        if not file.is_file():  # opening a pipe would wait for ever
            raise DefinitionError.at((), "it is no file" if file.exists() else "it is not there")
        with file.open("rb") as opened:
            return read_document(opened.read(MAX_TEXT_BYTES + 1), suffix=file.suffix)
    except DefinitionError as error:
        raise _in_file(error, file) from error
    except OSError as error:
        raise _in_file(DefinitionError.at((), f"it cannot be read: {error.strerror}"), file) from error


def load_file(file: Path, load: Callable[[Path, Document], Trigger | Flow]) -> Trigger | Flow:
    """Read and load one file. Raises DefinitionError with every problem in its place."""
    document = read_file(file)
    try:
        return load(file, document)
    except DefinitionError as error:
        raise DefinitionError(*(locate(problem, document, str(file)) for problem in error.problems)) from error


def write_trigger(home: Path, definition: Mapping[str, Any], *, key: str, overwrite: bool = False) -> Path:
    """Write triggers/<key>.json whole or not at all. Raises Conflict where the file is there and is not to be replaced."""
    if not FILE_NAME.fullmatch(key):
        raise DefinitionError.at(
            ("key",), f"«{key}» cannot be a file's name", "letters, digits and . _ -, from a letter or digit on"
        )
    folder = home / "triggers"
    file = folder / f"{key}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=f".{key}.", suffix=".part")
    except OSError as error:
        raise HomeError(f"cannot write to {folder}: {error.strerror}", "the home must be writable to add a trigger") from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as part:
            json.dump(definition, part, indent=2, ensure_ascii=not _writable_as_it_is(definition))
            part.write("\n")
            part.flush()
            os.fchmod(part.fileno(), 0o644)
            os.fsync(part.fileno())
        _put(Path(name), file, overwrite=overwrite)
    except OSError as error:
        raise HomeError(f"cannot write {file}: {error.strerror}") from error
    finally:
        Path(name).unlink(missing_ok=True)
    sync_folder(folder)
    return file


def remove_trigger(definitions: Definitions, key: str) -> Path:
    """Remove the file that defines the trigger, also where the definition is refused. Raises NotFound."""
    for file, loaded in definitions.files.items():
        if loaded.key == key and file.parent.name == "triggers":
            try:
                file.unlink()
            except FileNotFoundError:
                break
            except OSError as error:
                raise HomeError(f"cannot remove {file}: {error.strerror}") from error
            sync_folder(file.parent)
            return file
    raise NotFound(f"there is no trigger «{key}»", "camshaft trigger list")


def sync_folder(folder: Path) -> None:
    """A rename is on disk when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put(part: Path, file: Path, *, overwrite: bool) -> None:
    if overwrite:
        part.replace(file)
        return
    try:
        os.link(part, file)  # unlike a rename it never writes over a file that came in between
    except FileExistsError as error:
        raise Conflict(f"{file} is there already", "remove it first, or add with --replace") from error
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}:  # a file system without links
            raise
        if file.exists():
            raise Conflict(f"{file} is there already", "remove it first, or add with --replace") from error
        part.replace(file)


def _writable_as_it_is(definition: Any) -> bool:
    """False where a lone surrogate stands in it: it is then written as its escape."""
    try:
        json.dumps(definition, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _listed(folder: Path) -> list[Path]:
    """A folder's entries by name; without hidden ones, which are editors' and our own unfinished files."""
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise HomeError(f"cannot read {folder}: {error.strerror}") from error


def _load(file: Path, known: Mapping[Path, Loaded], load: Callable[[Path, Document], Trigger | Flow]) -> Loaded:
    stamp = _stamp(file)
    old = known.get(file)
    if old is not None and stamp and old.stamp == stamp:
        return old
    try:
        definition = load_file(file, load)
    except DefinitionError as error:
        return Loaded(file, stamp, flow_name(file), None, error.problems)
    warnings = definition.warnings if isinstance(definition, Flow) else ()
    return Loaded(
        file,
        stamp,
        definition.key,
        definition,
        tuple(_placed([(definition.key, one) for one in warnings], {definition.key: file})),
    )


def _stamp(file: Path) -> tuple[int, ...]:
    """What changes when a file does: the change time cannot be set back."""
    try:
        status = file.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _trigger(file: Path, document: Document, timezone: str) -> Trigger:
    return load_trigger(document.value, key=file.stem, file=file, default_timezone=timezone)


def _flow(file: Path, document: Document, kinds: Kinds) -> Flow:
    return load_flow(document.value, key=flow_name(file), folder=file.parent, kinds=kinds)


def _unique(loads: Iterable[Loaded], noun: str) -> tuple[dict[str, Any], list[Problem]]:
    """The definitions by key. Where two files define one key both are left out: neither is known to be meant."""
    by_key: dict[str, list[Loaded]] = {}
    for loaded in loads:
        if loaded.definition is not None:
            by_key.setdefault(loaded.key, []).append(loaded)
    problems = [
        problem
        for key, same in by_key.items()
        if len(same) > 1
        for problem in _placed(
            [
                (
                    key,
                    Problem(
                        ("key",),
                        f"two files define the {noun} «{key}»: {' and '.join(one.file.name for one in same)}",
                        "remove one, or give it another key",
                    ),
                )
            ],
            {key: same[-1].file},
        )
    ]
    return {key: same[0].definition for key, same in by_key.items() if len(same) == 1}, problems


def _placed(found: Iterable[tuple[str, Problem]], files: Mapping[str, Path]) -> list[Problem]:
    """Problems that were found after the text was let go, with their lines: the file is read again, for mistakes only."""
    placed = []
    for key, problem in found:
        file = files[key]
        try:
            placed.append(locate(problem, read_file(file), str(file)))
        except DefinitionError:  # it went away meanwhile
            placed.append(replace(problem, file=str(file)))
    return placed


def _in_file(error: DefinitionError, file: Path) -> DefinitionError:
    return DefinitionError(*(replace(problem, file=str(file)) for problem in error.problems))
