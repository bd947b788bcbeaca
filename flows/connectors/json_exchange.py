"""One exchange with a JSON API: what is not expected is a failure, and secrets do not come back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flows.errors import StepError
from flows.steps.http_exchange import Client, Request
from flows.steps.http_request import refused
from flows.steps.http_response import Answer, Expect, scrubbed, value_of, without


async def ask(client: Client, request: Request, secrets: Sequence[str], expect: Expect) -> tuple[Any, Answer]:
    """The answer's JSON as it came, secrets and all: for who reads from it where the next page is. See `cleaned` for the rows.

    Raises StepError: HTTP_STATUS, BAD_JSON, and what the exchange itself raises.
    """
    answer = await client.send(request)
    if answer.status not in expect:
        raise refused(request, scrubbed(answer, secrets), "auto", secrets)
    try:
        return value_of(answer, "json"), answer
    except StepError:
        value_of(scrubbed(answer, secrets), "json")  # fails in the same way, and does not quote what was sent
        raise StepError(f"{request.method} {request.shown}: the answer is not JSON", code="BAD_JSON") from None


def cleaned(rows: Sequence[Any], secrets: Sequence[str]) -> list[Any]:
    """Rows without the secrets of their request. Raises StepError SOURCE_ROWS where they are nested too deep to look at."""
    try:
        return [without(row, secrets) for row in rows]
    except RecursionError:
        raise StepError("a row is nested too deep", code="SOURCE_ROWS", retryable=False) from None
