"""What a home looked like when it was read last: so that only what was touched is read again, and each thing is told once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import structlog

from daemon.home.definitions import Definitions
from daemon.home.scan import CONFIG, Scan, Stamp, stamp_of
from flows.errors import Problem

log = structlog.get_logger()

TOLD_AT_ONCE = 50  # problems with a line of their own: a branch that breaks a thousand files is one mistake


@dataclass(slots=True)
class Seen:
    """Written by whoever reads the home, one at a time; read by anyone."""

    unfinished: bool = False  # True: it was read, and something that was not its own fault kept it out of force
    config: Stamp = ()
    _found: Definitions | None = None
    _told: bool = True  # what was found
    _begun: bool = False  # False: no daemon runs on what was read
    _config_digest: str | None = None  # of the text that is in force
    _config_told: str | None = None
    _problems: Counter[Problem] = field(default_factory=Counter)  # as they were told last

    @property
    def found(self) -> Definitions | None:
        """The home as it was on disk, whether or not it came in force. None: as it was at the start."""
        return self._found

    @found.setter
    def found(self, found: Definitions) -> None:
        self._found, self._told = found, False

    def begin(self, home: Path, current: Definitions) -> None:
        """The daemon starts with camshaft.toml as it is now, and has told what is wrong in this set."""
        self._problems = Counter(current.problems)
        self._begun = True
        self.config = stamp_of(home / CONFIG)
        self._config_digest = self._config_told = _digest(home / CONFIG)

    def shows(self, scan: Scan, current: Definitions) -> bool:
        """Whether a scan shows the files as they were read last, and nothing is left to do.

        There is where a command read them for a change of its own, and that was refused: what else it saw is not in force.
        """
        if self.unfinished or scan.config != self.config or not self._dealt_with(current):
            return False
        files = (self.found or current).files
        seen = (*scan.triggers, *scan.flows)
        return len(seen) == len(files) and all(file in files and files[file].stamp == stamp for file, stamp in seen)

    def _dealt_with(self, current: Definitions) -> bool:
        """What was found is told, or it is in force and there is nothing to tell."""
        found = self._found
        return self._told or found is None or (found.files is current.files and Counter(found.problems) == self._problems)

    def look_at_config(self, home: Path) -> None:
        """It is read at the start only: say so, once for each change."""
        if not self._begun:
            return
        self.config, now = stamp_of(home / CONFIG), _digest(home / CONFIG)
        if now not in (self._config_digest, self._config_told):
            log.warning("config.changed", file=str(home / CONFIG), hint="it is read at the start: restart to apply it")
        self._config_told = now

    def tell(self, after: Definitions, *, kept: bool) -> None:
        """Log what is wrong, where that is news. `kept`: what was in force stays as a whole."""
        problems = Counter(after.problems)
        news = problems - self._problems
        self._problems, self._told = problems, True
        for problem in list(news)[:TOLD_AT_ONCE]:
            log.warning(
                "definition.warned" if problem.warning else "definition.refused",
                where=problem.where,
                problem=problem.problem,
                hint=problem.hint,
            )
        if kept and any(not problem.warning for problem in news):
            log.warning("definitions.kept", problems=len(after.refused), hint="what was in force stays until they are mended")


def _digest(file: Path) -> str | None:
    try:
        return sha256(file.read_bytes()).hexdigest()
    except OSError:
        return None
