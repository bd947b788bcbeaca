"""One mail as bytes: its headers written by us, its parts by Python's own library."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path

from flows.connectors.destinations.mail_addresses import Mailbox, header_text
from flows.errors import StepError
from flows.steps.file_place import file_error, open_file

PLAIN_LINES = SMTP.clone(cte_type="7bit")  # every server takes it; 8BITMIME is an extension


@dataclass(frozen=True, slots=True)
class Attachment:
    """`content` None: the file at `path` is read when the mail is made."""

    filename: str
    content: bytes | None
    path: Path | None


@dataclass(frozen=True, slots=True)
class Mail:
    """All that a mail is made of, checked. `bcc` are in the envelope and in no header."""

    sender: Mailbox
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    bcc: tuple[Mailbox, ...]
    reply_to: tuple[Mailbox, ...]
    subject: str
    text: str | None
    html: str | None
    attachments: tuple[Attachment, ...]
    message_id: str  # with its < >
    date: datetime  # aware

    @property
    def recipients(self) -> tuple[str, ...]:
        """Each once."""
        return tuple(dict.fromkeys(each.address for each in (*self.to, *self.cc, *self.bcc)))

    @property
    def international(self) -> bool:
        """Whether an address is not ASCII: then the server has to have SMTPUTF8."""
        boxes = (self.sender, *self.to, *self.cc, *self.bcc, *self.reply_to)
        return not all(each.address.isascii() for each in boxes)


def mail_bytes(mail: Mail, max_bytes: int) -> bytes:
    """As it is sent. Blocks: it reads the attachments. Raises StepError EMAIL_TOO_LARGE, OUTPUT_DATA and those of files."""
    body = EmailMessage(PLAIN_LINES)
    try:
        if mail.text is not None or mail.html is None:
            body.set_content(mail.text or "", cte=_encoding(mail.text or ""))
        if mail.html is not None and mail.text is None:
            body.set_content(mail.html, subtype="html", cte=_encoding(mail.html))
        elif mail.html is not None:
            body.add_alternative(mail.html, subtype="html", cte=_encoding(mail.html))
    except UnicodeEncodeError:
        said = "the text of the mail has half of a character, which no mail can have"
        raise StepError(said, code="OUTPUT_DATA", retryable=False) from None
    left = max_bytes
    for attachment in mail.attachments:
        content = _content(attachment, left)
        left -= len(content)
        _attach(body, attachment.filename, content)
    made = _headers(mail) + body.as_bytes()
    if len(made) > max_bytes:
        raise too_large(f"it has {len(made):,} bytes", max_bytes)
    return made


def _encoding(text: str) -> str:
    """Either takes any character and any length of line; what is mostly ASCII stays readable, other scripts stay small."""
    foreign = len(text.encode()) - len(text)
    return "base64" if foreign * 4 > len(text) else "quoted-printable"


def too_large(said: str, max_bytes: int) -> StepError:
    return StepError(
        f"the mail is too large: {said}, and {max_bytes:,} are allowed with all it carries",
        code="EMAIL_TOO_LARGE",
        retryable=False,
    )


def _headers(mail: Mail) -> bytes:
    lines = [
        ("Date", format_datetime(mail.date)),
        ("From", mail.sender.header),
        ("To", _listed(mail.to)),
        ("Cc", _listed(mail.cc)),
        ("Reply-To", _listed(mail.reply_to)),
        ("Subject", header_text(mail.subject)),
        ("Message-ID", mail.message_id),
    ]
    return "".join(f"{name}: {value}\r\n" for name, value in lines if value or name == "Subject").encode()


def _listed(boxes: Sequence[Mailbox]) -> str:
    return ",\r\n ".join(each.header for each in boxes)


def _attach(body: EmailMessage, filename: str, content: bytes) -> None:
    main, _, sub = (mimetypes.guess_type(filename)[0] or "application/octet-stream").partition("/")
    if main in ("message", "multipart"):  # which may not be base64
        main, sub = "application", "octet-stream"
    body.add_attachment(content, maintype=main, subtype=sub, filename=filename)


def _content(attachment: Attachment, max_bytes: int) -> bytes:
    if attachment.path is None:
        return attachment.content or b""
    with open_file(attachment.path) as file:
        try:
            content = file.read(max_bytes + 1)
        except OSError as error:
            raise file_error(error, attachment.path, "read") from error
    if len(content) > max_bytes:
        raise too_large(f"{attachment.path} is more than what is left of it", max_bytes)
    return content
