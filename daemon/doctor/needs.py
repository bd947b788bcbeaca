"""What the definitions need: that they load, secrets, programs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from daemon.config import Config
from daemon.credentials import FORMS, Credentials
from daemon.doctor.finding import Finding, ok, problem, warning
from daemon.errors import SecretMissing
from daemon.home.definitions import Definitions
from flows.summary import needs
from triggers.trigger import Trigger

PROGRAMS = ("bash", "node", "python")


def definitions(found: Definitions) -> Iterator[Finding]:
    for each in found.problems:
        level = warning if each.warning else problem
        yield level("definitions", str(each.where) + ": " + each.problem if each.where else each.problem, each.hint)
    if not found.refused:
        yield ok("definitions", f"{len(found.triggers)} triggers and {len(found.flows)} flows load")


def secrets(config: Config, found: Definitions) -> Iterator[Finding]:
    """By their names; their values are looked for and not shown."""
    credentials = Credentials(config.home)
    wanted: dict[str, tuple[Mapping[str, Any] | str, str]] = {}
    for trigger in found.triggers:
        for ref in _refs(trigger):
            wanted.setdefault(str(ref), (ref, f"trigger {trigger.key}"))
    for flow in found.flows.values():
        for name in needs(flow)["secrets"]:
            wanted.setdefault(name, (name, f"flow {flow.key}"))
    missing = 0
    for ref, whose in wanted.values():
        try:
            credentials.resolve(ref)
        except SecretMissing as error:
            missing += 1
            hint = f"{error.hint}; what the daemon's unit sets is not seen from here" if error.hint else None
            yield warning("secrets", f"{whose}: {error.message}", hint)
    if wanted and not missing:
        yield ok("secrets", f"the {len(wanted)} secrets that are named are there")


def _refs(trigger: Trigger) -> Iterator[Mapping[str, Any] | str]:
    section = trigger.definition.get("trigger", {}) if isinstance(trigger.definition, dict) else {}
    auth = section.get("auth") if isinstance(section, dict) else None
    refs = auth.get("secret") if isinstance(auth, dict) else None
    for ref in refs if isinstance(refs, list) else [refs]:
        if isinstance(ref, str) or (isinstance(ref, dict) and ref.keys() & set(FORMS)):
            yield ref


def programs(found: Definitions) -> Iterator[Finding]:
    """Those that steps are started with. What a command calls is the command's own."""
    for program in PROGRAMS:
        users = sorted(flow.key for flow in found.flows.values() if needs(flow)[program])
        if not users:
            continue
        name = "python3" if program == "python" else program
        place = shutil.which(name)
        whose = ", ".join(users[:3]) + (", …" if len(users) > 3 else "")
        if place is None:
            yield problem(
                "programs", f"{name} is not in PATH, and {whose} need{'s' if len(users) == 1 else ''} it", f"install {name}"
            )
        else:
            yield ok("programs", f"{name} is {place}")


def watched(config: Config, found: Definitions) -> list[tuple[Path, bool]]:
    """The folders that triggers watch, and whether what is below them counts."""
    roots: dict[Path, bool] = {}
    for trigger in found.triggers:
        if trigger.type == "file-watch" and trigger.enabled:
            for path in trigger.spec.paths:
                root = config.home / path
                roots[root] = roots.get(root, False) or trigger.spec.recursive
    return list(roots.items())


def zones(config: Config, found: Definitions) -> set[str]:
    return {config.timezone, *(trigger.spec.cron.zone.key for trigger in found.triggers if trigger.type == "schedule")}
