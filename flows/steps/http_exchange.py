"""One HTTP exchange over a shared connection pool: bounded in time and size, redirects followed by our own rules."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from flows.errors import StepError
from flows.steps.http_response import Answer
from flows.steps.http_url import check_url

if TYPE_CHECKING:
    import aiohttp
    import yarl

MAX_CONNECTIONS = 100
CHUNK_BYTES = 64 * 1024
URL_MARKS = "!#$%&'()*+,/:;=?@[]~-._"  # what stands in a URL unencoded, or begins what is encoded


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. `private` are the headers that must not follow a redirect to another origin, by lower-case name."""

    method: str
    url: str
    shown: str  # the url as its author wrote it: what a message may say
    headers: Mapping[str, str]
    private: frozenset[str]
    body: bytes | None
    timeout_s: float
    max_bytes: int
    max_redirects: int  # 0: an answer 3xx is the answer


class Client:
    """A pool of connections, opened at the first request. No cookies are kept."""

    def __init__(self, *, user_agent: str, trust_env: bool, allow_private: bool) -> None:
        self._user_agent = user_agent
        self._trust_env = trust_env
        self._allow_private = allow_private
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Request) -> Answer:
        """The last answer. Raises StepError TIMEOUT, CONNECT_FAILED, TLS_FAILED, CONNECTION_LOST, TOO_LARGE, BAD_RESPONSE, …"""
        import aiohttp  # 0.14 s: only a home with http steps pays for it

        try:
            async with asyncio.timeout(request.timeout_s):
                return await self._follow(request)
        except TimeoutError as error:
            raise _failed(request, f"no answer within {request.timeout_s:g} s (ETIMEDOUT)", "TIMEOUT") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = _failure(request, error)
            _let_go_of_frames(error)
            raise failure from error

    async def _follow(self, request: Request) -> Answer:
        left = request.max_redirects
        while True:
            answer = await self._exchange(request)
            location = answer.headers.get("location")
            if not request.max_redirects or answer.status not in (301, 302, 303, 307, 308) or location is None:
                return answer
            if left == 0:
                raise _failed(request, f"more than {request.max_redirects} redirects", "TOO_MANY_REDIRECTS")
            left -= 1
            request = redirected(request, answer.status, location)

    async def _exchange(self, request: Request) -> Answer:
        async with self._open().request(
            request.method, _exactly(request.url), headers=request.headers, data=request.body, allow_redirects=False
        ) as response:
            length = response.content_length
            if length is not None and length > request.max_bytes and request.method != "HEAD":
                raise _too_large(request)
            body = bytearray()
            async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                body += chunk
                if len(body) > request.max_bytes:
                    raise _too_large(request)
            headers: dict[str, str] = {}
            for name, value in response.headers.items():
                low, text = name.lower(), value.encode("utf-8", "replace").decode()
                headers[low] = f"{headers[low]}, {text}" if low in headers else text
            return Answer(response.status, headers, bytes(body))

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp  # see send()

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=MAX_CONNECTIONS, socket_factory=None if self._allow_private else _public_socket
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self._user_agent},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # send() keeps the time
                trust_env=self._trust_env,
            )
        return self._session

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _exactly(url: str) -> yarl.URL:
    """The url as it is written, only with what is not ASCII encoded: addresses can be signed, and %2F is not /."""
    import yarl  # see Client.send()

    parts = urlsplit(url)
    if not parts.netloc.isascii():
        return yarl.URL(url)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return yarl.URL(f"{parts.scheme}://{parts.netloc}{quote(target, safe=URL_MARKS)}", encoded=True)


def redirected(request: Request, status: int, location: str) -> Request:
    """The request that a redirect asks for. Secrets stay with the origin they were meant for. Raises StepError BAD_URL."""
    url = urljoin(request.url, location)
    check_url(url)
    headers = dict(request.headers)
    if origin(url) != origin(request.url):
        headers = {name: value for name, value in headers.items() if name.lower() not in request.private}
    if status in (307, 308) or request.method in ("GET", "HEAD"):
        return replace(request, url=url, headers=headers)
    headers = {name: value for name, value in headers.items() if name.lower() not in ("content-type", "idempotency-key")}
    return replace(request, method="GET", url=url, headers=headers, body=None)


def origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}[parts.scheme]


class _RefusedAddress(OSError):  # noqa: N818 - an OSError, so that the library takes it as a failed connection
    """allow_private is off and the address is not public."""


def _public_socket(address: tuple[Any, Any, int, str, Any]) -> socket.socket:
    """A socket for one resolved address: after the name's look-up and for each redirect, so nothing gets round it."""
    family, kind, protocol, _, place = address
    if not ipaddress.ip_address(place[0].partition("%")[0]).is_global:
        raise _RefusedAddress(f"{place[0]} is not a public address, and the setting allow_private is off")
    return socket.socket(family, kind, protocol)


def _failed(request: Request, said: str, code: str, *, retryable: bool = True) -> StepError:
    return StepError(f"{request.method} {request.shown}: {said}", code=code, retryable=retryable)


def _too_large(request: Request) -> StepError:
    return _failed(request, f"the answer is larger than {request.max_bytes} bytes", "TOO_LARGE", retryable=False)


def _failure(request: Request, error: Exception) -> StepError:
    """What the library raised, with a stable code and without the address: its query may carry secrets."""
    import aiohttp  # see send()

    said, code = f"the exchange failed: {type(error).__name__}", "HTTP_FAILED"
    if isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError)):
        said, code = f"no secure connection: {_reason(error)}", "TLS_FAILED"
    elif isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, _RefusedAddress):
        said, code = str(error.os_error), "ADDRESS_REFUSED"
    elif isinstance(error, aiohttp.ClientConnectorError):
        said, code = f"no connection to {error.host}: {_reason(error)}", "CONNECT_FAILED"
    elif isinstance(error, ValueError):
        said, code = "the url cannot be requested", "BAD_URL"
    elif isinstance(error, aiohttp.ClientResponseError):
        said, code = f"the answer is not HTTP: {error.message[:200]}", "BAD_RESPONSE"
    elif isinstance(error, (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError)):
        said, code = "the connection was lost before the answer was complete (ECONNRESET)", "CONNECTION_LOST"
    return _failed(request, said, code, retryable=code not in ("ADDRESS_REFUSED", "BAD_URL"))


def _let_go_of_frames(error: BaseException | None) -> None:
    """The library collects what went wrong with each address in a list that stands in the frames these errors came through.

    So they hold each other, and the request with its body, until the garbage collector comes.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def _reason(error: Exception) -> str:
    """In the system's words, with its name for it: retry rules name ECONNREFUSED and its like."""
    inner = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    number = getattr(inner, "errno", None)
    if isinstance(number, int) and number in errno.errorcode and not isinstance(inner, (ssl.SSLError, socket.gaierror)):
        return f"{os.strerror(number)} ({errno.errorcode[number]})"
    return getattr(inner, "verify_message", None) or getattr(inner, "strerror", None) or type(inner).__name__
