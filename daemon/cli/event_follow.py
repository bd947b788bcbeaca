"""Events as they come: those of the list first, and then, without a gap and none twice, those of the stream."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from daemon.cli.client import Client, part
from daemon.cli.fields import chosen, names_of
from daemon.cli.home_access import PAGE
from daemon.cli.listen import listen
from daemon.cli.options import Format, find_home
from daemon.cli.output import cell, compact, show_value, write
from daemon.errors import BadRequest

COLUMNS = {"event": 30, "source": 10, "address": 24, "time": 24, "subject": 0}  # how wide: what comes is not known beforehand
REMEMBERED = 20_000  # ids that were shown: more than can come twice


def follow_events(home: Path | None, which: Mapping[str, Any], *, most: int | None, fields: str | None, output: Format) -> None:
    """Until Ctrl-C. Raises Unreachable where no daemon runs, or it stays away."""
    if which["until"] is not None or which["before"] is not None:
        raise BadRequest("--follow goes on from now; --until and --before end before it")
    client = Client(find_home(home))
    shown = _Shown(output, None if fields is None else names_of(fields))
    asked: dict[str, Any] = {name: value for name, value in which.items() if value not in (None, ())}
    if "chain" in asked:
        asked["chain"] = _whole(client, asked["chain"])  # the stream knows whole ids alone
    about: dict[str, Any] = {name: asked[name] for name in ("source", "trigger", "chain") if name in asked}
    for message in listen(client, {"kinds": "event", **about}):
        if message.kind == "again":
            for row in reversed(_missed(client, asked, shown.known, most)):
                shown.add(row)
            most = None  # from now on all that was missed
        elif message.kind == "event" and message.facts["event"] not in shown.known and _fits(message.facts, asked):
            shown.add({name: value for name, value in message.facts.items() if name not in {"verdicts", "runs"}})


def _whole(client: Client, chain: str) -> str:
    """The id of the event or run that begins so. Raises NotFound, BadRequest."""
    noun = "event" if chain.startswith("evt_") else "run"
    return str(client.ask("GET", f"/v1/{noun}s/{part(chain)}")[noun])


def _missed(client: Client, asked: Mapping[str, Any], shown: dict[str, None], most: int | None) -> list[dict[str, Any]]:
    """Of the list what was not shown yet, the newest first; at the start the newest `most`."""
    found: list[dict[str, Any]] = []
    oldest = next(iter(shown), "")
    before: str | None = None
    while True:
        limit = PAGE if most is None else min(PAGE, most - len(found))
        rows, before = client.page("/v1/events", {**asked, "limit": limit, "before": before})
        found += [row for row in rows if row["event"] not in shown and row["event"] > oldest]
        known = rows and rows[-1]["event"] in shown  # they come in nearly this order, and a page is more than nearly
        if before is None or known or before < oldest or (most is not None and len(found) >= most):
            return found


def _fits(event: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """What the stream does not narrow by."""
    said = set(event["verdicts"].values()) if "trigger" not in asked else {event["verdicts"].get(asked["trigger"])}
    return ("verdict" not in asked or not said.isdisjoint(asked["verdict"])) and all(
        event[name] == asked[name] for name in ("address", "subject") if name in asked
    )


class _Shown:
    """Events as they are printed, and which were: none twice."""

    def __init__(self, output: Format, names: list[str] | None) -> None:
        self.known: dict[str, None] = {}
        self._output = output
        self._names = names
        self._widths = COLUMNS if names is None else {name: COLUMNS.get(name, 0) for name in names}

    def add(self, row: dict[str, Any]) -> None:
        """Raises BadRequest where it has not the fields that were asked for."""
        told = row if self._names is None else chosen([row], self._names)[0]
        if not self.known and self._output == "table":
            self._line(name.upper() for name in self._widths)
        self.known[row["event"]] = None
        if len(self.known) > REMEMBERED:
            del self.known[next(iter(self.known))]
        if self._output == "table":
            self._line(cell(told[name]) for name in self._widths)
        elif self._output == "yaml":
            show_value([told], self._output)
        else:
            write(compact(told))
        sys.stdout.flush()

    def _line(self, cells: Iterable[str]) -> None:
        write("  ".join(text.ljust(width) for text, width in zip(cells, self._widths.values(), strict=True)).rstrip())
