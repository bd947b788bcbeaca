"""One visit: every check in order. What breaks off one check is a finding of its own, and the others go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from daemon.config import Config, read_config
from daemon.doctor import machine, needs, place
from daemon.doctor.finding import Finding, ok, problem
from daemon.home.whole import read_home
from daemon.kinds import configured_kinds
from flows.errors import DefinitionError


def examine(home: Path, status: dict[str, Any] | None) -> Iterator[Finding]:
    """`status`: what the home's daemon says of itself; None: none answers. Raises HomeError where there is no home."""
    yield from machine.versions()
    try:
        config = read_config(home)
        kinds = configured_kinds(config)
    except DefinitionError as error:
        for each in error.problems:
            yield problem("config", f"{each.where}: {each.problem}" if each.where else each.problem, each.hint)
        return  # everything else hangs on it
    yield ok("config", "the configuration is good")
    found = read_home(home, kinds, timezone=config.timezone)
    checks: tuple[Callable[[], Iterable[Finding]], ...] = (
        lambda: place.folders(config),
        lambda: place.process(config, status),
        lambda: place.database(config),
        lambda: needs.definitions(found),
        lambda: needs.secrets(config, found),
        lambda: needs.programs(found),
        lambda: machine.clock(needs.zones(config, found)),
        lambda: machine.disk(_there(config)),
        lambda: machine.inotify(needs.watched(config, found)),
        lambda: machine.descriptors(None if status is None else status["pid"]),
    )
    for check in checks:
        try:
            yield from check()
        except OSError as error:
            yield problem("doctor", f"a check broke off: {error}")


def _there(config: Config) -> Path:
    """The folder that the daemon writes to, or where it will be made."""
    return config.state if config.state.exists() else config.home
