"""`email`: servers that refuse, hang, lie or are not there, and what becomes of the mail."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from flows.dialects import load_flow
from flows.executor import World, execute
from tests.flows.mailing import PASSWORD, Mailbox, authenticator, context_of, make_certificate, open_servers, send, with_settings  # noqa: F401 - fixtures


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_user_is_logged_in_over_a_secure_connection(serve, certificate, security):
    mailbox, context = Mailbox(), context_of(certificate)
    options = {"tls": context} if security == "tls" else {"tls_context": context, "require_starttls": True, "auth_required": True}
    port = await serve(mailbox, authenticator=authenticator, auth_require_tls=security != "tls", **options)

    settings = {"security": security, "tls_ca": str(certificate[0]), "username": "ada"}
    ended = await send(port, settings=settings, text="x")
    wrong = await send(port, settings=settings, secret="wr0ng-one", text="x")

    assert ended.status == "completed", ended
    assert mailbox.got[0][1].authenticated is True
    assert (wrong.status, wrong.code, len(mailbox.got)) == ("failed", "EMAIL_AUTH", 1)
    assert "wr0ng-one" not in repr(wrong)


async def test_a_certificate_that_nobody_vouches_for_and_a_server_without_starttls_are_refused(serve, certificate):
    mailbox = Mailbox()
    secure = await serve(mailbox, tls_context=context_of(certificate))
    plain = await serve(mailbox)

    ended = [await send(port, settings={"security": "starttls"}, text="x") for port in (secure, plain)]

    assert [(each.status, each.code) for each in ended] == [("failed", "TLS_FAILED")] * 2
    assert mailbox.got == []


@pytest.mark.parametrize(
    ("says", "code", "tries"),
    [
        ({"MAIL": "451 later"}, "EMAIL_REFUSED", 2), ({"MAIL": "550 never"}, "EMAIL_REFUSED", 1), ({"MAIL": "552 large"}, "EMAIL_TOO_LARGE", 1),
        ({"DATA": "452 later"}, "EMAIL_REFUSED", 2), ({"DATA": "554 spam"}, "EMAIL_REFUSED", 1), ({"DATA": "552 large"}, "EMAIL_TOO_LARGE", 1),
    ],
)  # fmt: skip
async def test_what_is_refused_for_now_is_tried_again_and_what_is_refused_for_good_is_not(serve, says, code, tries):
    mailbox = Mailbox()
    mailbox.says = says

    ended = await run_with_retries(await serve(mailbox))

    assert (ended.status, ended.code, tries_of(ended)) == ("failed", code, tries)


async def run_with_retries(port, **settings):
    kinds = with_settings(host="127.0.0.1", port=port, security="none", **settings)
    output = {"destination": "email", "to": ["bea@example.com", "cem@example.com"], "from": "ada@example.com", "text": "x"}
    retry = {"strategy": "retry", "retries": 1, "retryDelayMs": 1}
    flow = load_flow(
        {"key": "f", "steps": [{"id": "tell", "type": "output", "output": output, "onError": retry}]},
        key=None,
        folder=Path("/"),
        kinds=kinds,
    )
    return await execute(flow, {}, run_id="run_1", world=World(kinds, None, lambda _name: PASSWORD), record=lambda _: None)


def tries_of(ended):
    return ended.steps["tell"].get("retries", 0) + 1


async def test_the_mail_counts_as_sent_when_one_recipient_has_it(serve):
    mailbox = Mailbox()
    mailbox.rcpt = {"cem@example.com": "550 unknown"}

    ended = await send(await serve(mailbox), to=["bea@example.com", "cem@example.com"], text="x")

    assert ended.status == "completed"
    assert ended.output["accepted"] == 1
    assert ended.output["refused"] == [{"address": "cem@example.com", "status": 550}]
    assert mailbox.got[0][0].rcpt_tos == ["bea@example.com"]


@pytest.mark.parametrize(("second", "tries"), [("550 unknown", 1), ("450 later", 2)])
async def test_a_mail_that_nobody_takes_fails_and_is_tried_again_where_one_may_take_it_later(serve, second, tries):
    mailbox = Mailbox()
    mailbox.rcpt = {"bea@example.com": "550 unknown", "cem@example.com": second}

    ended = await run_with_retries(await serve(mailbox))

    assert (ended.status, ended.code, tries_of(ended), mailbox.got) == ("failed", "EMAIL_REFUSED", tries, [])


async def hangs(reader, writer):
    await reader.read()
    writer.close()


async def closes_at_once(_reader, writer):
    writer.close()


async def closes_in_the_middle(reader, writer):
    writer.write(b"220 x\r\n")
    for answer in (b"250 x\r\n", b"250 OK\r\n", b"250 OK\r\n", b"250 OK\r\n", b"354 go\r\n"):
        await reader.readline()
        writer.write(answer)
    await reader.readline()
    writer.close()


async def is_no_server_of_mails(_reader, writer):
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    writer.close()


async def is_busy(_reader, writer):
    writer.write(b"421 busy\r\n")
    writer.close()


@pytest.mark.parametrize(
    ("server", "code", "tries"),
    [
        (hangs, "TIMEOUT", 2), (closes_at_once, "EMAIL_UNREACHABLE", 2), (closes_in_the_middle, "EMAIL_UNREACHABLE", 2),
        (is_no_server_of_mails, "EMAIL_REFUSED", 1), (is_busy, "EMAIL_REFUSED", 2),
    ],
)  # fmt: skip
async def test_a_server_that_does_not_answer_as_one_is_a_failure_with_a_code(serve, server, code, tries):
    ended = await run_with_retries(await serve(server), timeout_s=0.3)

    assert (ended.code, tries_of(ended)) == (code, tries), ended


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"port": 1}, "127.0.0.1:1: there is no connection: Connection refused"),
     ({"host": "no-such-host.invalid", "security": "tls"}, "there is no server of that name")],
)  # fmt: skip
async def test_a_server_that_is_not_there_is_told_by_its_place_and_why(settings, said):
    ended = await send(1, settings=settings, text="x")

    assert (ended.status, ended.code) == ("failed", "EMAIL_UNREACHABLE")
    assert said in ended.error


async def test_a_cancel_closes_the_connection(serve):
    came, left = asyncio.Event(), asyncio.Event()

    async def handle(reader, writer):
        came.set()
        await reader.read()
        left.set()
        writer.close()

    sending = asyncio.create_task(send(await serve(handle), text="x"))
    await came.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    async with asyncio.timeout(5):
        await left.wait()


async def test_a_server_that_hangs_after_its_ok_has_the_mail(serve):
    async def handle(reader, writer):
        writer.write(b"220 x\r\n")
        for answer in (b"250 x\r\n", b"250 OK\r\n", b"250 OK\r\n", b"354 go\r\n"):
            await reader.readline()
            writer.write(answer)
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 taken\r\n")
        await reader.read()
        writer.close()

    ended = await send(await serve(handle), text="x")

    assert (ended.status, ended.output["accepted"]) == ("completed", 1)
