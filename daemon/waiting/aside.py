"""The pages of approvals on the public listener, where the configuration wants them there."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from daemon.waiting.page import HEADERS, MAX_BODY_BYTES, ApprovalPages, Page
from triggers.http_answer import Answer, error_answer

if TYPE_CHECKING:
    from aiohttp.web import BaseRequest

PREFIX = "/approvals/"
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
        raw = await request.content.read(MAX_BODY_BYTES + 1)
        while len(raw) <= MAX_BODY_BYTES and (more := await request.content.read(MAX_BODY_BYTES + 1 - len(raw))):
            raw += more
        return _sent(await self._pages.decide(token, raw))


def _sent(page: Page) -> Answer:
    return Answer(page.status, page.html.encode(), LINES, media=b"text/html; charset=utf-8")
