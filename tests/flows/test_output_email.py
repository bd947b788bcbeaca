"""The destination `email`, against a real SMTP server: what arrives, who is let in, and what is not told."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from email import message_from_bytes
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import pytest_asyncio
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flows.connectors.destinations.mail_settings import EmailSettings
from flows.connectors.settings import ConnectorSettings
from flows.dialects import load_flow
from flows.errors import DefinitionError, StepError
from flows.executor import World, execute
from flows.steps import make_kinds
from flows.steps.output import OutputKind
from flows.summary import needs

PASSWORD = "pässw0rd-of-nobody"
HOSTILE = ["a\r\nBcc: eve@example.com", "a\nX: 1", "a\rX: 1", "a\0", "a\u2028b", "a\x85b", "a\x0bb"]
ENCODED = "=?utf-8?q?a=0D=0ABcc=3A_eve=40example.com?="


class Mailbox:
    """Takes mails, and answers as `says` has it for MAIL, RCPT (by address) and DATA."""

    def __init__(self):
        self.got, self.says, self.rcpt = [], {}, {}

    async def handle_MAIL(self, server, session, envelope, address, options):
        envelope.mail_from, envelope.mail_options = address, options
        return self.says.get("MAIL", "250 OK")

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.rcpt:
            return self.rcpt[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if "DATA" in self.says:
            return self.says["DATA"]
        self.got.append((envelope, session))
        return "250 taken"

    @property
    def mails(self):
        return [message_from_bytes(envelope.content, policy=default) for envelope, _ in self.got]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed one for 127.0.0.1: the files of it and of its key."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*plain))
    return folder / "cert.pem", folder / "key.pem"


def context_of(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest_asyncio.fixture
async def serve():
    """Starts a server for a mailbox, or for a coroutine that is given both ends of the connection; gives its port."""
    servers = []

    async def start(mailbox, *, tls=None, **options):
        if isinstance(mailbox, Mailbox):
            loop = asyncio.get_running_loop()
            options = {"hostname": "mail.test", "enable_SMTPUTF8": True, "loop": loop, **options}
            server = await loop.create_server(lambda: SMTP(mailbox, **options), "127.0.0.1", 0, ssl=tls)
        else:
            server = await asyncio.start_server(mailbox, "127.0.0.1", 0)
        servers.append(server)
        return server.sockets[0].getsockname()[1]

    yield start
    for server in servers:
        server.close()


def text_of(part):
    return part.get_content().replace("\r\n", "\n")


def authenticator(_server, _session, _envelope, _mechanism, data):
    held = (data.login, data.password) == (b"ada", PASSWORD.encode())
    return AuthResult(success=held, handled=False)


def with_settings(**settings):
    sections = {"connectors.email": EmailSettings(**settings)}
    return {**make_kinds(), "output": OutputKind(ConnectorSettings(sections=sections))}


def load(kinds, folder=Path("/"), **section):
    output = {"destination": "email", "to": "bea@example.com", "from": "ada@example.com", **section}
    return load_flow(
        {"key": "f", "steps": [{"id": "tell", "type": "output", "output": output}]}, key=None, folder=folder, kinds=kinds
    )


async def send(port, inputs=None, *, folder=Path("/"), settings=None, secret=PASSWORD, run_id="run_1", record=None, **section):
    kinds = with_settings(**{"host": "127.0.0.1", "port": port, "security": "none", **(settings or {})})
    world = World(kinds, None, lambda _name: secret)
    flow = load(kinds, folder, **section)
    try:
        return await execute(flow, inputs or {}, run_id=run_id, world=world, record=record or (lambda _attempt: None))
    finally:
        for kind in kinds.values():
            await kind.close()


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
