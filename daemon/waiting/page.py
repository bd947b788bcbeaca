"""The page of an approval's link: one question, its form, and two buttons. Values are text, and nothing is decided by looking.

No script, nothing from elsewhere, no frame around it; the address is a right, so that it is kept out of caches and referrers.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, cast
from urllib.parse import parse_qsl

import structlog

from daemon.errors import BadRequest, Conflict, DaemonError, NotFound, TooLarge
from daemon.shapes import instant
from daemon.store.waits import WaitRow
from daemon.waiting.approvals import HOW, Approvals, Decision
from daemon.waiting.links import Right
from flows.errors import DefinitionError
from flows.form import Form
from flows.inputs import Input
from flows.text import as_json, as_text

log = structlog.get_logger()

MAX_BODY_BYTES = 256 * 1024
MAX_FIELDS = 200
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem;color:#222;background:#fff}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;font:inherit;background:#f4f4f4;padding:1rem;border-radius:6px}"
    "label{display:block;margin:1rem 0 .25rem}input,select,textarea{font:inherit;width:100%;box-sizing:border-box;padding:.4rem}"
    "button{font:inherit;padding:.5rem 1.5rem;margin:1.5rem 1rem 0 0}small{color:#555}.wrong{color:#a00}"
)
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class Page:
    """What a browser is answered."""

    status: int
    html: str


class ApprovalPages:
    """Composed once; served by the admin listener over TCP, and by the public one where [http] approvals says so."""

    def __init__(self, approvals: Approvals) -> None:
        self._approvals = approvals

    def knows(self, token: str) -> bool:
        """Whether a link is ours: of any other nothing more is read."""
        return self._approvals.links.read(token) is not None

    async def show(self, token: str) -> Page:
        right = self._approvals.links.read(token)
        if right is None:
            return UNKNOWN
        try:
            return _question(await self._approvals.asked(right.place), right)
        except DaemonError as error:
            return _refused(error)

    async def decide(self, token: str, body: bytes) -> Page:
        right = self._approvals.links.read(token)
        if right is None:
            return UNKNOWN
        try:
            row = await self._approvals.asked(right.place)
            given = _fields(body)
            return await self._decided(row, right, given)
        except DaemonError as error:
            return _refused(error)

    async def _decided(self, row: WaitRow, right: Right, given: Mapping[str, str]) -> Page:
        decision = given.get("decision")
        if decision not in HOW:
            return _question(row, right, given, ["choose one of the two"])
        form = {name.removeprefix("form."): text for name, text in given.items() if name.startswith("form.")}
        wanted = {name: text for name, text in form.items() if text or not _may_be_empty(row, name)}
        by, comment = right.by or given.get("by"), given.get("comment")
        try:
            answered = await self._approvals.decide_by_link(
                right.place, cast("Decision", decision), form=wanted, comment=comment, by=by
            )
        except DefinitionError as error:
            return _question(row, right, given, [problem.problem for problem in error.problems])
        except BadRequest as error:
            return _question(row, right, given, [error.message])
        return _page(200, f"It is {answered.how}", f"<p>Thank you. Recorded at {_text(instant(answered.resolved_at))}.</p>")


def _may_be_empty(row: WaitRow, name: str) -> bool:
    """A field that is left blank is not given, but for a text that has to be."""
    field = Form.parse(row.detail.get("form") or {}).fields.get(name)
    return field is None or field.type != "string" or not field.required or field.has_default


def _question(row: WaitRow, right: Right, given: Mapping[str, str] | None = None, wrong: list[str] | None = None) -> Page:
    values = given or {}
    form = Form.parse(row.detail.get("form") or {})
    problems = "".join(f'<p class="wrong">{_text(problem)}</p>' for problem in wrong or ())
    fields = "".join(_field(field, form.labels[name], values.get(f"form.{name}")) for name, field in form.fields.items())
    who = (
        f"<p><small>You answer as {_text(right.by)}.</small></p>"
        if right.by is not None
        else f'<label for="by">Your name</label><input id="by" name="by" maxlength="200" value="{_text(values.get("by", ""))}">'
    )
    due = f"<p><small>To be answered by {_text(instant(row.due_at))}.</small></p>" if row.due_at is not None else ""
    body = (
        f"{problems}<pre>{_text(row.detail.get('message'))}</pre>{due}"
        f'<form method="post" accept-charset="utf-8">{fields}{who}'
        f'<label for="comment">Comment</label><textarea id="comment" name="comment" rows="3" maxlength="4000">'
        f"{_text(values.get('comment', ''))}</textarea>"
        '<button name="decision" value="approve">Approve</button><button name="decision" value="reject">Reject</button>'
        f"</form><p><small>Step {_text(row.path)} of {_text(row.run)}</small></p>"
    )
    return _page(422 if wrong else 200, "Approval", body)


def _field(field: Input, label: str, given: str | None) -> str:
    name = f"form.{field.name}"
    shown = given if given is not None else _shown(field.default) if field.has_default else ""
    needed = " *" if field.required and not field.has_default else ""
    said = f"<small>{_text(field.description)}</small>" if field.description else ""
    head = f'<label for="{_text(name)}">{_text(label)}{needed}</label>{said}'
    choices = ["true", "false"] if field.type == "boolean" else [_shown(value) for value in field.enum or ()]
    if choices:
        options = "".join(f"<option{' selected' if one == shown else ''}>{_text(one)}</option>" for one in ("", *choices))
        return f'{head}<select id="{_text(name)}" name="{_text(name)}">{options}</select>'
    if field.type in {"object", "array"}:
        return f'{head}<textarea id="{_text(name)}" name="{_text(name)}" rows="4">{_text(shown)}</textarea>'
    return f'{head}<input id="{_text(name)}" name="{_text(name)}" value="{_text(shown)}">'


def _shown(value: Any) -> str:
    return as_json(value) if isinstance(value, dict | list) else as_text(value)


async def read_form(read: Callable[[int], Awaitable[bytes]]) -> bytes:
    """What was sent, and one byte of what is more than is taken. `read(most)` gives some of it; nothing: that was all."""
    raw = b""
    while len(raw) <= MAX_BODY_BYTES and (more := await read(MAX_BODY_BYTES + 1 - len(raw))):
        raw += more
    return raw


def _fields(body: bytes) -> dict[str, str]:
    """Of a form as browsers send it. Raises TooLarge, BadRequest."""
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge(f"the form is larger than {MAX_BODY_BYTES} bytes")
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise BadRequest("the form cannot be read") from None
    return dict(pairs)


def _refused(error: DaemonError) -> Page:
    status = error.status if isinstance(error, Conflict | NotFound | TooLarge) else 422
    return _page(status, "Nothing to answer", f"<p>{_text(error.message)}.</p>")


def _page(status: int, title: str, body: str) -> Page:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{_text(title)}</title>'
    return Page(status, f"<!doctype html><html lang=en>{head}<style>{STYLE}</style><h1>{_text(title)}</h1>{body}</html>\n")


def _text(value: Any) -> str:
    """As text, whatever is in it; half a character is shown as one that is not known."""
    return escape(str(value if value is not None else "").encode("utf-8", "replace").decode())


UNKNOWN = _page(404, "Nothing to answer", "<p>This link is not known, or too old.</p>")
