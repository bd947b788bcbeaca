"""Who may ask: the owner on the Unix socket; over TCP who has the token, and never a page in a browser."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from daemon.errors import Forbidden, HomeError
from daemon.secret_file import read_secret

TOKEN_BYTES = 32
MIN_TOKEN = 16  # characters: a shorter one was not made here, and can be guessed


def read_token(file: Path) -> str:
    """The token in `file`, made there (0600) when it is not there. Raises HomeError."""
    token = read_secret(file, "the admin token", lambda: secrets.token_urlsafe(TOKEN_BYTES))
    if len(token) < MIN_TOKEN or not token.isascii():
        raise HomeError(f"{file} holds no usable token", "remove it, and a new one is made")
    return token


def check(request: web.BaseRequest, token: str, *, public: bool) -> None:
    """Raises Forbidden. `public`: the route tells nothing, so that a probe needs no token."""
    if is_local(request):
        return
    origin = request.headers.get("Origin")
    host = request.headers.get("Host", "")
    if origin is not None and urlsplit(origin).netloc != host:
        raise Forbidden("a page of another origin may not ask this")
    if request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
        raise Forbidden("a page of another origin may not ask this")
    if _has(request, token):
        return
    if not public:
        raise Forbidden("the admin API needs its token", "authorization: Bearer and what stands in <home>/state/admin.token")
    if not _names_an_address(host):
        raise Forbidden(f"«{host}» is no name of this listener", "use its IP address or localhost")  # a rebound DNS name


def is_local(request: web.BaseRequest) -> bool:
    """It came through the Unix socket, which only its owner can open."""
    connection = request.transport.get_extra_info("socket") if request.transport is not None else None
    return connection is not None and connection.family == socket.AF_UNIX


def from_here(request: web.BaseRequest) -> bool:
    """Who asks is on this machine."""
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    return isinstance(peer, tuple) and ipaddress.ip_address(peer[0].partition("%")[0]).is_loopback


def _has(request: web.BaseRequest, token: str) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    fits = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), token.encode())
    return scheme.lower() == "bearer" and fits


def _names_an_address(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
