"""Approvals: listed, answered, and the page of a link."""

from __future__ import annotations

from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from daemon.admin.route import Answer, Asked, Body, Reply, Route, body_told
from daemon.admin.schema import ANYTHING, INSTANT, OBJECT, TEXT, by_name, listed, maybe, record, ref, said, words
from daemon.errors import Unreachable
from daemon.waiting.approvals import MAX_COMMENT, MAX_NAME
from daemon.waiting.page import HEADERS, MAX_BODY_BYTES, UNKNOWN, ApprovalPages, Page, read_form

ASKED = {
    "message": said(TEXT, "what is asked"),
    "form": said(by_name(OBJECT), "the fields, as they are declared"),
    "approvers": listed(TEXT, "who may answer; none: anyone"),
    "link": said(maybe(TEXT), "a page where anyone can answer; null: there is none"),
    "links": said(by_name(maybe(TEXT)), "such pages by approver"),
}
OPEN = {
    "step": said(TEXT, "its path in the run"),
    "kind": words(("timer", "approval", "event")),
    "since": INSTANT,
    "due": said(maybe(INSTANT), "when it is over by itself"),
}
SCHEMAS = {
    "ApprovalListed": record("An approval that is open.", {"run": TEXT, **OPEN, **ASKED}),
    "Wait": record(
        "What a step of a run waits for.",
        OPEN,
        optional={
            **ASKED,
            "event": said(maybe(TEXT), "of an event: its name"),
            "webhook": said(maybe(TEXT), "of an event: the hook's path"),
            "match": said(maybe(TEXT), "of an event: which one"),
            "key": said(ANYTHING, "of an event: what it is known by; null: nothing"),
        },
    ),
    "Answered": record(
        "What became of an approval.",
        {
            "run": TEXT,
            "step": TEXT,
            "outcome": words(("approved", "rejected")),
            "by": maybe(TEXT),
            "at": INSTANT,
            "form": OBJECT,
            "comment": maybe(TEXT),
        },
    ),
}


class Answered(BaseModel):
    """Yes or no, with what the form asks for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    decision: Literal["approve", "reject"]
    form: dict[str, Any] = Field(default_factory=dict, description="the fields by their names")
    comment: str | None = Field(default=None, max_length=MAX_COMMENT)
    by: str | None = Field(default=None, max_length=MAX_NAME, description="who answers")


async def list_approvals(asked: Asked) -> Reply:
    return Reply(await asked.operations.list_approvals())


async def answer_approval(asked: Asked) -> Reply:
    body: Answered = asked.body
    return Reply(
        await asked.operations.decide(
            asked.path["run"], asked.path["step"], body.decision, form=body.form, comment=body.comment, by=body.by
        )
    )


async def show_page(asked: Asked) -> web.StreamResponse:
    return _sent(await _pages(asked).show(asked.key))


async def answer_page(asked: Asked) -> web.StreamResponse:
    pages = _pages(asked)
    if not pages.knows(asked.key):  # of a stranger no more is read
        return _sent(UNKNOWN)
    with body_told():
        form = await read_form(asked.request.content.read)
    return _sent(await pages.decide(asked.key, form))


def _pages(asked: Asked) -> ApprovalPages:
    if asked.behind.pages is None:
        raise Unreachable("no approvals are asked here")
    return asked.behind.pages


def _sent(page: Page) -> web.Response:
    return web.Response(status=page.status, text=page.html, content_type="text/html", headers=HEADERS)


def _html(said: str) -> Answer:
    return Answer(said, TEXT, media="text/html")


PAGES = {
    200: _html("the question, or that it is answered now"),
    404: _html("no such link, or it is too old"),
    409: _html("it was answered already, or its time is over"),
    422: _html("what was given is refused; the question stays open"),
}

ROUTES = (
    Route(
        "GET",
        "/v1/approvals",
        "what is asked of people now, the oldest first",
        list_approvals,
        {200: Answer("those that are open", listed(ref("ApprovalListed")))},
        refuses=("STORE",),
    ),
    Route(
        "POST",
        "/v1/runs/{run}/approvals/{step}",
        "answer an approval; 409 says what happened before",
        answer_approval,
        {200: Answer("it is on disk, and the run goes on", ref("Answered"))},
        body=Body(
            "Yes or no, with what the form asks for.",
            model=Answered,
            example={"decision": "approve", "form": {"amount": 100}, "comment": "fine", "by": "ada"},
        ),
        refuses=("NOT_FOUND", "AMBIGUOUS", "CONFLICT", "DEFINITION", "STORE", "UNREACHABLE"),
        description="A step is named by its path in the run, or by its id where one alone of that id is open.",
    ),
    Route(
        "GET",
        "/approvals/{token}",
        "the page of a link: the question and its form",
        show_page,
        PAGES,
        refuses=("UNREACHABLE",),
        description="The link is the right to answer: no token is asked for.",
        public=True,
    ),
    Route(
        "POST",
        "/approvals/{token}",
        "answer by a link, with a form as browsers send it",
        answer_page,
        PAGES | {413: _html(f"the form is larger than {MAX_BODY_BYTES} bytes")},
        refuses=("UNREACHABLE",),
        public=True,
    ),
)
