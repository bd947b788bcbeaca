"""The pages of approvals on the public listener, where the configuration wants them there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import unquote

from daemon.waiting.page import HEADERS, UNKNOWN, ApprovalPages, Page, read_form
from triggers.bodies.arriving import well_formed
from triggers.http_answer import Answer, error_answer

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest

PREFIX = "/approvals/"
BODY_S = 30.0  # how long a form may take to come
LINES = "".join(f"\r\n{name}: {value}" for name, value in HEADERS.items()).encode()


class PublicPages:
    """What the webhook source asks for what is no hook."""

    def __init__(self, pages: ApprovalPages) -> None:
        self._pages = pages

    async def __call__(self, request: BaseRequest) -> Answer | None:
        path = request.raw_path.partition("?")[0]
        if not path.startswith(PREFIX):
            return None
        token = unquote(path.removeprefix(PREFIX))
        if request.method in {"GET", "HEAD"}:
            return _sent(await self._pages.show(token))
        if request.method != "POST":
            return error_answer(405, "METHOD_NOT_ALLOWED", "a page takes GET and POST", headers=b"\r\nAllow: GET, HEAD, POST")
        if not self._pages.knows(token):
            return _sent(UNKNOWN, close=True)
        try:
            async with asyncio.timeout(BODY_S):
                with well_formed():
                    form = await read_form(request.content.read)
                return _sent(await self._pages.decide(token, form))
        except TimeoutError:
            return error_answer(408, "TOO_SLOW", "the form did not come in time", close=True)


def _sent(page: Page, *, close: bool = False) -> Answer:
    return Answer(page.status, page.html.encode(), LINES, close=close, media=b"text/html; charset=utf-8")
