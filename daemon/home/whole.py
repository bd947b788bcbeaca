"""A home: the folder with definitions, read whole into one frozen set."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

from daemon.home.definitions import Definitions, Loaded, assemble, is_trigger_file, placed
from daemon.home.read import Load, as_document, content_of, load_document
from daemon.home.scan import Stamp, flow_name, scan
from flows.dialects import load_flow
from flows.document import Document
from flows.errors import DefinitionError
from flows.flow import Flow
from flows.step import StepKind
from triggers.load import load_trigger
from triggers.trigger import Trigger

Kinds = Mapping[str, StepKind]

BATCH = 64  # files that are read one after the other


def read_home(
    home: Path,
    kinds: Kinds,
    *,
    timezone: str = "UTC",
    previous: Definitions | None = None,
    before: Definitions | None = None,
    keep_good: bool = False,
    gone: Collection[Path] | None = None,
) -> Definitions:
    """Read every definition. What is wrong is left out and stands in `problems`; the rest is loaded.

    Files that were not touched since `previous` was read are taken from there. `before` is the set in force, `previous` if none
    is named; with `keep_good` its versions stand in for those that are wrong now. `gone`: of the files that `previous` had and
    that are not there, only these are taken as removed; None: all. Raises HomeError when the home cannot be read.
    """
    known = previous.files if previous is not None else {}
    with uncollected():
        found = scan(home)
        loads = [
            *_loads(found.triggers, known, partial(_trigger, timezone)),
            *_loads(found.flows, known, partial(_flow, kinds)),
        ]
        waited_for = [] if gone is None else _waited_for(home, loads, known, gone)
        after = assemble(home, [*loads, *waited_for], before=before or previous, keep_good=keep_good)
    return replace(after, missing=frozenset(loaded.file for loaded in waited_for)) if waited_for else after


@contextmanager
def uncollected() -> Iterator[None]:
    """Nothing of what is loaded is garbage: to look for some costs a third of the time with ten thousand triggers."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _waited_for(home: Path, loads: list[Loaded], known: Mapping[Path, Loaded], gone: Collection[Path]) -> list[Loaded]:
    """Of files that are not there: those that may come again in a moment, as git writes them, and were not renamed."""
    here = {loaded.file for loaded in loads}
    keys = {(is_trigger_file(home, loaded.file), loaded.key) for loaded in loads}
    return [
        loaded
        for file, loaded in known.items()
        if file not in here and file not in gone and (is_trigger_file(home, file), loaded.key) not in keys
    ]


def _loads(files: Sequence[tuple[Path, Stamp]], known: Mapping[Path, Loaded], load: Load) -> Iterator[Loaded]:
    """What each file gives, in their order.

    They are read some at a time: a system call lets go of Python, and one for each file, with little between them, takes it back
    again before the daemon's loop, which waits for it, is awake. Between two batches a thread that computes gives way as asked.
    """
    for start in range(0, len(files), BATCH):
        batch = files[start : start + BATCH]
        found = [_untouched(known.get(file), stamp) or _content(file) for file, stamp in batch]
        for (file, stamp), each in zip(batch, found, strict=True):
            yield each if isinstance(each, Loaded) else _load(file, stamp, known.get(file), each, load)


def _untouched(old: Loaded | None, stamp: Stamp) -> Loaded | None:
    return old if old is not None and stamp and old.stamp == stamp else None


def _content(file: Path) -> bytes | DefinitionError:
    try:
        return content_of(file)
    except DefinitionError as error:
        return error


def _load(file: Path, stamp: Stamp, old: Loaded | None, content: bytes | DefinitionError, load: Load) -> Loaded:
    text = b""
    try:
        if isinstance(content, DefinitionError):
            raise content
        document = as_document(content, file)
        text = sha256(document.text.encode()).digest()
        if old is not None and old.text == text and isinstance(old.definition, Trigger):  # a flow is also what lies beside it
            return replace(old, stamp=stamp)
        definition = load_document(file, document, None if old is None else old.definition, load)
    except DefinitionError as error:
        return Loaded(file, stamp, flow_name(file) if old is None else old.key, None, error.problems, text)
    warnings = definition.warnings if isinstance(definition, Flow) else ()
    problems = placed([(definition.key, one) for one in warnings], {definition.key: file}) if warnings else ()
    return Loaded(file, stamp, definition.key, definition, tuple(problems), text)


def _trigger(timezone: str, file: Path, document: Document, before: Trigger | Flow | None) -> Trigger:
    earlier = before if isinstance(before, Trigger) else None
    return load_trigger(document.value, key=file.stem, file=file, default_timezone=timezone, before=earlier)


def _flow(kinds: Kinds, file: Path, document: Document, before: Trigger | Flow | None) -> Flow:  # noqa: ARG001 - a flow is read whole
    return load_flow(document.value, key=flow_name(file), folder=file.parent, kinds=kinds)
