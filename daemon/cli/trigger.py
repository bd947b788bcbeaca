"""`camshaft trigger`: add, list, show and remove triggers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from daemon.cli import trial
from daemon.cli.client import part
from daemon.cli.home_access import ask
from daemon.cli.options import Fields, Home, Output
from daemon.cli.output import show_rows, show_value, write
from daemon.cli.trigger_switch import add_to
from daemon.cli.versions import Version, show_version
from daemon.cli.versions import add_to as add_versions
from daemon.errors import BadRequest
from flows.errors import DefinitionError

if TYPE_CHECKING:
    from daemon.operations import Operations

app = App(name="trigger", help="Add, list, show, test, fire, explain, switch, edit and remove triggers.")
app.command(trial.try_out, name="test")
app.command(trial.fire)
app.command(trial.explain)
add_to(app)
add_versions(app, "trigger")


@app.command(name="list")
def list_(*, home: Home = None, fields: Fields = None, output: Output = "table") -> None:
    """All triggers that load, with the next times of schedules."""

    async def alone(operations: Operations) -> Any:
        return operations.list_triggers()

    show_rows(ask(home, "GET", "/v1/triggers", alone), ("key", "type", "flow", "state", "next"), output, fields)


@app.command
def show(key: str, /, *, version: Version = None, home: Home = None, fields: Fields = None, output: Output = "table") -> None:
    """One trigger: its definition, and its URL and curl line or its next times."""

    async def alone(operations: Operations) -> Any:
        return operations.show_trigger(key)

    shown = (
        ask(home, "GET", f"/v1/triggers/{part(key)}", alone) if version is None else show_version(home, "trigger", key, version)
    )
    show_value(shown, output, fields)


@app.command
def rm(key: str, /, *, home: Home = None, output: Output = "table") -> None:
    """Remove a trigger and its file. Runs that it started go on."""

    async def alone(operations: Operations) -> Any:
        return await operations.remove_trigger(key)

    removed = ask(home, "DELETE", f"/v1/triggers/{part(key)}", alone)
    if output == "table":
        write(f"removed {removed['key']} ({removed['file']})")
    else:
        show_value(removed, output)


@app.command
def add(  # noqa: PLR0913 - each is an option
    file: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help="A definition in JSON or YAML; - reads standard input.")
    ] = None,
    /,
    *,
    key: Annotated[str | None, Parameter(help="The trigger's key; in place of the definition's.")] = None,
    webhook: Annotated[str | None, Parameter(help="Without FILE: fire on requests to this path, e.g. /deal-created.")] = None,
    cron: Annotated[str | None, Parameter(help="Without FILE: fire at these times, e.g. '0 9 * * 1-5'.")] = None,
    timezone: Annotated[str | None, Parameter(help="With --cron: whose clock, e.g. Europe/Berlin.")] = None,
    watch: Annotated[str | None, Parameter(help="Without FILE: fire on files in this folder.")] = None,
    flow: Annotated[str | None, Parameter(help="Without FILE: the key of the flow to start.")] = None,
    filter_: Annotated[str | None, Parameter(name="--filter", help="Without FILE: only events for which this is true.")] = None,
    mapping: Annotated[
        tuple[str, ...], Parameter(name=["-m", "--map"], negative="", help="Without FILE: an input, e.g. company=$.body.company.")
    ] = (),
    replace: Annotated[bool, Parameter(negative="", help="Put it in the place of the trigger of this key.")] = False,
    home: Home = None,
    output: Output = "table",
) -> None:
    """Check a trigger's definition, write it into the home, and put it in force."""
    built = _built(key, webhook=webhook, cron=cron, timezone=timezone, watch=watch, flow=flow, filter_=filter_, mapping=mapping)
    if (file is None) == (built is None):
        raise BadRequest("give a definition's FILE, or one of --webhook, --cron and --watch with --flow and --key")
    added = _add(home, built, key or "", replace=replace) if file is None else _add_file(home, file, key, replace=replace)
    if output != "table":
        show_value(added, output)
        return
    write(f"added {added['key']}: {added['type']} starts {added['flow']} ({added['file']})")
    for label, lines in (("url", [added.get("url")]), ("try", [added.get("curl")]), ("next", added["next"])):
        for line in lines:
            if line:
                write(f"  {label.ljust(5)} {line}")


def _add(home: Path | None, definition: Any, name: str, *, replace: bool) -> dict[str, Any]:
    """`name` is the key where the definition names none."""

    async def alone(operations: Operations) -> Any:
        return await operations.add_trigger(definition, key=name, overwrite=replace)

    query = {"key": name or None, "replace": "true" if replace else None}
    added: dict[str, Any] = ask(home, "POST", "/v1/triggers", alone, query=query, body=definition)
    return added


def _add_file(home: Path | None, file: str, key: str | None, *, replace: bool) -> dict[str, Any]:
    """The same with a definition in a file; what is refused is told at its line there."""
    from daemon.cli.documents import located, read_text  # YAML and the reader of places: not for the other commands here

    document = read_text(file)
    definition = document.value
    if key is not None and isinstance(definition, dict):
        definition = {"key": key, **{name: value for name, value in definition.items() if name not in {"key", "id", "name"}}}
    try:
        return _add(home, definition, key or ("" if file == "-" else Path(file).stem), replace=replace)
    except DefinitionError as error:
        raise located(error, document, file) from error


def _built(
    key: str | None,
    *,
    webhook: str | None,
    cron: str | None,
    timezone: str | None,
    watch: str | None,
    flow: str | None,
    filter_: str | None,
    mapping: tuple[str, ...],
) -> dict[str, Any] | None:
    """The definition that the flags describe. None: they describe none."""
    kinds = [name for name, value in (("--webhook", webhook), ("--cron", cron), ("--watch", watch)) if value is not None]
    if not kinds:
        if flow or filter_ or mapping or timezone:
            raise BadRequest("--flow, --filter, --map and --timezone go with --webhook, --cron or --watch")
        return None
    if len(kinds) > 1 or flow is None or key is None:
        raise BadRequest("give one of --webhook, --cron and --watch, and with it --flow and --key")
    section: dict[str, Any] = {"type": {"--webhook": "webhook", "--cron": "schedule", "--watch": "file-watch"}[kinds[0]]}
    if webhook is not None:
        section["path"] = webhook if webhook.startswith("/") else f"/{webhook}"
    elif cron is not None:
        section |= {"cron": cron, **({"timezone": timezone} if timezone else {})}
    else:
        section["paths"] = [watch]
    if filter_ is not None:
        section["filter"] = filter_
    return {"key": key, "trigger": section, "flow": flow, **({"inputMapping": _mapped(mapping)} if mapping else {})}


def _mapped(pairs: tuple[str, ...]) -> dict[str, str]:
    split = [pair.partition("=") for pair in pairs]
    for name, equals, _ in split:
        if not name or not equals:
            raise BadRequest("--map takes name=path, e.g. company=$.body.company")
    return {name: path for name, _, path in split}
