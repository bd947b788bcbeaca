"""`[connectors.email]`: the server that takes mails, and how it is spoken to."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

PORTS = {"starttls": 587, "tls": 465, "none": 25}


class EmailSettings(BaseModel):
    """`[connectors.email]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(default="localhost", pattern=r"^[A-Za-z0-9_.:-]+$", description="the server that takes mails")
    port: int | None = Field(default=None, ge=1, le=65535, description="none: 587 for starttls, 465 for tls, 25 for none")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="tls: from the first byte; none: for a server on this machine only"
    )
    tls_ca: str | None = Field(default=None, min_length=1, description="a file of certificates to trust; none: the system's")
    sender: str | None = Field(default=None, min_length=3, description="who mails are from where the step has no from")
    username: str | None = Field(default=None, min_length=1, description="none: nobody is logged in")
    secret: str = Field(default="SMTP_PASSWORD", min_length=1, description="the name of the secret with the user's password")
    timeout_s: float = Field(default=60.0, gt=0, le=3600, description="for one attempt, from the connection to the server's OK")
    max_bytes: int = Field(default=10 * 1024 * 1024, gt=0, description="of a mail with all it carries; more fail the attempt")
    roots: tuple[str, ...] = Field(default=(), description="folders whose files may be attached; none: every one")

    @model_validator(mode="after")
    def _kept_from_listeners(self) -> EmailSettings:
        if self.security == "none" and not _is_loopback(self.host):
            raise ValueError("security none is for a server on this machine (localhost, 127.0.0.1, ::1): use starttls or tls")
        return self

    @property
    def place(self) -> str:
        """What messages may say of the server."""
        port = self.port or PORTS[self.security]
        return f"[{self.host}]:{port}" if ":" in self.host else f"{self.host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
