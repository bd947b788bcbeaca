"""What senders are told: of an event, of a batch, of a refusal, and in the handshakes that some of them begin with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from triggers.http_answer import Answer, error_answer
from triggers.source import Accepted, Unavailable
from triggers.sources.webhook_hook import Hook, Takers

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest

_ORIGIN = re.compile(r"[A-Za-z0-9.*:/_\[\]-]{1,255}")  # a DNS expression, in a header of ours
_VERIFYING = "Slack asks with url_verification whether this address is ours: it was answered, and starts nothing"


def accepted_answer(accepted: Accepted, told: Mapping[str, str] | None) -> Answer:
    """202 where a run was queued. `told`: the verdicts that this sender may see, None: none."""
    status = 202 if accepted.runs and not accepted.duplicate else 200
    return Answer(status, orjson.dumps(_said(accepted, told)) + b"\n")


def batch_answer(all_accepted: Sequence[Accepted], told: Sequence[Mapping[str, str] | None]) -> Answer:
    """The same for each event of a batch, in its order."""
    status = 202 if any(accepted.runs and not accepted.duplicate for accepted in all_accepted) else 200
    events = [_said(accepted, verdicts) for accepted, verdicts in zip(all_accepted, told, strict=True)]
    return Answer(status, orjson.dumps({"events": events}) + b"\n")


def _said(accepted: Accepted, told: Mapping[str, str] | None) -> dict[str, Any]:
    said: dict[str, Any] = {"event": accepted.event_id, "runs": accepted.runs}
    if told is not None:
        said["verdicts"] = told
    return said


def unavailable_answer(error: Unavailable) -> Answer:
    retry = b"\r\nRetry-After: %d" % error.retry_after_s
    return error_answer(503, "UNAVAILABLE", "this event could not be made durable now", "send it again", headers=retry)


def unauthorized() -> Answer:
    """One answer for all reasons: which one it was is for the owner, in `camshaft event explain`."""
    hint = "the owner of this hook finds the reason in its events"
    return error_answer(
        401, "UNAUTHORIZED", "the request did not prove who sent it", hint, headers=b"\r\nWWW-Authenticate: Bearer"
    )


def method_answer(request: BaseRequest, hook: Hook) -> Answer:
    """405, or what OPTIONS asks: which methods there are. No header of CORS: browsers' scripts have no business here."""
    if request.method != "OPTIONS":
        return error_answer(405, "METHOD", f"this hook does not take {request.method}", headers=hook.allow)
    said = orjson.dumps({"allow": hook.allow.partition(b": ")[2].decode().split(", ")}) + b"\n"
    origin = request.headers.get("WebHook-Request-Origin")
    if origin is None or "POST" not in hook.takers:
        return Answer(200, said, hook.allow)
    if not _ORIGIN.fullmatch(origin):
        return error_answer(400, "ORIGIN", "WebHook-Request-Origin is no DNS name", headers=hook.allow)
    consent = f"\r\nWebHook-Allowed-Origin: {origin}\r\nWebHook-Allowed-Rate: *".encode()
    return Answer(200, said, hook.allow + consent)


def slack_challenge(document: Mapping[str, Any]) -> str | None:
    """What Slack wants to have back, where this is its url_verification."""
    body = document["body"]
    if type(body) is dict and body.get("type") == "url_verification" and document["bodyType"] == "json":
        challenge = body.get("challenge")
        return challenge if type(challenge) is str else None
    return None


def challenge_answer(challenge: str) -> Answer:
    return Answer(200, orjson.dumps({"challenge": challenge.encode("utf-8", "replace").decode()}) + b"\n")


def kept_from_slack(takers: Takers) -> dict[str, tuple[str, str]]:
    """The event of a url_verification tells that Slack was here, and starts nothing: what its triggers are told."""
    return {**takers.withheld, **dict.fromkeys(takers.keys, ("filter_false", _VERIFYING))}
