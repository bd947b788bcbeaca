"""Why a trigger did, or did not, fire lately, and what stands in its way now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

from daemon import shapes
from daemon.credentials import Credentials
from daemon.errors import SecretMissing
from daemon.home.definitions import is_trigger_file
from daemon.home.emit_check import never_given
from daemon.operations.events import Events
from daemon.operations.triggers import Triggers
from triggers.match import OWN_ROWS
from triggers.sources.webhook_path import has_parameters
from triggers.sources.webhook_routes import taken_away
from triggers.trigger import Trigger

if TYPE_CHECKING:
    from daemon.store.rows import EventRow

MOST_EXPLAINED = 100  # events: each is read whole
MOST_NAMED = 10  # of a list in a sentence
MOST_QUESTIONS = 10  # of one list: each looks at some 20,000 events at most


class Explained(Triggers, Events):
    """What can be asked of a trigger that does not do what one expects."""

    __slots__ = ()

    async def explain_trigger(self, key: str, *, last: int = 10) -> dict[str, Any]:
        """What it waits for, what stands in its way now, and the last events for which it was a candidate. Raises NotFound."""
        refused = self._refused(key)
        trigger = None if refused else self._trigger(key)
        return {
            "trigger": key,
            "waitsFor": None if trigger is None else waits_for(trigger),
            "next": [] if trigger is None or not trigger.enabled else self.advice.next_times(trigger, time()),
            "inTheWay": refused if trigger is None else await self._in_the_way(trigger),
            "events": [_line(event, key, trigger) for event in await self._lately(key, trigger, last)],
        }

    def _refused(self, key: str) -> list[str]:
        """Why a trigger of this key is not in force at all, where its file is there and is refused."""
        current = self.definitions.current
        if current.trigger(key) is not None:
            return []
        files = {str(file) for file, loaded in current.files.items() if loaded.key == key and is_trigger_file(self.home, file)}
        return [str(one) for one in current.refused if one.file in files]

    async def _in_the_way(self, trigger: Trigger) -> list[str]:
        found: list[str] = []
        if self.live is None:
            found.append(f"no daemon serves this home (camshaft serve --home {self.home})")
        found += self._overtaken(trigger)
        if not trigger.enabled:
            found.append("it is switched off in its definition: `enabled` is false")
        suspension = self.definitions.current.suspended.get(trigger.key)
        if suspension is not None:
            found.append(suspension.sentence)
        if trigger.type == "webhook":
            found += self._taken_away(trigger.spec.path)
            if self.live is not None:  # the secrets are the daemon's: nobody else's environment counts
                found += _missing_secrets(trigger, self.home)
        if trigger.type == "flow":
            found += [said for flow in trigger.spec.flow for said in await self._unfollowed(flow, trigger.spec.on)]
        if trigger.type == "event":
            found += [f"no flow emits «{name}»" for name in never_given(trigger, self.definitions.current.flows)]
        return found

    def _overtaken(self, trigger: Trigger) -> list[str]:
        """Where what is on disk is refused, and its file says something else than what is in force."""
        on_disk = self.seen.found
        if on_disk is None or not on_disk.refused or self.keep_going:
            return []
        own = [str(one) for one in on_disk.refused if one.file == str(trigger.file)]
        if own:
            return [f"an older definition is in force, for its file is refused: {one}" for one in own]
        newest = on_disk.trigger(trigger.key)
        if newest is None or newest.digest == trigger.digest:
            return []
        return ["an older definition is in force: the home is refused for other files (camshaft validate)"]

    def _taken_away(self, path: str) -> list[str]:
        """Where other triggers listen at paths that are more specific."""
        if not has_parameters(path):
            return []
        current = self.definitions.current.set
        paths = taken_away(path, current.addresses("webhook"))
        told = [
            f"requests to {each} go to {', '.join(f'«{one.key}»' for one in current.candidates('webhook', each)[:MOST_NAMED])}"
            for each in paths[:MOST_NAMED]
        ]
        return [*told, f"and {len(paths) - MOST_NAMED} more paths"] if len(paths) > MOST_NAMED else told

    async def _unfollowed(self, flow: str, ends: Sequence[str]) -> list[str]:
        """Where the last run of a flow ended in a way that is not followed."""
        found = await self.store.runs(flow=flow, limit=1) if self.store is not None else []
        if not found:
            return [f"the flow «{flow}» has not run lately"]
        run = found[0]
        if run.status in ends:
            return []
        return [f"the last run of «{flow}» is {run.status}, and those are followed that are {' or '.join(ends)} ({run.id})"]

    async def _lately(self, key: str, trigger: Trigger | None, last: int) -> list[EventRow]:
        """The newest events for which it was a candidate, each with its verdicts."""
        if self.store is None:
            return []
        ids = await self._found(last, trigger=key)
        if trigger is not None and trigger.type == "webhook":
            address = trigger.spec.path
            if len(self.definitions.current.set.candidates("webhook", address)) > OWN_ROWS:  # one row may be told for many
                ids |= await self._found(last, source="webhook", address=address, trigger="*")
        rows = [await self.store.event(event) for event in sorted(ids, reverse=True)[:last]]
        return [row for row in rows if row is not None]  # one may have been pruned meanwhile

    async def _found(self, last: int, **which: Any) -> set[str]:
        assert self.store is not None
        found: set[str] = set()
        before: str | None = None
        for _ in range(MOST_QUESTIONS):
            page = await self.store.events(limit=last - len(found), before=before, **which)
            found |= {event.id for event in page}
            before = page.next
            if before is None or len(found) >= last:
                break
        return found


def _line(event: EventRow, key: str, trigger: Trigger | None) -> dict[str, Any]:
    """One event and what it meant to the trigger: its own row, or that of the group it was ruled out with."""
    row = next((row for row in event.verdicts if row.trigger == key), None)
    row = row or next(row for row in event.verdicts if row.trigger.startswith("*"))
    return {
        "event": event.id,
        "time": shapes.instant(event.time),
        "verdict": row.verdict,
        "explanation": shapes.sentence(row),
        "run": row.run,
        "changedSince": trigger is not None and row.trigger_digest not in (None, trigger.digest),
    }


def waits_for(trigger: Trigger) -> str:
    """What makes it a candidate, in a few words."""
    spec = trigger.spec
    if trigger.type == "webhook":
        return f"{' or '.join(spec.methods)} /hooks{spec.path}"
    if trigger.type == "schedule":
        return f"{spec.cron.text}, {spec.cron.zone.key}"
    if trigger.type == "file-watch":
        return f"files that are {', '.join(sorted(spec.events))} in {', '.join(spec.paths)}"
    if trigger.type == "event":
        return f"events named {' or '.join(spec.name)}"
    return f"runs of {', '.join(spec.flow)} that are {' or '.join(spec.on)}"


def _missing_secrets(trigger: Trigger, home: Path) -> list[str]:
    """Nothing where one is found: while a secret is rotated the old one goes first."""
    if trigger.spec.auth is None:
        return []
    secrets, missing = Credentials(home), []
    for each in trigger.spec.auth.secret:
        try:
            secrets.resolve(each.ref)
        except SecretMissing as error:
            missing.append(error.message)
        else:
            return []
    return [f"nobody passes its auth: {'; '.join(missing)}"]
