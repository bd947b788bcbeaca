"""One exchange with a JSON API: what is not expected is a failure in the API's own words, and secrets do not come back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from flows.depth import MAX_OUTPUT_DEPTH, deeper_than
from flows.errors import StepError
from flows.steps.http_exchange import Client, Request
from flows.steps.http_request import refused
from flows.steps.http_response import Answer, Expect, lenient_value, scrubbed, value_of, without

SUCCESS = Expect(((200, 299),))
SAID_CHARACTERS = 300  # of an API's own words in a message
PRIVATE = frozenset({"authorization", "cookie", "proxy-authorization"})


class ApiSettings(BaseModel):
    """What sections of connectors to one API have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout_s: float = Field(default=30.0, gt=0, description="for one exchange")
    max_bytes: int = Field(default=10 * 1024 * 1024, gt=0, description="of one answer")
    allow_private: bool = Field(default=True, description="whether loopback and private addresses may be called")
    trust_env: bool = Field(
        default=False, description="whether HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the daemon's environment count"
    )

    def client(self) -> Client:
        return Client(user_agent="camshaft", trust_env=self.trust_env, allow_private=self.allow_private)

    def request(self, method: str, url: str, headers: dict[str, str], body: bytes | None = None) -> Request:
        """Redirects are not followed: no documented answer of these APIs is one."""
        shown = url.partition("?")[0]
        return Request(method, url, shown, headers, PRIVATE, body, self.timeout_s, self.max_bytes, max_redirects=0)


async def ask(
    client: Client,
    request: Request,
    secrets: Sequence[str],
    expect: Expect = SUCCESS,
    words: Callable[[Any], str] = lambda _body: "",
) -> tuple[Any, Answer]:
    """The answer's JSON as it came, secrets and all: for who reads from it where the next page is. See `cleaned` for the rows.

    Raises StepError: HTTP_STATUS, with the `words` that are in the body of a refusal; BAD_JSON; what the exchange itself raises.
    """
    answer = await client.send(request)
    if answer.status not in expect:
        clean = scrubbed(answer, secrets)
        said = words(without(lenient_value(clean, "json"), secrets))[:SAID_CHARACTERS]
        raise refused(request, clean, "auto", secrets, said)
    try:
        return value_of(answer, "json"), answer
    except StepError:
        value_of(scrubbed(answer, secrets), "json")  # fails in the same way, and does not quote what was sent
        raise StepError(f"{request.method} {request.shown}: the answer is not JSON", code="BAD_JSON") from None


def cleaned(rows: Sequence[Any], secrets: Sequence[str]) -> list[Any]:
    """Rows without the secrets of their request. Raises StepError SOURCE_ROWS where they are nested too deep to look at."""
    if deeper_than(rows, MAX_OUTPUT_DEPTH):
        raise StepError("a row is nested too deep", code="SOURCE_ROWS", retryable=False)
    return [without(row, secrets) for row in rows]


def unexpected(request: Request, what: str) -> StepError:
    """The API answered well, and not as it documents."""
    return StepError(f"{request.method} {request.shown}: {what}", code="SOURCE_ROWS", retryable=False)
