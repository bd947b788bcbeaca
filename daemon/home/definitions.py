"""The set of definitions: what single files gave, checked against each other, and what is in force. Nothing is read here."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from daemon.home.crosscheck import check_flows, check_triggers
from daemon.home.emit_check import absent_hooks, unheard_events
from daemon.home.pins import pinned
from daemon.home.read import read_file
from daemon.home.scan import TRIGGERS, Stamp
from flows.document import locate
from flows.errors import DefinitionError, Problem
from flows.flow import Flow
from triggers.match import TriggerSet
from triggers.suspension import Suspension
from triggers.trigger import Trigger

PIECE = 64  # parts of a set that are freed at once: less than a millisecond


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one file gave. `stamp` tells a file that was not touched since, so that it is not read again."""

    file: Path
    stamp: Stamp
    key: str  # the definition's; where it does not load the one it had, or its file's name
    definition: Trigger | Flow | None  # None: it is refused, and `problems` say why
    problems: tuple[Problem, ...] = ()
    text: bytes = b""  # SHA-256 of the file's text: git touches what it does not change


@dataclass(frozen=True, slots=True)
class Definitions:
    """All that a home defines and that may run, checked together. Nothing in it changes; a reload makes another."""

    home: Path
    triggers: tuple[Trigger, ...]
    set: TriggerSet
    flows: Mapping[str, Flow]
    problems: tuple[Problem, ...] = ()  # what was left out and why, and warnings
    files: Mapping[Path, Loaded] = field(default_factory=dict, repr=False)
    suspended: Mapping[str, Suspension] = field(default_factory=dict)  # by trigger: an operator's switches, kept in the store
    missing: frozenset[Path] = frozenset()  # files that are not there, and whose definitions stay for a moment

    @property
    def refused(self) -> tuple[Problem, ...]:
        """The problems that left something out."""
        return tuple(problem for problem in self.problems if not problem.warning)

    def trigger(self, key: str) -> Trigger | None:
        return self.set.by_key.get(key)


@dataclass(slots=True)
class Holder:
    """The set that is in force. Swapped whole; whoever works with one keeps the one it took."""

    current: Definitions


@dataclass(frozen=True, slots=True)
class Keys:
    """What became of one noun's definitions between two sets."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def shown(self) -> dict[str, list[str]]:
        return {"added": list(self.added), "changed": list(self.changed), "removed": list(self.removed)}


def assemble(home: Path, loads: Iterable[Loaded], *, before: Definitions | None = None, keep_good: bool = False) -> Definitions:
    """Check what stands in single files against each other, and keep what holds.

    `before` is the set in force: what has not changed is taken from it. `keep_good`: where a file's new version does not hold,
    the version that is in force stays, and the problem is told all the same.
    """
    files = {loaded.file: loaded for loaded in loads}
    loaded_triggers: list[Loaded] = []
    loaded_flows: list[Loaded] = []
    folder = home / TRIGGERS
    for file, loaded in files.items():
        (loaded_triggers if file.parent == folder else loaded_flows).append(loaded)
    problems = [problem for loaded in files.values() for problem in loaded.problems]
    good = before if keep_good else None
    flows, broken, found = _flows(loaded_flows, good)
    problems += found
    flows = pinned(flows, before.flows if before else {})
    triggers, found = _triggers(loaded_triggers, flows, broken, good)
    problems += found
    unknown = unheard_events(flows, triggers.values()) + absent_hooks(flows, triggers.values())
    problems += placed(unknown, {loaded.key: loaded.file for loaded in loaded_flows})
    kept = tuple(triggers.values())
    suspended = before.suspended if before else {}
    return Definitions(
        home, kept, TriggerSet(kept, before.set if before else None, suspended), flows, tuple(problems), files, suspended
    )


def _flows(loads: list[Loaded], good: Definitions | None) -> tuple[dict[str, Flow], set[str], list[Problem]]:
    """The flows that hold, the keys of those that do not, and why."""
    flows, problems = _unique(loads, "flow")
    wanted = {loaded.key for loaded in loads}
    broken = {loaded.key for loaded in loads if loaded.definition is None}
    stand_ins = {} if good is None else {key: good.flows[key] for key in wanted & good.flows.keys()}
    for key in broken & stand_ins.keys() - flows.keys():
        flows[key] = stand_ins[key]
    checked, found = check_flows(flows, broken - flows.keys())
    for key in wanted & stand_ins.keys() - checked.keys():
        checked[key] = stand_ins[key]
    problems += placed(found, {loaded.key: loaded.file for loaded in loads})
    return checked, wanted - checked.keys(), problems


def _triggers(
    loads: list[Loaded], flows: Mapping[str, Flow], broken: set[str], good: Definitions | None
) -> tuple[dict[str, Trigger], list[Problem]]:
    triggers, problems = _unique(loads, "trigger")
    checked, found = check_triggers(triggers, flows, broken)
    problems += placed(found, {loaded.key: loaded.file for loaded in loads})
    for key in {loaded.key for loaded in loads} - checked.keys() if good is not None else ():
        stand_in = good.trigger(key) if good is not None else None
        if stand_in is not None and stand_in.flow in flows:
            checked[key] = stand_in
    return checked, problems


def with_suspended(definitions: Definitions, suspended: Mapping[str, Suspension]) -> Definitions:
    """The same set with these switches. In a thread, where it is large."""
    return replace(definitions, set=TriggerSet(definitions.triggers, definitions.set, suspended), suspended=suspended)


def with_trigger(definitions: Definitions, trigger: Trigger, file: Path) -> Definitions:
    """The set as it would be with this trigger in this file. Nothing is written."""
    others = [loaded for path, loaded in definitions.files.items() if path != file]
    return assemble(definitions.home, [*others, Loaded(file, (), trigger.key, trigger)], before=definitions)


def without_trigger(definitions: Definitions, key: str) -> Definitions:
    """The set without this trigger, and otherwise as it is. Nothing is read or written."""
    home = definitions.home
    kept = [loaded for file, loaded in definitions.files.items() if loaded.key != key or not is_trigger_file(home, file)]
    return assemble(home, kept, before=definitions)


def let_go(definitions: list[Definitions], pause_s: float = 0.0) -> None:
    """Forget the set in the list, piece by piece. In a thread: freed at once, ten thousand triggers hold everyone up for 90 ms.

    `pause_s`: given to the others after each piece, where nobody waits for the end.
    """
    old = definitions.pop()
    pieces: list[object] = [*old.files.values(), *old.set.pieces()]
    del old
    while pieces:
        del pieces[-PIECE:]
        if pause_s:
            time.sleep(pause_s)


def is_trigger_file(home: Path, file: Path) -> bool:
    return file.parent == home / TRIGGERS


def difference(before: Definitions, after: Definitions) -> dict[str, Keys]:
    """What a reload changed, by noun: versions count, not files."""
    return {
        "triggers": _keys({one.key: one.digest for one in before.triggers}, {one.key: one.digest for one in after.triggers}),
        "flows": _keys(_digests(before.flows), _digests(after.flows)),
    }


def _digests(flows: Mapping[str, Flow]) -> dict[str, str]:
    return {key: flow.digest for key, flow in flows.items()}


def _keys(before: Mapping[str, str], after: Mapping[str, str]) -> Keys:
    return Keys(
        tuple(sorted(after.keys() - before.keys())),
        tuple(sorted(key for key in after.keys() & before.keys() if after[key] != before[key])),
        tuple(sorted(before.keys() - after.keys())),
    )


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
        for problem in placed(
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


def placed(found: Iterable[tuple[str, Problem]], files: Mapping[str, Path]) -> list[Problem]:
    """Problems that were found after the text was let go, with their lines: the file is read again, for mistakes only."""
    placed = []
    for key, problem in found:
        file = files[key]
        try:
            placed.append(locate(problem, read_file(file), str(file)))
        except DefinitionError:  # it went away meanwhile
            placed.append(replace(problem, file=str(file)))
    return placed
