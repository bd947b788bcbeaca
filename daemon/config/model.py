"""The settings of the daemon: one model for each section, with what it is, its default and its limits."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    WithJsonSchema,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from daemon.config.layers import Layers
from daemon.location import Location, PostgresqlUrl
from flows.errors import DefinitionError
from flows.written import any_case, one_or_several
from triggers.zones import parse_zone

# The sections of parts, by the words of their types. A test holds them against the registries, which are too heavy to load here.
SOURCE_SECTIONS = ("webhook", "schedule", "file_watch", "flow", "event")
STEP_SECTIONS = (
    "action", "bash", "code", "python", "http", "transform", "condition", "parallel", "loop", "while", "flow", "file_read", "file_write", "emit",
    "prompt", "wait", "approval", "wait_for_event",
)  # fmt: skip
CONNECTOR_SECTIONS = ("airtable", "data_source", "database", "email", "google_sheets", "slack", "webhook")


class Address(NamedTuple):
    """Where to listen. Port 0: any free port, told when it is bound."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_address(value: Any) -> Address:
    """`HOST:PORT`, `[::1]:PORT`, `:PORT` (all interfaces) or `PORT` (loopback)."""
    if isinstance(value, Address):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("an address is HOST:PORT")  # noqa: TRY004 - pydantic turns a ValueError into a problem, not a TypeError
    host, colon, port = str(value).strip().rpartition(":")
    if not colon:
        host = "127.0.0.1"
    elif host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"«{value}» is no HOST:PORT; an IPv6 address stands in brackets: [::1]:8700")
    if not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f"«{value}» has no port: an address is HOST:PORT, the port from 0 to 65535")
    return Address(host or "0.0.0.0", int(port))  # noqa: S104 - `:8700` asks for all interfaces by name


def _none_by_name(value: Any) -> Any:
    """TOML has no null: «none» switches a limit off."""
    return None if isinstance(value, str) and value.strip().lower() == "none" else value


def _split_commas(value: Any) -> Any:
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


Listen = Annotated[
    Address,
    BeforeValidator(read_address),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["127.0.0.1:8700", "[::1]:8700", 8700]}),
]


def _known_zone(value: str) -> str:
    try:
        return parse_zone(value).key
    except DefinitionError as error:
        raise ValueError(f"{error.problems[0].problem} ({error.problems[0].hint})") from error


def _of_the_web(value: str) -> str:
    try:
        parts = urlsplit(value)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and not (parts.query or parts.fragment)
    except ValueError:  # brackets that are none
        good = False
    if not good:
        raise ValueError("an address that others reach us at begins with http:// or https://, and has no query")
    return value.rstrip("/")


PublicUrl = Annotated[str, AfterValidator(_of_the_web)]
Zone = Annotated[str, AfterValidator(_known_zone)]
Names = Annotated[tuple[str, ...], BeforeValidator(_split_commas), WithJsonSchema(one_or_several({"type": "string"}))]
NONE = any_case("none")
Days = Annotated[
    Annotated[float, Field(gt=0)] | None,
    BeforeValidator(_none_by_name),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, NONE]}),
]
Rows = Annotated[
    Annotated[int, Field(ge=1)] | None,
    BeforeValidator(_none_by_name),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, NONE]}),
]
SpillBytes = Annotated[
    Annotated[int, Field(ge=1024)] | None,
    BeforeValidator(_none_by_name),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1024}, NONE]}),
]


class Section(BaseModel):
    """What all sections have in common: nothing unknown, nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class HttpConfig(Section):
    """[http]: the listeners."""

    listen: Listen = Field(default=Address("127.0.0.1", 8700), description="where webhooks come in; port 0 takes a free one")
    admin: Listen | None = Field(
        default=None, description="the admin API over TCP, with a token; without it only the Unix socket"
    )
    open_metrics: bool = Field(default=False, description="`/metrics` over TCP without the token, for who asks from this machine")
    approvals: bool = Field(
        default=False, description="the pages of approvals' links on `listen` too; else they are on `admin`, where there is one"
    )
    public_url: PublicUrl | None = Field(
        default=None, description="how the world reaches `listen`, e.g. https://hooks.example.com: shown in URLs"
    )


def _read_url(value: Any) -> Any:
    if isinstance(value, PostgresqlUrl) or value is None:
        return value
    if not isinstance(value, str):
        raise ValueError("url is no text")  # noqa: TRY004 - pydantic turns a ValueError into a problem, not a TypeError
    return PostgresqlUrl(value)


# In a problem, a dump or a log it is without its password.
DatabaseUrl = Annotated[
    PostgresqlUrl, BeforeValidator(_read_url), PlainSerializer(str), WithJsonSchema({"type": "string", "pattern": "^postgres"})
]


class StoreConfig(Section):
    """[store]: the database."""

    path: Path | None = Field(default=None, description="the SQLite file; relative to the home; state/camshaft.db by default")
    url: DatabaseUrl | None = Field(
        default=None, description="a PostgreSQL database instead: postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
    )
    synchronous: Literal["full", "normal"] = Field(default="full", description="full: an acknowledged event survives a power cut")
    spill_bytes: SpillBytes = Field(
        default=262_144, description="outputs larger than this stand in files, in state/outputs; «none» keeps all in the database"
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.path is not None and self.url is not None:
            raise ValueError("path and url name two databases: leave one out")
        return self


class WorkerConfig(Section):
    """[worker]: runs."""

    concurrency: int = Field(default=10, ge=1, le=10_000, description="how many runs go on at once")
    drain_s: float = Field(
        default=30.0, ge=0, le=86_400, description="how long runs may go on after SIGTERM before they are stopped"
    )
    cleanup_s: float = Field(
        default=60.0, gt=0, le=86_400, description="how long the handlers of a run that was cancelled or is out of time may take"
    )


class ScheduleConfig(Section):
    """[schedule]: what schedules have in common."""

    timezone: Zone = Field(default="UTC", description="whose clock it is for schedules that name none, e.g. Europe/Berlin")


class RetentionConfig(Section):
    """[retention]: how long ended runs and their events are kept. Whichever limit is met first holds."""

    age_days: Days = Field(default=30.0, description="older events and ended runs are pruned; «none» keeps them")
    rows: Rows = Field(default=1_000_000, description="the most events kept; the oldest go first")


class ReloadConfig(Section):
    """[reload]: how changed definitions come in force."""

    watch: Literal["auto", "poll", "off"] = Field(
        default="auto",
        description="auto: by inotify, and by looking where that tells nothing; poll: by looking; off: only when asked to",
    )
    poll_s: float = Field(default=2.0, ge=0.1, le=3600, description="seconds between two looks where inotify tells nothing")


class LogConfig(Section):
    """[log]: what is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="the least level that is written")
    format: Literal["auto", "console", "json"] = Field(
        default="auto", description="auto: console on a terminal, JSON lines otherwise"
    )


class EnvConfig(Section):
    """[env]: the environment that expressions may see."""

    allow: Names = Field(default=(), description="names of the variables that stand in `$.env`")


class Config(BaseSettings):
    """All of it. A part is given its section or its values, never the whole."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    _layers: Layers = PrivateAttr(default_factory=Layers)

    home: Path
    http: HttpConfig = HttpConfig()
    store: StoreConfig = StoreConfig()
    worker: WorkerConfig = WorkerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    retention: RetentionConfig = RetentionConfig()
    reload: ReloadConfig = ReloadConfig()
    log: LogConfig = LogConfig()
    env: EnvConfig = EnvConfig()
    sources: dict[str, dict[str, Any]] = Field(default={}, description="[sources.webhook] …: each source checks its own")
    steps: dict[str, dict[str, Any]] = Field(default={}, description="[steps.bash] …: each kind of step checks its own")
    connectors: dict[str, dict[str, Any]] = Field(default={}, description="[connectors.webhook] …: each checks its own")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - it would take systemd's secrets for settings
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what Layers has put together: it knows where each value came from, and refuses what sets nothing."""
        return (init_settings,)

    @property
    def layers(self) -> Layers:
        """Where each value came from."""
        return self._layers

    @property
    def state(self) -> Path:
        """Where the daemon writes: the database, the admin socket and its token, the lock."""
        return self.home / "state"

    @property
    def database(self) -> Location:
        return self.store.url or self.home / (self.store.path or Path("state/camshaft.db"))

    @property
    def outputs(self) -> Path:
        """Where large outputs are; beside the home also when the database is not."""
        return self.state / "outputs"

    @property
    def timezone(self) -> str:
        return self.schedule.timezone

    @property
    def env_values(self) -> dict[str, str]:
        """What `$.env` holds."""
        return {name: os.environ[name] for name in self.env.allow if name in os.environ}
