"""What tests of mails share: a server for a mailbox, its certificate, and a step that sends."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from email import message_from_bytes
from email.policy import default
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
from flows.executor import World, execute
from flows.steps import make_kinds
from flows.steps.output import OutputKind

PASSWORD = "pässw0rd-of-nobody"


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


@pytest.fixture(name="certificate", scope="module")
def make_certificate(tmp_path_factory):
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


@pytest_asyncio.fixture(name="serve")
async def open_servers():
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
