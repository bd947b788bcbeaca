"""The daemon, asked over its Unix socket with the standard library: a whole command costs less than aiohttp's import."""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from daemon.errors import BadRequest, Conflict, DaemonError, Forbidden, HomeError, NotFound, SecretMissing, TooLarge, Unreachable
from daemon.holder import held_by
from flows.errors import DefinitionError, Problem

ERRORS: dict[str, type[DaemonError]] = {
    kind.code: kind for kind in (BadRequest, Conflict, Forbidden, HomeError, NotFound, SecretMissing, TooLarge, Unreachable)
}
CONNECT_S = 5.0  # a local socket takes a connection soon, or its daemon hangs
LOOK_S = 0.05  # between two looks whether a daemon that holds the home listens by now: it tells nobody
ANSWER_S = 120.0  # a change of a home with ten thousand triggers takes seconds on a slow machine
SILENCE_S = 45.0  # of a stream, which says something every 15 seconds
WAIT_S = 30  # of one question for a run's end; then it is asked again
ENDED = frozenset({"completed", "failed", "cancelled"})


class NoDaemon(Unreachable):
    """Nobody holds the home: a command that can does its work itself."""

    def __init__(self, home: Path) -> None:
        super().__init__("no daemon runs for this home", f"camshaft serve --home {home}")


class Silent(Unreachable):
    """A process holds the home, and does not listen."""

    def __init__(self, home: Path, process: str) -> None:
        super().__init__(f"process {process} holds {home} and does not listen: it starts, stops or hangs", "its log says which")


class Client:
    """One home's daemon. Each request is a connection of its own.

    A daemon that starts or stops holds the home and does not listen: it is waited for as long as `patience_s`.
    """

    def __init__(self, home: Path, *, patience_s: float | None = None) -> None:
        self._home = home
        self._patience_s = CONNECT_S if patience_s is None else patience_s

    def ask(
        self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None, *, answer_s: float = ANSWER_S
    ) -> Any:
        """The JSON of the answer. Raises what the daemon refused as the error it is, NoDaemon, Silent, or else Unreachable."""
        with self._exchange(method, path, query, body, answer_s=answer_s) as response:
            return _understood(response.status, response.read())

    def page(self, path: str, query: Mapping[str, Any]) -> tuple[list[dict[str, Any]], str | None]:
        """Rows of a list, and the id that the next ones are older than; None: there are none. Raises as ask()."""
        with self._exchange("GET", path, query) as response:
            rows = _understood(response.status, response.read())
            link = re.match(r'<([^>]*)>; rel="next"', response.getheader("Link") or "")
        return rows, parse_qs(urlsplit(link[1]).query)["before"][0] if link else None

    def run_ended(self, run: str) -> dict[str, Any]:
        """A run, when it has ended. Raises as ask()."""
        while (shown := self.run_later(run))["status"] not in ENDED:
            pass
        return shown

    def run_later(self, run: str) -> dict[str, Any]:
        """A run, when it has ended or after half a minute. Raises as ask(), with the way to go on where the daemon went."""
        try:
            shown: dict[str, Any] = self.ask("GET", f"/v1/runs/{part(run)}", {"wait": WAIT_S})
        except Unreachable as error:
            raise Unreachable(error.message, f"the run goes on with its daemon: camshaft run watch {run}") from error
        return shown

    @contextmanager
    def stream(self, path: str, query: Mapping[str, Any], last: str | None) -> Iterator[HTTPResponse]:
        """An answer that goes on, to be read line by line; `last`: the id of the message that was read last. Raises as ask()."""
        headers = {"Last-Event-ID": last} if last else {}
        with self._exchange("GET", path, query, headers=headers, answer_s=SILENCE_S) as response:
            if response.status != 200:
                _understood(response.status, response.read())
            yield response

    @contextmanager
    def _exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        answer_s: float = ANSWER_S,
    ) -> Iterator[HTTPResponse]:
        """The answer, to be read inside: what breaks off there too is Unreachable."""
        payload = None if body is None else json.dumps(body).encode()
        connection = _Local(self._home, patience_s=self._patience_s)
        try:
            content = {"Content-Type": "application/json"} if payload else {}
            connection.request(method, target(path, query), payload, {**content, **(headers or {})})
            assert connection.sock is not None  # the request went out
            connection.sock.settimeout(answer_s)
            yield connection.getresponse()
        except TimeoutError as error:
            raise Unreachable(f"the daemon for {self._home} does not answer") from error
        except (OSError, HTTPException) as error:
            raise Unreachable(f"the daemon for {self._home} broke off: {error}", "its log says why") from error
        finally:
            connection.close()


class _Local(HTTPConnection):
    """HTTP over a Unix socket, reached through its folder: addresses hold 107 bytes, and homes may lie deep."""

    def __init__(self, home: Path, *, patience_s: float) -> None:
        super().__init__("localhost", timeout=CONNECT_S)
        self._home = home
        self._patience_s = patience_s

    def connect(self) -> None:
        """Raises NoDaemon, Silent, Unreachable; TimeoutError where it listens and takes nobody."""
        until = time.monotonic() + self._patience_s
        while True:
            try:
                self.sock = _connected(self._home / "state" / "admin.sock")
            except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
                process = held_by(self._home / "state" / "lock")
                if process is None:
                    raise NoDaemon(self._home) from error
                if time.monotonic() >= until:
                    raise Silent(self._home, process) from error
                time.sleep(LOOK_S)
            except PermissionError as error:
                raise Unreachable(f"{self._home} belongs to somebody else", "run the command as the daemon's user") from error
            except BlockingIOError as error:
                raise TimeoutError from error
            else:
                return


def _connected(path: Path) -> socket.socket:
    """Raises OSError; BlockingIOError where its queue of connections stays full: whoever listens there is busy."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    connecting = socket.socket(socket.AF_UNIX)
    try:
        # Not settimeout(): without blocking a full queue is refused at once, and only the kernel knows when there is room.
        connecting.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", int(CONNECT_S), 0))
        connecting.connect(f"/proc/self/fd/{folder}/{path.name}")
        connecting.settimeout(CONNECT_S)
    except BaseException:
        connecting.close()
        raise
    finally:
        os.close(folder)
    return connecting


def target(path: str, query: Mapping[str, Any] | None) -> str:
    """Path and query; what is None is not asked."""
    asked = {name: value for name, value in (query or {}).items() if value is not None}
    return f"{path}?{urlencode(asked, doseq=True)}" if asked else path


def part(text: str) -> str:
    """A key or an id as a part of a path. Raises BadRequest for one that names nothing."""
    if not text:
        raise BadRequest("a key or an id is empty")
    return quote(text, safe="")


def _understood(status: int, raw: bytes) -> Any:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Unreachable(f"the daemon's answer ({status}) is not JSON") from error
    if status < 400 or "error" not in value or not isinstance(value["error"], dict):
        return value
    refused = value["error"]
    message, hint = str(refused.get("message")), refused.get("hint")
    if refused.get("code") == "DEFINITION":
        raise DefinitionError(*(problem_from(problem) for problem in refused.get("problems", ())))
    raise ERRORS.get(str(refused.get("code")), _of_status(status))(message, hint)


def _of_status(status: int) -> type[DaemonError]:
    if status in {503, 504}:
        return Unreachable
    return BadRequest if status < 500 else DaemonError


def problem_from(said: Mapping[str, Any]) -> Problem:
    """The problem that an answer tells of."""
    path = (said["path"],) if said.get("path") else ()
    return Problem(
        path,
        said["problem"],
        said.get("hint"),
        offset=said.get("offset"),
        file=said.get("file"),
        line=said.get("line"),
        column=said.get("column"),
        of_key=said.get("ofKey", False),
    )
