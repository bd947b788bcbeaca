"""`email`: a mail handed to an SMTP server, the same one for every try, to those whom the step names."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import PurePath
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from flows.connectors.destinations.destination import Data, compile_data, json_of
from flows.connectors.destinations.mail_addresses import MAX_RECIPIENTS, Mailbox, bad_address, check_header, mailbox, mailboxes
from flows.connectors.destinations.mail_exchange import Envelope, hand_over
from flows.connectors.destinations.mail_message import Attachment, Mail, mail_bytes
from flows.connectors.destinations.mail_settings import EmailSettings
from flows.connectors.destinations.message_id import message_id
from flows.connectors.destinations.spec import DestinationSpec
from flows.errors import DefinitionError, Problem, StepError
from flows.selector import MISSING
from flows.step import Load, Scope
from flows.steps.checked_text import Reference, collected
from flows.steps.file_place import FilePath, compile_path, find_file
from flows.template import Template, as_text, compile_template
from flows.value import Value, compile_value, is_path

MAX_ATTACHMENTS = 20
NEEDED = frozenset({"from", "subject", "text"})  # a path that leads nowhere is no mail without it
FIELDS = {"from": "sender", "to": "to", "cc": "cc", "bcc": "bcc", "replyTo": "reply_to", "subject": "subject", "text": "text"}


class AttachmentSpec(BaseModel):
    """A file, or what is written here, that goes with the mail."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    path: str | None = Field(default=None, min_length=1, description="a file, from the flow's folder")
    filename: str | None = Field(default=None, min_length=1, description="what it is called; none: as the file is")
    content: Any = Field(default=None, description="or what it holds: a text, or a value that is written as JSON")

    @model_validator(mode="after")
    def _one_way(self) -> AttachmentSpec:
        if (self.path is None) == ("content" not in self.model_fields_set):
            raise ValueError("an attachment has a path, or a filename and a content")
        if self.path is None and self.filename is None:
            raise ValueError("an attachment with a content needs a filename")
        return self


class EmailSpec(DestinationSpec):
    """The `output` section of a step with the destination `email`."""

    to: str | list[str] = Field(min_length=1, description="an address, or a list of them, or a $. path to either")
    cc: str | list[str] | None = Field(default=None, description="who else has it")
    bcc: str | list[str] | None = Field(default=None, description="who has it, and is in no header")
    sender: str | None = Field(default=None, alias="from", min_length=1, description="none: the setting sender")
    reply_to: str | list[str] | None = Field(default=None, alias="replyTo", description="where answers are to go")
    subject: str = Field(default="", description="as text with {{ }}, or a $. path")
    text: str | None = Field(default=None, min_length=1, description="the mail as plain text; none, and no html: the data")
    html: str | None = Field(default=None, min_length=1, description="the mail as HTML: values in it are escaped")
    attachments: list[AttachmentSpec] = Field(default_factory=list, max_length=MAX_ATTACHMENTS, description="what goes with it")

    @model_validator(mode="after")
    def _one_way(self) -> EmailSpec:
        if "data" in self.model_fields_set and (self.text is not None or self.html is not None):
            raise ValueError("data is the text of the mail: it cannot stand beside text or html")
        return self


@dataclass(frozen=True, slots=True)
class Enclosure:
    """An attachment, compiled: `path` or `content`."""

    path: FilePath | None
    filename: Value | None
    content: Value | None


@dataclass(frozen=True, slots=True)
class Html:
    """A text in which values are escaped; as a `$.` path it is what the value is."""

    make: Callable[[Mapping[str, Any]], Any]
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Mailing:
    """Such a section, compiled. `data` None: text or html is the mail."""

    values: Mapping[str, Value]  # by the names of FIELDS; what is not written is not in it
    html: Html | None
    data: Data | None
    enclosures: tuple[Enclosure, ...]
    secrets: tuple[str, ...]  # the name of the one that holds the password


class EmailDestination:
    """A try that is repeated after a crash may send the mail again: with the same Message-ID."""

    section: ClassVar[str] = "connectors.email"
    Settings: ClassVar[type[BaseModel]] = EmailSettings
    Spec: ClassVar[type[DestinationSpec]] = EmailSpec

    def __init__(self, settings: EmailSettings) -> None:
        self.settings = settings

    def prepare(self, spec: EmailSpec, load: Load) -> Mailing:  # noqa: ARG002 - the seam's signature
        problems: list[Problem] = []
        values: dict[str, Value] = {}
        for field, name in FIELDS.items():
            written = getattr(spec, name)
            made = collected(problems, (field,), partial(_compiled, written, field)) if written else None
            values |= {} if made is None else {field: made}
        written = spec.html
        page = None if written is None else collected(problems, ("html",), lambda: _compile_html(written))
        own = spec.text is None and spec.html is None
        data = collected(problems, ("data",), lambda: compile_data(spec)) if own else None
        enclosures = [
            collected(problems, ("attachments", number), partial(_enclosure, each))
            for number, each in enumerate(spec.attachments)
        ]
        if spec.sender is None and self.settings.sender is None:
            problems.append(Problem(("from",), "nobody is named that the mail is from", "here, or as [connectors.email] sender"))
        if problems:
            raise DefinitionError(*problems)
        secrets = () if self.settings.username is None else (self.settings.secret,)
        return Mailing(values, page, data, tuple(each for each in enclosures if each is not None), secrets)

    async def write(self, prepared: Mailing, scope: Scope) -> dict[str, Any]:
        mail = self._mail(prepared, scope)
        password = scope.secret(prepared.secrets[0]) if prepared.secrets else None
        made = await asyncio.to_thread(mail_bytes, mail, self.settings.max_bytes)
        envelope = Envelope(mail.sender.address, mail.recipients, mail.international)
        refused = await hand_over(self.settings, password, envelope, made)
        return {
            "messageId": mail.message_id,
            "accepted": len(mail.recipients) - len(refused),
            "refused": [{"address": each.address, "status": each.status} for each in refused],
        }

    def _mail(self, prepared: Mailing, scope: Scope) -> Mail:
        made = {name: (value.needed if name in NEEDED else value.make)(scope.names) for name, value in prepared.values.items()}
        made = {field: value for field, value in made.items() if value is not MISSING and value is not None}
        to, cc, bcc = (_boxes(made, field) for field in ("to", "cc", "bcc"))
        if not to or len(to) + len(cc) + len(bcc) > MAX_RECIPIENTS:
            said = f"and a mail goes to 1 to {MAX_RECIPIENTS} addresses"
            raise bad_address(made.get("to"), "to", said)
        sender = mailbox(made.get("from", self.settings.sender), "from")
        subject = as_text(made.get("subject", ""))
        check_header(subject, "subject")
        domain = sender.domain if sender.domain.isascii() else "camshaft.invalid"
        text = prepared.data.made(scope.names) if prepared.data is not None else made.get("text")
        page = None if prepared.html is None else prepared.html.make(scope.names)
        if text is None and page is None and prepared.data is None:
            raise StepError("there is no text to write: it is null", code="OUTPUT_DATA", retryable=False)
        return Mail(
            sender, to, cc, bcc, _boxes(made, "replyTo"), subject,
            text if isinstance(text, str) or (text is None and prepared.data is None) else json_of(text, indent=2),
            None if page is None else as_text(page),
            tuple(self._attachment(each, scope, number) for number, each in enumerate(prepared.enclosures)),
            f"<{message_id(scope.idempotency_key)}@{domain}>", datetime.now(UTC),
        )  # fmt: skip

    def _attachment(self, each: Enclosure, scope: Scope, number: int) -> Attachment:
        path = None if each.path is None else find_file(each.path, scope.names, scope.folder, roots=self.settings.roots)
        filename = path.name if each.filename is None and path is not None else _needed_text(each.filename, scope)
        field = f"attachments[{number}].filename"
        check_header(filename, field)
        if PurePath(filename).name != filename or "\\" in filename or "=?" in filename or len(filename) > 255:
            raise StepError(f"{field} is no name of a file", code="EMAIL_HEADER", retryable=False)
        if each.content is None:
            return Attachment(filename, None, path)
        content = each.content.needed(scope.names)
        text = content if isinstance(content, str) else json_of(content, indent=2)
        return Attachment(filename, text.encode("utf-8", "replace"), None)

    async def close(self) -> None:
        """A connection is an attempt's own."""


def _needed_text(value: Value | None, scope: Scope) -> str:
    return "" if value is None else as_text(value.needed(scope.names))


def _boxes(made: Mapping[str, Any], field: str) -> tuple[Mailbox, ...]:
    return mailboxes(made[field], field) if field in made else ()


def _compiled(written: Any, field: str) -> Value:
    """Raises DefinitionError, also where an address that is a constant can be none."""
    value = compile_value(written, lenient=True)
    if value.constant and field not in ("subject", "text"):
        try:
            mailboxes(written, field)
        except StepError as error:
            raise DefinitionError.at((), str(error), code=error.code) from None
    return value


def _compile_html(written: str) -> Html:
    if is_path(written) and "{{" not in written:
        value = compile_value(written, lenient=True)
        return Html(value.needed, value.references)
    template = compile_template(written, lenient=True)
    parts = [part if isinstance(part, str) else Template(part.source, (part,), lenient=True) for part in template.parts]
    references = tuple(each.root_first for each in template.placeholders)
    return Html(lambda names: "".join(part if isinstance(part, str) else _put_in(part, names) for part in parts), references)


def _put_in(part: Template, names: Mapping[str, Any]) -> str:
    made = part.render(names)
    return made if part.placeholders[0].pipes[-1:] == ("html",) else html.escape(made)  # which has done the same


def _enclosure(spec: AttachmentSpec) -> Enclosure:
    return Enclosure(
        None if spec.path is None else compile_path(spec.path),
        None if spec.filename is None else compile_value(spec.filename, lenient=True),
        None if spec.path is not None else compile_value(spec.content, lenient=True),
    )
