"""One mail handed to an SMTP server: what it says is a fact or a failure with a code."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.connectors.destinations.mail_message import too_large
from flows.connectors.destinations.mail_settings import PORTS, EmailSettings
from flows.errors import StepError

if TYPE_CHECKING:
    from aiosmtplib import SMTP, SMTPRecipientsRefused, SMTPResponseException

GOODBYE_S = 1.0  # for QUIT: the mail is taken by then, whatever comes of it
_CONTROLS = re.compile(r"[^\x20-\x7e\xa0-\ud7ff]+")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the server is told beside the mail. `international`: an address is not ASCII."""

    sender: str
    recipients: tuple[str, ...]
    international: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """A recipient that did not get the mail, while another did."""

    address: str
    status: int  # SMTP's: 4xx may be taken later, 5xx will not


async def hand_over(settings: EmailSettings, password: str | None, envelope: Envelope, mail: bytes) -> tuple[Refusal, ...]:
    """Who of the recipients was refused; at least one was not. A cancel closes the connection.

    Raises StepError EMAIL_UNREACHABLE, EMAIL_REFUSED, EMAIL_AUTH, EMAIL_ADDRESS, EMAIL_TOO_LARGE, TLS_FAILED, TIMEOUT.
    """
    import aiosmtplib  # a tenth of a second, which only who mails pays

    context = None if settings.security == "none" else await asyncio.to_thread(_tls, settings)
    server = aiosmtplib.SMTP(
        hostname=settings.host,
        port=settings.port or PORTS[settings.security],
        timeout=None,  # ours below: the library waits with asyncio.wait_for, which on 3.11 may swallow a cancel
        use_tls=settings.security == "tls",
        start_tls=settings.security == "starttls",
        tls_context=context,
    )
    try:
        async with asyncio.timeout(settings.timeout_s):
            refused = await _exchange(server, settings, password, envelope, mail)
        with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await server.quit()
    except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
        raise _failure(error, settings, password) from None  # a cause may hold what was sent
    finally:
        server.close()
    return refused


def _tls(settings: EmailSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.tls_ca)
    except OSError as error:
        said = f"the certificates of the setting tls_ca cannot be read: {error.strerror or type(error).__name__}"
        raise StepError(said, code="TLS_FAILED", retryable=False) from None


async def _exchange(
    server: SMTP, settings: EmailSettings, password: str | None, envelope: Envelope, mail: bytes
) -> tuple[Refusal, ...]:
    await server.connect()
    if settings.username is not None and password is not None:
        await server.login(settings.username, password)
    else:
        await server.ehlo()
    if envelope.international and not server.supports_extension("smtputf8"):
        said = f"{settings.place} takes no address with letters outside of ASCII: it has no SMTPUTF8"
        raise StepError(said, code="EMAIL_ADDRESS", retryable=False)
    allowed = server.esmtp_extensions.get("size", "").strip()
    if allowed.isascii() and allowed.isdigit() and 0 < int(allowed) < len(mail):
        raise too_large(f"it has {len(mail):,} bytes for {settings.place}", int(allowed))
    options = ["SMTPUTF8", "BODY=8BITMIME"] if envelope.international else []
    refused, _ = await server.sendmail(envelope.sender, envelope.recipients, mail, mail_options=options)
    return tuple(Refusal(address, answer.code) for address, answer in refused.items())


def _failure(error: Exception, settings: EmailSettings, password: str | None) -> StepError:
    import aiosmtplib

    place = settings.place
    if _has_cause(error, ssl.SSLError) or "STARTTLS" in str(error):
        reason = _has_cause(error, ssl.SSLCertVerificationError)
        said = getattr(reason, "verify_message", "") or "the server has no secure connection as the settings ask for"
        return StepError(f"{place}: {said}", code="TLS_FAILED", retryable=False)
    if isinstance(error, TimeoutError):
        return StepError(f"{place}: no end within {settings.timeout_s:g} s (ETIMEDOUT)", code="TIMEOUT")
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused | aiosmtplib.SMTPResponseException):
        return _answered(error, place, password)
    if isinstance(error, OSError):
        return StepError(f"{place}: {_why_unreachable(error)}", code="EMAIL_UNREACHABLE")
    if isinstance(error, aiosmtplib.SMTPException) and settings.username is not None:
        return StepError(f"{place} has no way to log in that we know", code="EMAIL_AUTH", retryable=False)
    return StepError(f"{place} does not speak as a server of mails", code="EMAIL_REFUSED", retryable=False)


def _why_unreachable(error: BaseException | None) -> str:
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            unknown = isinstance(error, socket.gaierror)  # whose numbers are its own
            return "there is no server of that name" if unknown else f"there is no connection: {os.strerror(error.errno)}"
        error = error.__cause__ or error.__context__
    return "there is no connection, or it broke"


def _answered(error: SMTPRecipientsRefused | SMTPResponseException, place: str, password: str | None) -> StepError:
    import aiosmtplib

    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return _all_refused(error.recipients, place, password)
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        said = f"{place} does not let the user in: {_said(error, password)}"
        return StepError(said, code="EMAIL_AUTH", retryable=_passes(error.code))
    large = error.code == 552 and isinstance(error, aiosmtplib.SMTPSenderRefused | aiosmtplib.SMTPDataError)
    code = "EMAIL_TOO_LARGE" if large else "EMAIL_REFUSED"
    return StepError(f"{place} refused the mail: {_said(error, password)}", code=code, retryable=_passes(error.code))


def _all_refused(refused: Sequence[Exception], place: str, password: str | None) -> StepError:
    """Nobody has it: another try may help where one of them was refused for now only."""
    statuses = [getattr(each, "code", 0) for each in refused]
    said = f"{place} refused all {len(refused)} recipients, the first with {_said(refused[0], password)}"
    return StepError(said, code="EMAIL_REFUSED", retryable=any(_passes(status) for status in statuses))


def _passes(status: int) -> bool:
    return 400 <= status < 500


def _said(error: Exception, password: str | None) -> str:
    text = _CONTROLS.sub(" ", str(getattr(error, "message", "")))
    if password:
        text = text.replace(password, "***")
    return f"{getattr(error, 'code', 0)} {text[:200]}".strip()


def _has_cause(error: BaseException | None, kind: type[BaseException]) -> BaseException | None:
    while error is not None:
        if isinstance(error, kind):
            return error
        error = error.__cause__ or error.__context__
    return None
