"""The daemon's stream, listened to over its socket: it comes back by itself, and says where something was missed; and a run followed by it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPResponse
from typing import Any, NamedTuple

from daemon.cli.client import ENDED, Client, part
from daemon.errors import Unreachable

AGAIN_S = 0.5  # between two tries to reach a daemon that went
PATIENCE_S = 60.0  # a daemon that is gone for so long is no restart


class Message(NamedTuple):
    """`kind` is that of the stream, or `again`: what was missed, if anything, has to be read; or `quiet`: nothing happens."""

    kind: str
    facts: dict[str, Any]


def listen(client: Client, query: Mapping[str, Any]) -> Iterator[Message]:
    """The first is `again`, as soon as everything from then on will be told.

    Raises NoDaemon, or Unreachable, where it is not heard from at first, or stays away.
    """
    last: str | None = None
    gone_since: float | None = None
    while True:
        try:
            with client.stream("/v1/stream", query, last) as response:
                for message_id, message in _messages(response):
                    gone_since = None
                    last = message_id or last
                    if message.kind != "end":
                        yield message
        except Unreachable:
            if last is None:
                raise
        gone_since = gone_since or time.monotonic()
        if time.monotonic() - gone_since > PATIENCE_S:
            raise Unreachable(f"the daemon has been gone for {PATIENCE_S:.0f} seconds", "what was shown so far is what is known")
        time.sleep(AGAIN_S)


def followed(
    heard: Iterator[Message],
    client: Client,
    run: str,
    *,
    step: Callable[[dict[str, Any]], None],
    so_far: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """A run at its end. `step` is told as the stream has it; `so_far` what the run shows, where the stream may have missed some."""
    for message in heard:
        if message.facts.get("run", run) != run:
            continue
        if message.kind == "step":
            step(message.facts)
            continue
        if message.kind == "run" and message.facts["status"] not in ENDED:
            continue  # what it shows may be ahead of the messages that are still to come
        try:
            shown: dict[str, Any] = client.ask("GET", f"/v1/runs/{part(run)}")
        except Unreachable:
            continue  # the stream ends as well, and comes back
        so_far(shown)
        if shown["status"] in ENDED:
            return shown
    raise AssertionError("a stream is listened to until it raises")


def _messages(response: HTTPResponse) -> Iterator[tuple[str | None, Message]]:
    """Until the connection ends."""
    fields: dict[str, str] = {}
    while line := response.readline():
        text = line.decode().rstrip("\n")
        if text:
            name, _, value = text.partition(":")
            fields[name] = value.removeprefix(" ")
        elif "event" in fields:
            kind = "again" if fields["event"] in {"open", "gap"} else fields["event"]
            yield fields.get("id"), Message(kind, json.loads(fields["data"]))
            fields = {}
        else:
            if "" in fields:  # a comment
                yield None, Message("quiet", {})
            fields = {}
