"""One route: what it is for, what it takes, what it answers, and who answers. The table of them is routes.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from daemon.admin.parameter import Parameter, read_headers, read_query
from daemon.admin.schema import Schema
from daemon.errors import BadRequest
from daemon.measuring.measures import Measures
from daemon.operations import Listed, Operations
from daemon.shapes import instant
from daemon.stream import Stream
from daemon.waiting.page import ApprovalPages
from flows.depth import MAX_STORED_DEPTH
from flows.suggest import validation_problems
from triggers.bodies.json_body import parse_json
from triggers.bodies.refused import Refused

JSON = "application/json"


Ready = Callable[[], Awaitable[Mapping[str, bool]]]


@dataclass(frozen=True, slots=True)
class Behind:
    """What stands behind the routes."""

    operations: Operations
    ready: Ready
    stream: Stream = field(default_factory=Stream)
    measures: Measures | None = None
    open_metrics: bool = False
    pages: ApprovalPages | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, taken apart and checked against its route."""

    behind: Behind
    path: Mapping[str, str]  # what stands in the places of the path
    query: Mapping[str, Any]  # values as the route's parameters read them
    body: Any  # the JSON of a POST; with `Body.model` an object of it
    request: web.Request
    headers: Mapping[str, Any] = field(default_factory=dict)  # those of the route's that came, by the names it gives them

    @property
    def operations(self) -> Operations:
        return self.behind.operations

    @property
    def key(self) -> str:
        """What stands in the one place of the path."""
        return next(iter(self.path.values()), "")


@dataclass(frozen=True, slots=True)
class Reply:
    value: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


NEXT = {"Link": '`<…>; rel="next"`: the next page, where there may be one (RFC 8288)'}


def paged(asked: Asked, listed: Listed) -> Reply:
    """A page as the array it is. Where it ends stands in a header, so that tools go on by following it."""
    if listed.next is None:
        return Reply(listed.rows)
    moments = {name: str(instant(asked.query[name])) for name in ("since", "until") if name in asked.query}  # 2h would move on
    following = asked.request.rel_url.update_query({**moments, "before": listed.next})
    return Reply(listed.rows, headers={"Link": f'<{following}>; rel="next"'})


Handler = Callable[[Asked], Awaitable[Reply | web.StreamResponse]]
"""A Reply is sent as JSON; a response is what the handler has sent by itself: a stream, a text."""


@dataclass(frozen=True, slots=True)
class Body:
    """What a POST carries. With a `model` pydantic checks it, and the handler is given the object; else the JSON as it came."""

    description: str
    schema: Schema | None = None
    model: type[BaseModel] | None = None
    required: bool = True
    example: Any = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What one status means."""

    description: str
    schema: Schema
    media: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)  # name → what it holds
    example: Any = None


@dataclass(frozen=True, slots=True)
class Route:
    """`refuses` are codes of errors beyond those that every route has; openapi.ERRORS says what each means."""

    method: str
    path: str
    summary: str
    handler: Handler
    answers: Mapping[int, Answer]
    query: Sequence[Parameter] = ()  # others are refused
    headers: Sequence[Parameter] = ()  # others are not looked at
    body: Body | None = None
    refuses: Sequence[str] = ()
    description: str = ""
    public: bool = False  # True: answers without a token
    opened: bool = False  # True: [http] open_metrics lets it be asked from this machine without one


async def answer(route: Route, request: web.Request, behind: Behind) -> Reply | web.StreamResponse:
    """Take the request apart, refusing what has no meaning, and let the route's handler answer."""
    query = read_query(route.query, request.query.items())
    body = None
    if route.body is not None:
        with body_told():
            raw = await request.read()
        body = _read_body(route.body, raw)
    headers = read_headers(route.headers, request.headers)
    return await route.handler(Asked(behind, dict(request.match_info), query, body, request, headers))


@contextmanager
def body_told() -> Iterator[None]:
    """Around reads of a body. Raises BadRequest for one that is no HTTP (aiohttp raises what its parser met, of several trees), and
    where the client has gone: nobody hears it then.
    """
    try:
        yield
    except web.HTTPException:  # it is too large
        raise
    except Exception as error:
        raise BadRequest("the body is not well-formed HTTP/1.1", "or it did not come whole") from error


def _read_body(body: Body, raw: bytes) -> Any:
    value = _read_json(raw)
    if body.model is None:
        return value
    try:
        return body.model.model_validate({} if value is None and not body.required else value)
    except ValidationError as error:
        problem = validation_problems(error, list(body.model.model_fields))[0]
        raise BadRequest(f"the body: {problem.problem}", problem.hint) from error


def _read_json(raw: bytes) -> Any:
    """As a hook's body is read: whole numbers of any size, and half characters, which the wire can carry as escapes."""
    if not raw:
        return None
    try:
        return parse_json(raw, max_depth=MAX_STORED_DEPTH)
    except Refused as refused:
        said = orjson.loads(refused.answer.body or b"")["error"]
        raise BadRequest(said["message"], said.get("hint")) from refused
