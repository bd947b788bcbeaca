"""One JSON document posted to a hook: never redirected, and judged by the status of the answer."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from flows.errors import StepError
from flows.retry import PASSING_STATUSES
from flows.steps.http_exchange import Client, Request
from flows.steps.http_response import Answer, lenient_value, response_of, retry_after_s, scrubbed, without

LATER_STATUSES = PASSING_STATUSES | {429}  # of the 4xx: the same request may be taken another time


class HookSettings(BaseModel):
    """What the sections of destinations that post have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout_s: float = Field(default=30.0, gt=0, le=3600, description="for one attempt")
    max_bytes: int = Field(default=1024 * 1024, gt=0, description="of an answer")
    allow_private: bool = Field(default=True, description="whether loopback and private addresses may be called")
    trust_env: bool = Field(
        default=False, description="whether HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the daemon's environment count"
    )


def open_client(settings: HookSettings) -> Client:
    return Client(user_agent="camshaft", trust_env=settings.trust_env, allow_private=settings.allow_private)


def hook_request(url: str, shown: str, body: bytes, headers: dict[str, str], settings: HookSettings) -> Request:
    """A POST that no redirect leads elsewhere: what was signed, or is secret, was meant for one address."""
    return Request("POST", url, shown, headers, frozenset(), body, settings.timeout_s, settings.max_bytes, max_redirects=0)


async def post(client: Client, request: Request, secrets: Sequence[str] = ()) -> Answer:
    """An answer 2xx, without the secrets. Raises StepError HTTP_STATUS otherwise, and what Client.send raises."""
    answer = scrubbed(await client.send(request), secrets)
    if 200 <= answer.status < 300:
        return answer
    raise StepError(
        f"{request.method} {request.shown} answered {answer.phrase}",
        code="HTTP_STATUS",
        status=answer.status,
        retryable=answer.status >= 500 or answer.status in LATER_STATUSES,
        retry_after_s=retry_after_s(answer, time.time()),
        output=response_of(answer, without(lenient_value(answer, "auto"), secrets)),
    )
