"""Access to Google's APIs as a service account: a signed statement is exchanged for a token, which is kept until shortly before its end."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import orjson

from flows.connectors.json_exchange import ApiSettings, ask
from flows.errors import StepError
from flows.steps.http_exchange import Client
from flows.steps.http_url import check_url

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
STATED_S = 3600  # how long a token is asked for: the longest that Google gives
EARLY_S = 120.0  # before its end a token is asked for anew: a reading that has begun with it must come to its end


@dataclass(frozen=True, slots=True)
class Key:
    """What is used of the JSON file that Google gives for a service account."""

    email: str
    private_key: str = field(repr=False)
    key_id: str | None
    token_uri: str


class GoogleTokens:
    """Tokens by key and scope. `now` is seconds since the epoch, UTC."""

    def __init__(self, settings: ApiSettings, client: Client, *, now: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._client = client
        self._now = now
        self._kept: dict[tuple[str, str], tuple[float, str]] = {}  # (digest of the key, scope) → until when, the token
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    async def token(self, name: str, secret: str, scope: str) -> str:
        """For the key that the secret `name` holds. Raises StepError SECRET_UNUSABLE, GOOGLE_AUTH, and what exchanges raise.

        Who asks while one is on its way waits for that one.
        """
        place = _place(secret, scope)
        async with self._locks.setdefault(place, asyncio.Lock()):
            until, token = self._kept.get(place, (0.0, ""))
            if self._now() < until:
                return token
            lasts_s, token = await self._fetch(read_key(name, secret), name, scope)
            self._kept[place] = (self._now() + max(lasts_s - EARLY_S, lasts_s / 2), token)
            return token

    def forget(self, secret: str, scope: str, token: str) -> None:
        """It was refused before its time."""
        if self._kept.get(_place(secret, scope), (0.0, ""))[1] == token:
            del self._kept[_place(secret, scope)]

    async def _fetch(self, key: Key, name: str, scope: str) -> tuple[float, str]:
        stated = _signed(key, name, scope, int(self._now()))
        body = urlencode({"grant_type": GRANT, "assertion": stated}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        request = self._settings.request("POST", key.token_uri, headers, body)
        try:
            value, _ = await ask(self._client, request, (stated, key.private_key), words=_words)
        except StepError as error:
            if error.code == "HTTP_STATUS":
                error.code = "GOOGLE_AUTH"
            raise
        token, lasts_s = (value.get("access_token"), value.get("expires_in")) if isinstance(value, dict) else (None, None)
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise StepError(f"POST {request.shown}: the answer has no access token", code="GOOGLE_AUTH", retryable=False)
        known = isinstance(lasts_s, (int, float)) and not isinstance(lasts_s, bool) and lasts_s > 0
        return float(lasts_s) if known and lasts_s is not None else 0.0, token


def read_key(name: str, secret: str) -> Key:
    """Raises StepError SECRET_UNUSABLE, which says nothing of what is in it."""
    try:
        found: Any = orjson.loads(secret)
    except orjson.JSONDecodeError:
        found = None
    fields = found if isinstance(found, dict) else {}
    email, private_key, token_uri = (fields.get(each) for each in ("client_email", "private_key", "token_uri"))
    key_id = fields.get("private_key_id")
    if not (isinstance(email, str) and isinstance(private_key, str) and isinstance(token_uri, str)):
        said = f"the secret {name} is no key of a service account: it must be the whole JSON file that Google gives"
        raise StepError(said, code="SECRET_UNUSABLE", retryable=False)
    try:
        check_url(token_uri)
    except StepError:
        raise StepError(
            f"the secret {name}: its token_uri cannot be requested", code="SECRET_UNUSABLE", retryable=False
        ) from None
    return Key(email, private_key, key_id if isinstance(key_id, str) else None, token_uri)


def _signed(key: Key, name: str, scope: str, now: int) -> str:
    import jwt  # with the library behind it 0.07 s: only a home that reads from Google pays for it

    claims = {"iss": key.email, "scope": scope, "aud": key.token_uri, "iat": now, "exp": now + STATED_S}
    try:
        return jwt.encode(claims, key.private_key, algorithm="RS256", headers={"kid": key.key_id} if key.key_id else None)
    except (jwt.PyJWTError, ValueError, TypeError):  # what it says may quote the key
        said = f"the secret {name} holds no private key that can sign"
        raise StepError(said, code="SECRET_UNUSABLE", retryable=False) from None


def _place(secret: str, scope: str) -> tuple[str, str]:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest(), scope


def _words(body: Any) -> str:
    """`{"error": "invalid_grant", "error_description": "…"}`."""
    if not isinstance(body, dict):
        return ""
    return ": ".join(str(body[name]) for name in ("error", "error_description") if isinstance(body.get(name), str))
