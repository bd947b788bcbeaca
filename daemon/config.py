"""The configuration: camshaft.toml, then the environment, then flags; read once, cut into frozen sections."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from daemon.errors import HomeError
from flows.errors import DefinitionError, Problem
from flows.suggest import did_you_mean, validation_problems
from triggers.zones import parse_zone

FILE = "camshaft.toml"
ENVIRONMENT = "CAMSHAFT_"
CODE = "CONFIG"
# The sections of parts, by the words of their types. A test holds them against SOURCES and STEP_KINDS, which are too heavy to load here.
SOURCE_SECTIONS = ("webhook", "schedule", "file_watch", "flow")
STEP_SECTIONS = (
    "action", "bash", "http", "transform", "condition", "parallel", "loop", "while", "flow", "file_read", "file_write",
)  # fmt: skip


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


Listen = Annotated[Address, NoDecode, BeforeValidator(read_address)]  # NoDecode: in the environment too it is a text, no JSON


def _known_zone(value: str) -> str:
    try:
        return parse_zone(value).key
    except DefinitionError as error:
        raise ValueError(f"{error.problems[0].problem} ({error.problems[0].hint})") from error


Zone = Annotated[str, AfterValidator(_known_zone)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_commas)]
Days = Annotated[float, Field(gt=0)]
Rows = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """What all sections have in common: nothing unknown, nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class HttpConfig(Section):
    """[http]: the listeners."""

    listen: Listen = Field(default=Address("127.0.0.1", 8700), description="where webhooks come in; port 0 takes a free one")
    admin: Listen | None = Field(
        default=None, description="the admin API over TCP, with a token; without it only the Unix socket"
    )
    public_url: str | None = Field(
        default=None, description="how the world reaches `listen`, e.g. https://hooks.example.com: shown in URLs"
    )


class StoreConfig(Section):
    """[store]: the database."""

    path: Path | None = Field(default=None, description="the SQLite file; relative to the home; state/camshaft.db by default")
    synchronous: Literal["full", "normal"] = Field(default="full", description="full: an acknowledged event survives a power cut")


class WorkerConfig(Section):
    """[worker]: runs."""

    concurrency: int = Field(default=10, ge=1, le=10_000, description="how many runs go on at once")
    drain_s: float = Field(
        default=30.0, ge=0, le=86_400, description="how long runs may go on after SIGTERM before they are stopped"
    )


class ScheduleConfig(Section):
    """[schedule]: what schedules have in common."""

    timezone: Zone = Field(default="UTC", description="whose clock it is for schedules that name none, e.g. Europe/Berlin")


class RetentionConfig(Section):
    """[retention]: how long ended runs and their events are kept. Whichever limit is met first holds."""

    age_days: Annotated[Days | None, BeforeValidator(_none_by_name)] = Field(
        default=30.0, description="older events and ended runs are pruned; «none» keeps them"
    )
    rows: Annotated[Rows | None, BeforeValidator(_none_by_name)] = Field(
        default=1_000_000, description="the most events kept; the oldest go first"
    )


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

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_prefix=ENVIRONMENT, env_nested_delimiter="__")

    home: Path
    http: HttpConfig = HttpConfig()
    store: StoreConfig = StoreConfig()
    worker: WorkerConfig = WorkerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    retention: RetentionConfig = RetentionConfig()
    log: LogConfig = LogConfig()
    env: EnvConfig = EnvConfig()
    sources: dict[str, dict[str, Any]] = Field(default={}, description="[sources.webhook] …: each source checks its own")
    steps: dict[str, dict[str, Any]] = Field(default={}, description="[steps.bash] …: each kind of step checks its own")

    @property
    def state(self) -> Path:
        """Where the daemon writes: the database, the admin socket and its token, the lock."""
        return self.home / "state"

    @property
    def database(self) -> Path:
        return self.home / (self.store.path or Path("state/camshaft.db"))

    @property
    def timezone(self) -> str:
        return self.schedule.timezone

    @property
    def env_values(self) -> dict[str, str]:
        """What `$.env` holds."""
        return {name: os.environ[name] for name in self.env.allow if name in os.environ}


def read_config(home: Path, flags: Mapping[str, Any] | None = None) -> Config:
    """Read everything once. `flags` has the shape of the file: {"http": {"listen": "127.0.0.1:0"}}.

    Raises HomeError when there is no home, DefinitionError with every setting that is wrong.
    """
    home = home.expanduser().absolute()
    if not home.is_dir():
        raise HomeError(f"there is no home at {home}", f"make one: camshaft init {home}")
    file = home / FILE
    text = _read_text(file)
    document = _parse(text, file)

    class Layered(Config):
        """The same settings, with this home's file below the environment."""

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic-settings'
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - it would read systemd's credentials as settings
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, document)

    try:
        config = Layered(**{**(flags or {}), "home": home})
    except ValidationError as error:
        problems = validation_problems(error, _known(Config), code=CODE)
        raise DefinitionError(*(_placed(problem, file, text) for problem in problems)) from error
    except SettingsError as error:  # a section as a whole in the environment that is no JSON
        raise DefinitionError.at((), f"the environment: {error}", "CAMSHAFT_SECTION__KEY=value") from error
    _check_names(config, file, text)
    return config


SettingsModel = TypeVar("SettingsModel", bound=BaseModel)


def read_section(model: type[SettingsModel], config: Config, *path: str) -> SettingsModel:
    """A part's own section, checked by the part's own model; `path` is `"sources", "webhook"`.

    Raises DefinitionError with every setting that is wrong, at its line in camshaft.toml.
    """
    values: Any = config
    for name in path:
        values = values.get(name, {}) if isinstance(values, Mapping) else getattr(values, name)
    file = config.home / FILE
    try:
        return model.model_validate(values)
    except ValidationError as error:
        text = _read_text(file)
        problems = validation_problems(error, _known(model), document=values, code=CODE)
        raise DefinitionError(*(_placed(problem.under(*path), file, text) for problem in problems)) from error


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""  # a home without a file has the defaults
    except UnicodeDecodeError as error:
        raise DefinitionError(Problem((), "it is not UTF-8 text", "save it as UTF-8", file=str(file))) from error
    except OSError as error:
        raise HomeError(f"cannot read {file}: {error.strerror}") from error


def _parse(text: str, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))  # attributes only from Python 3.14 on
        said = str(error).partition(" (at ")[0]
        line, column = (int(place[1]), int(place[2])) if place else (None, None)
        problem = Problem((), f"it is not TOML: {said}", code=CODE, file=str(file), line=line, column=column)
        raise DefinitionError(problem) from error


def _placed(problem: Problem, file: Path, text: str) -> Problem:
    """The problem with its line in the file, or with the variable that set the value."""
    variable = ENVIRONMENT + "__".join(str(part).upper() for part in problem.path)
    if variable in os.environ:
        return replace(problem, path=(variable,), file="environment")
    line = _line_of(text, problem.path)
    return replace(problem, file=str(file) if line else None, line=line)


def _known(model: type[BaseModel]) -> dict[tuple[str | int, ...], list[str]]:
    """The settings of each section, for «did you mean»."""
    known: dict[tuple[str | int, ...], list[str]] = {(): [name for name in model.model_fields if name != "home"]}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            known[(name,)] = list(field.annotation.model_fields)
    return known


def _check_names(config: Config, file: Path, text: str) -> None:
    """Refuse [sources.webhok], and a variable of ours that sets nothing: both would be silently without effect."""
    problems = []
    for section, known in (("sources", SOURCE_SECTIONS), ("steps", STEP_SECTIONS)):
        for name in getattr(config, section):
            if name not in known:
                hint = did_you_mean(name, known)
                line = _line_of(text, (section, name))
                problems.append(
                    Problem(
                        (section, name), f"there is no section «{section}.{name}»", hint, code=CODE, file=str(file), line=line
                    )
                )
    sections = [name for name in Config.model_fields if name != "home"]
    for variable in os.environ:
        head, inner, _ = variable.removeprefix(ENVIRONMENT).lower().partition("__")
        if variable.startswith(ENVIRONMENT) and inner and head not in sections:
            hint = did_you_mean(head, sections)
            problems.append(Problem((variable,), f"there is no section «{head}»", hint, code=CODE, file="environment"))
    if problems:
        raise DefinitionError(*problems)


def _line_of(text: str, path: tuple[str | int, ...]) -> int | None:
    """The line of a setting in TOML text, found by its header and its name: the parser keeps no places."""
    names = [str(part) for part in path]
    section: list[str] = []
    found = None
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line):
            section = [part.strip().strip("\"'") for part in header[1].split(".")]
            reached = section
        elif setting := re.match(r"\s*([\w.\-\"']+)\s*=", line):
            reached = section + [part.strip("\"'") for part in setting[1].split(".")]
        else:
            continue
        if reached[: len(names)] == names:  # or inside of it, written as a.b.c = 1
            return number
        if found is None and names[: len(reached)] == reached:
            found = number  # the section, where the setting itself stands in no line of its own
    return found
