"""The daemon, asked over its Unix socket with the standard library: a whole command costs less than aiohttp's import."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from daemon.errors import BadRequest, Conflict, DaemonError, Forbidden, HomeError, NotFound, SecretMissing, TooLarge, Unreachable
from flows.errors import DefinitionError, Problem

ERRORS: dict[str, type[DaemonError]] = {
    kind.code: kind for kind in (BadRequest, Conflict, Forbidden, HomeError, NotFound, SecretMissing, TooLarge, Unreachable)
}
CONNECT_S = 5.0  # a local socket answers at once, or its daemon hangs
ANSWER_S = 120.0  # a change of a home with ten thousand triggers takes seconds on a slow machine

SILENCE_S = 45.0  # of a stream, which says something every 15 seconds


class NoDaemon(Exception):  # noqa: N818 - an answer: the command does its work itself
    """Nothing listens at the home's socket."""


class Client:
    """One home's daemon. Each request is a connection of its own."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def ask(
        self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None, *, answer_s: float = ANSWER_S
    ) -> Any:
        """The JSON of the answer. Raises NoDaemon, what the daemon refused as the error it is, or Unreachable."""
        response, raw = self._exchange(method, path, query, body, answer_s)
        return _understood(response.status, raw)

    def page(self, path: str, query: Mapping[str, Any]) -> tuple[list[dict[str, Any]], str | None]:
        """Rows of a list, and the id that the next ones are older than; None: there are none. Raises as ask()."""
        response, raw = self._exchange("GET", path, query, None, ANSWER_S)
        rows = _understood(response.status, raw)
        link = re.match(r'<([^>]*)>; rel="next"', response.getheader("Link") or "")
        return rows, parse_qs(urlsplit(link[1]).query)["before"][0] if link else None

    @contextmanager
    def stream(self, path: str, query: Mapping[str, Any], last: str | None) -> Iterator[HTTPResponse]:
        """An answer that goes on, to be read line by line; `last`: the id of the message that was read last. Raises as ask()."""
        connection = _Local(self._home / "state" / "admin.sock")
        try:
            connection.request("GET", target(path, query), headers={"Last-Event-ID": last} if last else {})
            assert connection.sock is not None  # the request went out
            connection.sock.settimeout(SILENCE_S)
            response = connection.getresponse()
            if response.status != 200:
                _understood(response.status, response.read())
            yield response
        finally:
            connection.close()

    def _exchange(
        self, method: str, path: str, query: Mapping[str, Any] | None, body: Any, answer_s: float
    ) -> tuple[HTTPResponse, bytes]:
        payload = None if body is None else json.dumps(body).encode()
        connection = _Local(self._home / "state" / "admin.sock")
        try:
            connection.request(method, target(path, query), payload, {"Content-Type": "application/json"} if payload else {})
            assert connection.sock is not None  # the request went out
            connection.sock.settimeout(answer_s)
            response = connection.getresponse()
            return response, response.read()
        except TimeoutError as error:
            raise Unreachable(f"the daemon for {self._home} does not answer") from error
        except (OSError, HTTPException) as error:
            raise Unreachable(f"the daemon for {self._home} broke off: {error}", "its log says why") from error
        finally:
            connection.close()


class _Local(HTTPConnection):
    """HTTP over a Unix socket, reached through its folder: addresses hold 107 bytes, and homes may lie deep."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=CONNECT_S)
        self._path = path

    def connect(self) -> None:
        try:
            folder = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise NoDaemon from error
        self.sock = socket.socket(socket.AF_UNIX)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(f"/proc/self/fd/{folder}/{self._path.name}")
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NoDaemon from error
        except PermissionError as error:
            raise Unreachable(f"{self._path} belongs to somebody else", "run the command as the daemon's user") from error
        finally:
            os.close(folder)


def target(path: str, query: Mapping[str, Any] | None) -> str:
    """Path and query; what is None is not asked."""
    asked = {name: value for name, value in (query or {}).items() if value is not None}
    return f"{path}?{urlencode(asked, doseq=True)}" if asked else path


def part(text: str) -> str:
    """A key or an id as a part of a path."""
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
