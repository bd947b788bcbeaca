"""The pages of approvals on the public listener: what comes of a form that does not come in one piece."""

import asyncio

import pytest
from structlog.testing import capture_logs

from daemon.waiting.aside import PublicPages
from daemon.waiting.page import MAX_BODY_BYTES, Page
from triggers.sources.webhook import WebhookSource

TOKEN = "right-" + "x" * 60
HEAD = f"POST /approvals/{TOKEN} HTTP/1.1\r\nHost: x\r\n".encode()


class Pages:
    """Knows one token, and keeps what was decided."""

    def __init__(self):
        self.decided = []
        self.asked = asyncio.Event()  # its body is read now

    def knows(self, token):
        self.asked.set()
        return token == TOKEN

    async def show(self, token):
        return Page(200, f"shown {self.knows(token)}")

    async def decide(self, _token, body):
        self.decided.append(body)
        return Page(200, "thank you") if body != b"fault" else 1 / 0


async def answer_to(pages, data, later=b""):
    """The answer's status, and what was logged meanwhile. `later` is sent once the body is being read."""
    source = WebhookSource(WebhookSource.Settings(listen="127.0.0.1:0"), secret=lambda ref: b"", aside=PublicPages(pages))
    with capture_logs() as logged:
        async with source.open(None):
            host, port = source.url.removeprefix("http://").removesuffix("/hooks").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(data)
            await pages.asked.wait()
            writer.write(later)
            writer.write_eof()
            answered = await asyncio.wait_for(reader.read(), 10)
            writer.close()
    return int(answered.split(b" ")[1]), logged


async def test_a_form_in_chunks_is_put_together():
    pages = Pages()

    status, _ = await answer_to(pages, HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\n=b\r\n0\r\n\r\n")

    assert (status, pages.decided) == (200, [b"a=b"])


@pytest.mark.parametrize("chunks", [b"zz\r\na", b"1\r\nab\r\n0\r\n\r\n", b"-1\r\n\r\n", b"0\r\nbad trailer\r\n\r\n"])
async def test_a_form_whose_chunks_are_none_is_refused_and_is_no_fault_of_ours(chunks, caplog):
    pages = Pages()

    status, logged = await answer_to(pages, HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n", chunks)

    assert (status, pages.decided, logged) == (400, [], [])
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_of_a_form_that_is_too_large_one_byte_too_many_is_read():
    pages = Pages()

    await answer_to(pages, HEAD + b"Content-Length: 300000\r\n\r\n" + b"a" * 300_000)

    assert [len(form) for form in pages.decided] == [MAX_BODY_BYTES + 1]


async def test_a_fault_of_ours_is_logged_without_the_right_that_the_address_is():
    status, logged = await answer_to(Pages(), HEAD + b"Content-Length: 5\r\n\r\nfault")

    (line,) = logged
    assert (status, line["event"], line["path"]) == (500, "http.request_failed", "/approvals/…")
    assert TOKEN not in repr(line)
