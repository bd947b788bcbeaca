"""Who a mail is from and for: each text is one address, and becomes no more than that."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.header import Header
from email.headerregistry import Address
from typing import Any

from flows.errors import StepError
from flows.suggest import shown

MAX_RECIPIENTS = 100  # that every server takes in one mail: RFC 5321, 4.5.3.1.8
MAX_LINE = 900  # characters of a header written as it is; a line of SMTP has 998 at most
_LOCAL = re.compile(r'[^\s<>()\[\]\\,;:"@\x00-\x20\x7f-\x9f\ud800-\udfff]{1,64}')
_DOMAIN = re.compile(r"(?!-)(?:[^\W_]|-)+(?:\.(?:[^\W_]|-)+)*")
_NAMED = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>\s]+)>")
_BREAKS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # what ends a line anywhere, or no text has
_SPECIAL = re.compile(r"[^A-Za-z0-9 !#$%&'*+/=?^_`{|}~-]")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address, and the name that is shown for it."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]

    @property
    def header(self) -> str:
        """As a header has it, in ASCII where the address is."""
        if not self.name:
            return self.address
        if not self.name.isascii() or "=?" in self.name:
            return f"{encoded_words(self.name)} <{self.address}>"
        quoted = self.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{self.address}>' if _SPECIAL.search(self.name) else f"{self.name} <{self.address}>"


def mailbox(text: Any, field: str) -> Mailbox:
    """`ada@example.com` or `Ada <ada@example.com>`. Raises StepError EMAIL_ADDRESS, EMAIL_HEADER."""
    if not isinstance(text, str):
        raise bad_address(text, field, "and must be the text of one address")
    check_header(text, field)
    named = _NAMED.fullmatch(text.strip())
    name, address = ("", text.strip()) if named is None else (named["name"].strip(), named["address"])
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = name[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    local, at, domain = address.rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain) or len(address) > 254:
        several = "; several stand in a list" if "," in text or ";" in text else ""
        raise bad_address(text, field, f"and is no address{several}")
    if address.isascii():
        try:
            Address(addr_spec=address)
        except (ValueError, IndexError) as error:  # dots in a row: the library has the grammar
            raise bad_address(text, field, "and is no address") from error
    return Mailbox(name[:200], address)


def mailboxes(value: Any, field: str) -> tuple[Mailbox, ...]:
    """Of a text or a list of them. Raises StepError EMAIL_ADDRESS, EMAIL_HEADER."""
    if isinstance(value, list):
        if len(value) > MAX_RECIPIENTS:
            raise bad_address(value, field, f"and a mail goes to {MAX_RECIPIENTS} addresses at most")
        return tuple(mailbox(each, f"{field}[{number}]") for number, each in enumerate(value))
    return (mailbox(value, field),)


def bad_address(value: Any, field: str, problem: str) -> StepError:
    return StepError(f"{field} is {shown(value)}, {problem}", code="EMAIL_ADDRESS", retryable=False)


def check_header(text: str, field: str) -> None:
    """Raises StepError EMAIL_HEADER where a text could begin another header."""
    found = _BREAKS.search(text)
    if found is not None:
        said = f"{field} has {found[0]!a}, which no header of a mail may have"
        raise StepError(said, code="EMAIL_HEADER", retryable=False)


def header_text(text: str) -> str:
    """A header's text that is read as what it is: also where it looks as if it were encoded already."""
    plain = text.isascii() and "=?" not in text and len(text) <= MAX_LINE and text == text.strip()
    return text if plain else encoded_words(text)


def encoded_words(text: str) -> str:
    return Header(text, "utf-8", maxlinelen=70).encode(linesep="\r\n")
