"""An event that a person makes on the command line: of options, of a file, or of something that is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from daemon.cli.client import part
from daemon.cli.home_access import ask
from daemon.errors import BadRequest
from flows.errors import DefinitionError

if TYPE_CHECKING:
    from daemon.operations import Operations
    from flows.document import Document

RUN_FIELDS = {"flow": "key", "status": "status", "run": "run", "trigger": "trigger", "event": "event", "inputs": "inputs",
              "output": "outputs", "error": "error", "errorCode": "errorCode", "startedAt": "startedAt", "finishedAt": "finishedAt"}  # fmt: skip


@Parameter(name="*")
@dataclass(frozen=True)
class Request:
    """What a request carries."""

    body: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help="The body, as JSON; @FILE reads a file, @- standard input.")
    ] = None
    header: Annotated[
        tuple[str, ...],
        Parameter(
            name=["--header", "-H"], negative="", show_default=False, help="A header: name=value. May be given several times."
        ),
    ] = ()
    query: Annotated[
        tuple[str, ...],
        Parameter(negative="", show_default=False, help="A field of the query: name=value. May be given several times."),
    ] = ()
    method: Annotated[str | None, Parameter(help="POST, or what the trigger takes, otherwise.")] = None

    def parts(self) -> dict[str, Any]:
        """What of a document these options say. Raises BadRequest, DefinitionError."""
        made: dict[str, Any] = {}
        if self.body is not None:
            made["body"] = read_body(self.body)
        for name, pairs in (("headers", self.header), ("query", self.query)):
            if pairs:
                made[name] = named(pairs, "--header" if name == "headers" else "--query")
        if self.method is not None:
            made["method"] = self.method.upper()
        return made


@Parameter(name="*")
@dataclass(frozen=True)
class Made(Request):
    """The part of an event's document that matters; the rest is what the trigger's source would have made."""

    path: Annotated[str | None, Parameter(help="Of a webhook with parameters: the path, e.g. /orders/5.")] = None
    event: Annotated[
        str | None,
        Parameter(allow_leading_hyphen=True, help="A file with the event's document, or a part of it; - reads standard input."),
    ] = None
    file: Annotated[Path | None, Parameter(help="Of a file-watch: the file that came.")] = None
    at: Annotated[str | None, Parameter(help="Of a schedule: the slot, e.g. 2026-11-23T08:00:00Z; now otherwise.")] = None
    run: Annotated[str | None, Parameter(help="Of a flow trigger: the run that ended.")] = None

    @property
    def given(self) -> bool:
        """Whether any of them is."""
        return any(getattr(self, each.name) not in (None, ()) for each in fields(self))


@dataclass(frozen=True)
class MadeEvent:
    """The part of a document, and the file it came from: what is refused is told at its line there."""

    value: Mapping[str, Any]
    document: Document | None = None
    file: str = ""

    def located(self, error: DefinitionError) -> DefinitionError:
        if self.document is None:
            return error
        from daemon.cli.documents import located  # YAML and the reader of places: only where a file was given

        return located(error, self.document, self.file)


def made_event(home: Path | None, made: Made) -> MadeEvent:
    """Raises BadRequest, DefinitionError, OSError, NotFound."""
    event = MadeEvent({}) if made.event is None else _read_event(made.event)
    value = dict(event.value)
    if made.file is not None:
        value["file"] = _file(made.file)
    if made.at is not None:
        value["trigger"] = {**_object(value.get("trigger")), "scheduledTime": made.at}
    if made.run is not None:
        value["flow"] = _run(home, made.run)
    if made.path is not None:
        value["path"] = made.path
    return MadeEvent({**value, **made.parts()}, event.document, event.file)


def read_body(text: str) -> Any:
    """The JSON of --body, or of the file that @ names. Raises BadRequest."""
    from daemon.cli.documents import read_input
    from flows.document import read_document

    if text.startswith("@"):
        return read_input(text[1:])
    try:
        return read_document(text.encode("utf-8", "surrogatepass"), suffix=".json").value
    except DefinitionError as error:
        raise BadRequest(
            f"--body is not JSON: {error.problems[0].problem}", """text stands in quotes: --body '"text"'"""
        ) from error


def named(pairs: Iterable[str], option: str) -> dict[str, str]:
    """`name=value`, and for headers also `Name: value`. Raises BadRequest."""
    made: dict[str, str] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if option == "--header" and ":" in name:
            name, sign, value = pair.partition(":")
        if not sign or not name.strip():
            raise BadRequest(f"{option} takes name=value, not «{pair:.60}»")
        made[name.strip()] = value.strip() if option == "--header" else value
    return made


def _read_event(file: str) -> MadeEvent:
    """A document, or all that `event show -o json` says of an event."""
    from daemon.cli.documents import read_text, shown_name

    document = read_text(file)
    value = document.value
    if not isinstance(value, dict):
        raise BadRequest(f"{shown_name(file)} holds no event: an event is an object", '{"body": {…}}')
    if "verdicts" in value and isinstance(value.get("document"), dict):
        return MadeEvent(value["document"])
    return MadeEvent(value, document, file)


def _file(path: Path) -> dict[str, Any]:
    from triggers.files.by_hand import file_there
    from triggers.files.spec import Settings

    return file_there(str(path), hash_max_bytes=Settings.model_fields["hash_max_bytes"].default)


def _run(home: Path | None, run: str) -> dict[str, Any]:
    """`$.flow` of a run that is kept."""

    async def alone(operations: Operations) -> Any:
        return await operations.show_run(run)

    shown = ask(home, "GET", f"/v1/runs/{part(run)}", alone)
    return {name: shown[field] for field, name in RUN_FIELDS.items()}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
