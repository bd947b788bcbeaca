"""A hook: the triggers that listen at one path, which methods each takes, and whom each lets in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from triggers.signatures import SIGNATURES
from triggers.sources.webhook_spec import WebhookSpec
from triggers.trigger import Trigger

REMEMBERED_S = 5.0  # a rotated secret is in force after this; reading a file for each request would cost more than the rest

FindSecret = Callable[[Mapping[str, str]], bytes]
"""A reference as the definition has it → the secret. Raises whatever it likes: the hook then lets nobody in, and says why."""


class Guard:
    """One trigger's auth. May be asked by several threads at once."""

    def __init__(self, spec: Any, find_secret: FindSecret) -> None:
        self._spec = spec
        self._signature = SIGNATURES[spec.type]
        self._find_secret = find_secret
        self._known = _Secrets((), None, float("-inf"))  # replaced as a whole, never changed
        self.headers = self._signature.headers(spec)  # these carry proof, and are never stored

    def refuses(self, headers: Mapping[str, str], raw: bytes, now: float) -> str | None:
        """None: let it in. Else a sentence that says nothing about the secret."""
        known = self._known
        if not known.until - REMEMBERED_S <= now < known.until:  # also where the clock went back
            known = self._known = self._look_up(now)
        if not known.secrets:
            return known.missing or "its secret is empty"
        return self._signature.verify(self._spec, known.secrets, headers, raw, now)

    def _look_up(self, now: float) -> _Secrets:
        """One that is found is enough: while a secret is rotated the old one goes first."""
        found: list[bytes] = []
        missing = None
        for ref in self._spec.secret:
            try:
                found.append(self._find_secret(ref.ref))
            except Exception as error:  # noqa: BLE001 - handed down by the daemon; whatever it raises, nobody is let in
                missing = f"its secret is not available: {error.args[0] if error.args else type(error).__name__}"
        return _Secrets(tuple(secret for secret in found if secret), missing, now + REMEMBERED_S)


class _Secrets(NamedTuple):
    """What was found when it was last looked for."""

    secrets: tuple[bytes, ...]
    missing: str | None  # why one of them was not found
    until: float  # it is looked for again then


@dataclass(frozen=True, slots=True)
class Takers:
    """Who takes one method at one path."""

    guards: tuple[tuple[str, Guard], ...]  # trigger key → its auth, of those that have one
    count: int  # how many let in: with fewer guards than that, anyone may send
    private: frozenset[str]  # lower-case names of headers that carry proof
    withheld: Mapping[str, tuple[str, str]]  # trigger key → verdict and reason, of those at this path that do not take the method
    keys: tuple[str, ...]  # of those that do

    @property
    def guarded(self) -> bool:
        """Everyone who is let in has proved who it is, and may be told the names of triggers."""
        return len(self.guards) == self.count

    def refuses_all(self, failed: Mapping[str, str]) -> bool:
        """Whether nobody is left who lets the request in."""
        return self.guarded and len(failed) == self.count

    def refuse(self, headers: Mapping[str, str], raw: bytes, now: float) -> dict[str, str]:
        """Trigger key → why it does not let this request in. In a thread where the body is large."""
        reasons = ((key, guard.refuses(headers, raw, now)) for key, guard in self.guards)
        return {key: reason for key, reason in reasons if reason is not None}


Listener = tuple[str, WebhookSpec, bool]
"""A trigger as its hook sees it: key, spec, and whether it is enabled."""


@dataclass(frozen=True, slots=True)
class Hook:
    """All that listens at one path."""

    path: str  # as its triggers' specs have it: `/orders/:id`
    takers: Mapping[str, Takers]  # by method
    allow: bytes  # the Allow header, as a line
    listeners: tuple[Listener, ...]

    @classmethod
    def of(cls, path: str, triggers: Sequence[Trigger], find_secret: FindSecret, known: Hook | None = None) -> Hook:
        """`known` is the hook that was there before, and stays where who listens does: it has looked up secrets."""
        listeners = tuple([(each.key, each.spec, each.enabled) for each in triggers])
        if known is not None and known.listeners == listeners:
            return known
        guards = {each.key: Guard(each.spec.auth, find_secret) for each in triggers if each.spec.auth is not None}
        methods = {method for each in triggers for method in each.spec.methods}
        takers = {method: _takers(method, triggers, guards) for method in sorted(methods)}
        allowed = sorted({*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])})
        return cls(path, takers, f"\r\nAllow: {', '.join(allowed)}".encode(), listeners)


def _takers(method: str, triggers: Sequence[Trigger], guards: Mapping[str, Guard]) -> Takers:
    taking = [each for each in triggers if method in each.spec.methods]
    # A trigger that is switched off opens no door that the others keep shut; where all are, theirs is the door.
    judging = [each for each in taking if each.enabled] or taking
    judges = tuple((each.key, guards[each.key]) for each in judging if each.key in guards)
    withheld = {
        each.key: ("filter_false", other_method(each.spec, method)) for each in triggers if method not in each.spec.methods
    }
    return Takers(
        judges,
        len(judging),
        frozenset[str]().union(*(guards[each.key].headers for each in triggers if each.key in guards)),
        withheld,
        tuple(each.key for each in taking),
    )


def other_method(spec: WebhookSpec, method: str) -> str:
    """Why a trigger does not take a request with this method."""
    return f"it takes {', '.join(spec.methods)}, and this was {method}"
