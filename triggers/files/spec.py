"""What a file-watch trigger's section and `[sources.file_watch]` may say, checked and brought into one form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from flows.duration import parse_duration
from flows.errors import DefinitionError, Problem
from flows.suggest import validation_problems
from flows.written import nullable, one_or_several
from triggers.files import patterns
from triggers.files.names import shown
from triggers.spec import DURATION

FileEvent = Literal["created", "modified", "deleted", "moved"]

DEFAULT_EXCLUDE = ("**/.*", "**/*~", "**/4913", "**/*.part", "**/*.partial", "**/*.crdownload", "**/*.tmp")
"""Hidden files and what editors and downloads leave for a moment. A trigger's own `exclude` takes its place as a whole."""

DEFAULT_EVENTS: tuple[FileEvent, ...] = ("created", "modified")


class Settings(BaseModel):
    """`[sources.file_watch]` of camshaft.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    settle_s: float = Field(
        2.0, ge=0, le=86400, description="how long a file's size and mtime must hold, where a trigger has no `settle`"
    )
    open_settle_s: float = Field(
        30.0,
        ge=0,
        le=86400,
        description="how long a file must hold that its writer has written to and not closed (never less than `settle`)",
    )
    hash_max_bytes: int = Field(
        64 * 1024 * 1024, ge=0, description="a larger file is not hashed: its sha256 is null, a touch is a change"
    )
    baseline_hash_bytes: int = Field(
        256 * 1024 * 1024,
        ge=0,
        description="how much is read at a trigger's first start, so that files already there are known by content",
    )
    poll_interval_s: float = Field(
        5.0, gt=0, le=86400, description="time between two looks at a folder whose file system does not tell of changes"
    )
    rescan_interval_s: float = Field(
        900.0,
        ge=0,
        le=30 * 86400,
        description="time between two looks at a watched folder, in case something was not told; 0: never",
    )
    max_files: int = Field(
        200_000, ge=1, description="files known at once for one trigger; more are not watched, and the log says so"
    )
    forget_after_s: float = Field(
        7 * 86400.0, ge=0, description="how long the files of a removed trigger are remembered, in case it comes back"
    )


@dataclass(frozen=True, slots=True)
class FileWatchSpec:
    """A file-watch trigger's own section, checked."""

    paths: tuple[str, ...]  # as written, `~` expanded: the source reads relative ones from the home
    include: tuple[str, ...] = ()  # empty: every file
    exclude: tuple[str, ...] = DEFAULT_EXCLUDE
    events: frozenset[FileEvent] = frozenset(DEFAULT_EVENTS)
    settle_s: float | None = None  # None: the settings' own
    initial: Literal["emit", "ignore"] = "ignore"  # what files that are there at the trigger's first start are
    poll: Literal["auto", "always", "never"] = "auto"
    recursive: bool = True

    @property
    def scope(self) -> str:
        """Which files are meant, as text: where it changes, files that come into view were there before."""
        return repr((self.paths, self.include, self.exclude, self.recursive))


def _path_for_paths(schema: dict[str, Any]) -> None:
    """`path` is another word for `paths`."""
    schema["properties"]["path"] = schema["properties"]["paths"]
    del schema["required"]
    schema["oneOf"] = [{"required": ["paths"]}, {"required": ["path"]}]


Texts = Annotated[list[str], WithJsonSchema(one_or_several({"type": "string"}))]
Paths = Annotated[list[str], Field(min_length=1), WithJsonSchema(one_or_several({"type": "string"}, minItems=1))]
Events = Annotated[
    list[FileEvent], Field(min_length=1), WithJsonSchema(one_or_several({"enum": list(get_args(FileEvent))}, minItems=1))
]


class Section(BaseModel):
    """The section as it is written."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_path_for_paths)

    paths: Paths
    include: Texts = []
    exclude: Texts = list(DEFAULT_EXCLUDE)
    events: Events = list(DEFAULT_EVENTS)
    settle: Annotated[Any, WithJsonSchema(nullable(DURATION))] = None
    initial: Literal["emit", "ignore"] = "ignore"
    poll: Literal["auto", "always", "never"] = "auto"
    recursive: bool = True


def prepare(section: Mapping[str, Any]) -> FileWatchSpec:
    """Raises DefinitionError with all that is wrong; places are relative to the section as it was written."""
    given = dict(section)
    renamed = "path" in given and "paths" not in given
    if renamed:
        given["paths"] = given.pop("path")
    single = {name for name in ("paths", "include", "exclude", "events") if isinstance(given.get(name), str)}
    given.update({name: [given[name]] for name in single})
    problems: list[Problem] = []
    settle_s: float | None = None
    try:
        settle_s = parse_duration(given["settle"]) if given.get("settle") is not None else None
    except DefinitionError as error:
        problems += error.under("settle").problems
    try:
        read = Section.model_validate(given)
    except ValidationError as error:
        problems += validation_problems(error, [*Section.model_fields, "path"])
        read = None
    problems += _text_problems(given)
    if problems or read is None:
        raise DefinitionError(*(_as_written(problem, renamed=renamed, single=single) for problem in problems))
    return FileWatchSpec(
        paths=tuple(dict.fromkeys(str(Path(path).expanduser()) for path in read.paths)),
        include=tuple(read.include),
        exclude=tuple(read.exclude),
        events=frozenset(read.events),
        settle_s=settle_s,
        initial=read.initial,
        poll=read.poll,
        recursive=read.recursive,
    )


def _as_written(problem: Problem, *, renamed: bool, single: set[str]) -> Problem:
    """The place in the document that the person wrote: `path` for `paths`, no index into a text that was taken as a list."""
    place = list(problem.path)
    if place and place[0] in single:
        del place[1:]
    if renamed and place and place[0] == "paths":
        place[0] = "path"
    return Problem(tuple(place), problem.problem, problem.hint, problem.code, problem.offset)


def _text_problems(given: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the texts of paths and patterns; what is no text is pydantic's to say."""
    for name in ("include", "exclude"):
        for index, pattern in enumerate(_texts(given.get(name))):
            try:
                if isinstance(pattern, str):
                    patterns.check(pattern)
            except patterns.PatternError as error:
                yield Problem((name, index), str(error), error.hint)
    for index, path in enumerate(_texts(given.get("paths"))):
        said = _path_problem(path) if isinstance(path, str) else None
        if said:
            yield Problem(("paths", index), *said)


def _texts(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _path_problem(path: str) -> tuple[str, str | None] | None:
    if not path.strip():
        return "the path is empty", "name a folder or a file"
    if "\0" in path or shown(path) != path:
        return f"{shown(path)!r} holds a character that no path can have", None
    if "*" in path or "?" in path:
        return f"{path!r} is a pattern", "name the folder here and the pattern in `include`"
    try:
        Path(path).expanduser()
    except RuntimeError:
        return f"{path!r}: there is no such user", "write the whole path"
    return None
