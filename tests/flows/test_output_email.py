"""The destination `email`, against a real SMTP server: what arrives, who is let in, and what is not told."""

from __future__ import annotations

import datetime as dt
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from flows.connectors.destinations.mail_settings import EmailSettings
from flows.dialects import load_flow
from flows.errors import DefinitionError, StepError
from flows.executor import World, execute
from flows.steps import make_kinds
from flows.summary import needs
from tests.flows.mailing import (
    Mailbox,
    load,
    open_servers,  # noqa: F401 - fixtures
    send,
    text_of,
    with_settings,
)

HOSTILE = ["a\r\nBcc: eve@example.com", "a\nX: 1", "a\rX: 1", "a\0", "a\u2028b", "a\x85b", "a\x0bb"]

ENCODED = "=?utf-8?q?a=0D=0ABcc=3A_eve=40example.com?="


async def test_a_mail_arrives_with_all_that_the_step_says(serve, tmp_path):
    mailbox = Mailbox()
    port = await serve(mailbox)
    (tmp_path / "a.csv").write_text("x\n1\n")

    ended = await send(
        port, {"name": "Käthe, <b>", "n": 3}, folder=tmp_path,
        to=["{{$.input.name | json}}x@example.com", "Bea <bea@example.com>"][1:], cc="Çem <cem@example.com>", bcc="dan@example.com",
        replyTo='"Office, all" <office@example.com>', subject="Für {{$.input.name}}", text="{{$.input.n}} ünits\n.\nFrom me",
        html="<p>{{$.input.name}} {{$.input.name | html}}</p>",
        attachments=[{"path": "a.csv"}, {"filename": "dät.json", "content": {"n": "$.input.n"}}],
    )  # fmt: skip

    assert ended.status == "completed", ended
    assert (ended.output["accepted"], ended.output["refused"]) == (3, [])
    (mail,), ((envelope, _),) = mailbox.mails, mailbox.got
    assert envelope.mail_from == "ada@example.com"
    assert envelope.rcpt_tos == ["bea@example.com", "cem@example.com", "dan@example.com"]
    assert (mail["subject"], mail["from"], mail["to"]) == ("Für Käthe, <b>", "ada@example.com", "Bea <bea@example.com>")
    assert (mail["cc"].addresses[0].display_name, mail["cc"].addresses[0].addr_spec) == ("Çem", "cem@example.com")
    assert (mail["bcc"], mail["reply-to"]) == (None, '"Office, all" <office@example.com>')
    assert mail["message-id"] == ended.output["messageId"]
    assert abs((parsedate_to_datetime(mail["date"]) - dt.datetime.now(dt.UTC)).total_seconds()) < 60
    assert text_of(mail.get_body(("plain",))) == "3 ünits\n.\nFrom me\n"
    assert text_of(mail.get_body(("html",))) == "<p>Käthe, &lt;b&gt; Käthe, &lt;b&gt;</p>\n"
    held = [(each.get_filename(), each.get_content_type(), each.get_content()) for each in mail.iter_attachments()]
    assert held == [("a.csv", "text/csv", "x\n1\n"), ("dät.json", "application/json", b'{\n  "n": 3\n}')]


@pytest.mark.parametrize(("data", "expected"), [("$.input.x", "plain"), ({"x": "$.input.x"}, '{\n  "x": "plain"\n}')])
async def test_without_text_and_html_the_mail_is_the_data(serve, data, expected):
    mailbox = Mailbox()

    await send(await serve(mailbox), {"x": "plain"}, data=data)

    assert text_of(mailbox.mails[0]) == f"{expected}\n"


@pytest.mark.parametrize("text", ["日本語\n" * 500, "x" * 5000, "a\0b\x1b[31m\n.\n..\nFrom x", "=3D =?utf-8?q?x?="])
async def test_any_text_arrives_as_it_is(serve, text):
    mailbox = Mailbox()

    await send(await serve(mailbox), {"x": text}, text="$.input.x")

    assert text_of(mailbox.mails[0]).rstrip("\n") == text.rstrip("\n")
    assert len(mailbox.got[0][0].content) < 2 * len(text.encode()) + 1000


@pytest.mark.parametrize(
    ("section", "inputs"),
    [
        ({"text": "$.input.x"}, {}), ({"html": "$.input.x"}, {}), ({"text": "$.input.x"}, {"x": None}), ({"data": "$.input.x"}, {}),
        ({"text": "x", "subject": "$.input.x"}, {}), ({"text": "x", "from": "$.input.x"}, {}), ({"text": "x", "to": "$.input.x"}, {}),
        ({"text": "$.input.x"}, {"x": "\ud800"}), ({"text": "x", "attachments": [{"filename": "a", "content": "$.input.x"}]}, {}),
    ],
)  # fmt: skip
async def test_a_mail_of_which_a_part_is_not_there_is_not_sent(serve, section, inputs):
    mailbox = Mailbox()

    ended = await send(await serve(mailbox), inputs, settings={"sender": "else@example.com"}, **section)

    assert (ended.status, mailbox.got) == ("failed", [])


async def test_every_try_has_the_same_message_id_and_every_run_another(serve):
    mailbox = Mailbox()
    port = await serve(mailbox)

    for run_id in ("run_1", "run_1", "run_2"):
        await send(port, run_id=run_id, text="x")

    first, again, other = (mail["message-id"] for mail in mailbox.mails)
    assert first == again != other


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("field", ["to", "cc", "bcc", "from", "replyTo", "subject"])
async def test_no_value_can_begin_another_header(serve, field, hostile):
    mailbox = Mailbox()
    template = "{{$.input.x}}" if field == "subject" else "{{$.input.x}} <bea@example.com>"

    ended = await send(await serve(mailbox), {"x": hostile}, text="x", **{field: template})

    assert (ended.status, ended.code, mailbox.got) == ("failed", "EMAIL_HEADER", [])


@pytest.mark.parametrize("name", [*HOSTILE, ENCODED, "../a", "a/b", "a\\b", "x" * 256])
async def test_no_name_of_an_attachment_can_begin_another_header_or_lead_elsewhere(serve, name):
    mailbox = Mailbox()

    ended = await send(await serve(mailbox), {"x": name}, text="x", attachments=[{"filename": "$.input.x", "content": "c"}])

    assert (ended.status, ended.code, mailbox.got) == ("failed", "EMAIL_HEADER", [])


async def test_what_looks_encoded_already_stays_what_it_is(serve):
    mailbox = Mailbox()

    ended = await send(
        await serve(mailbox), {"x": ENCODED}, text="$.input.x", subject="$.input.x", to="{{$.input.x}} <bea@example.com>"
    )  # fmt: skip

    (mail,), ((envelope, _),) = mailbox.mails, mailbox.got
    assert ended.status == "completed"
    assert envelope.rcpt_tos == ["bea@example.com"]
    assert b"\nBcc:" not in envelope.content
    assert str(mail["subject"]) == ENCODED
    assert mail["to"].addresses[0].display_name.replace(" ", "") == ENCODED  # Python's parser puts one between two encoded words


@pytest.mark.parametrize(
    "address",
    ["a@example.com, eve@example.com", "a@example.com; b@x", "a", "@x", "a@", "a@@x", "a b@x", "a@x>", "<a@x> b", "a..b@x", "a@x..y", "a@[1]",
     "'; DROP", "", " ", 5, None, {"a": 1}, [["a@x"]], [], "a@x SIZE=1", "x" * 65 + "@x", "a@" + "x" * 260, ["a@x"] * 101, "\ud800@x", '"a b"@x'],
)  # fmt: skip
async def test_a_value_that_is_not_one_address_reaches_no_server(serve, address):
    mailbox = Mailbox()

    ended = await send(await serve(mailbox), {"x": address}, text="x", to="$.input.x")

    assert (ended.status, mailbox.got) == ("failed", [])
    assert ended.code in ("EMAIL_ADDRESS", "EMAIL_HEADER")


async def test_letters_outside_of_ascii_in_an_address_need_a_server_that_takes_them(serve):
    taken, old = Mailbox(), Mailbox()

    ended = await send(await serve(taken), to="bèa@exämple.com", text="x")
    refused = await send(await serve(old, enable_SMTPUTF8=False), to="bèa@exämple.com", text="x")

    assert (ended.status, taken.got[0][0].rcpt_tos) == ("completed", ["bèa@exämple.com"])
    assert (refused.status, refused.code, old.got) == ("failed", "EMAIL_ADDRESS", [])
    assert "SMTPUTF8" in refused.error


async def test_a_mail_that_is_too_large_is_not_sent(serve, tmp_path):
    mailbox = Mailbox()
    port, small = await serve(mailbox), await serve(mailbox, data_size_limit=1000)
    (tmp_path / "big").write_bytes(b"x" * 5000)
    large = {"text": "x", "attachments": [{"path": "big"}], "folder": tmp_path}

    ended = [await send(port, settings={"max_bytes": 4000}, **large), await send(port, settings={"max_bytes": 6000}, **large)]
    ended.append(await send(small, **large))

    assert [each.code for each in ended] == ["EMAIL_TOO_LARGE"] * 3
    assert mailbox.got == []


async def test_only_files_in_the_allowed_folders_are_attached(serve, tmp_path):
    mailbox = Mailbox()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "out").mkdir()
    section = {"text": "x", "attachments": [{"path": "$.input.x"}], "folder": tmp_path}

    ended = await send(await serve(mailbox), {"x": "secret"}, settings={"roots": (str(tmp_path / "out"),)}, **section)

    assert (ended.code, mailbox.got) == ("PATH_NOT_ALLOWED", [])


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"to": "a, b"}, "is no address"), ({"to": []}, "empty"), ({"to": ["a@x", 5]}, "must be text"), ({"data": 1, "text": "x"}, "beside"),
        ({"attachments": [{}]}, "path"), ({"attachments": [{"content": "x"}]}, "filename"), ({"attachments": [{"path": "a", "content": "x"}]}, "path"),
        ({"subject": "{{x | nopipe}}"}, "subject"), ({"cc": "a\nb@x"}, "cc"),
    ],
)  # fmt: skip
def test_what_can_be_known_at_load_is_refused_at_load(section, said):
    with pytest.raises(DefinitionError) as caught:
        load(make_kinds(), **section)

    assert said in str(caught.value)


def test_somebody_has_to_be_the_sender():
    with pytest.raises(DefinitionError, match="nobody is named that the mail is from"):
        load_flow(
            {"key": "f", "steps": [{"id": "t", "type": "output", "output": {"destination": "email", "to": "a@x"}}]},
            key=None,
            folder=Path("/"),
            kinds=make_kinds(),
        )


def test_a_flow_says_which_secret_its_mails_need():
    flow = load(with_settings(username="ada", secret="MAIL_KEY"), text="{{$.input.x}}")

    found = needs(flow)

    assert (found["secrets"], found["destinations"]) == (["MAIL_KEY"], ["email"])


def test_a_server_elsewhere_is_not_spoken_to_in_plain_text():
    for host in ("mail.example.com", "10.0.0.1", "localhost.example.com"):
        with pytest.raises(ValueError, match="security none"):
            EmailSettings(host=host, security="none")


async def test_a_secret_that_is_not_there_sends_nothing(serve):
    mailbox = Mailbox()
    kinds = with_settings(host="127.0.0.1", port=await serve(mailbox), security="none", username="ada")

    def missing(name):
        raise StepError(f"there is no secret «{name}»", code="SECRET_MISSING", retryable=False)

    ended = await execute(load(kinds, text="x"), {}, run_id="run_1", world=World(kinds, None, missing), record=lambda _: None)

    assert (ended.code, mailbox.got) == ("SECRET_MISSING", [])
