"""`camshaft flow`: list, show, draw, validate and execute flows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from daemon.cli.client import part
from daemon.cli.flow_execute import execute, is_file
from daemon.cli.home_access import ask
from daemon.cli.options import Fields, Home, Output, find_home
from daemon.cli.output import show_rows, show_value, write
from daemon.cli.pausing import add_to_flow as add_pausing
from daemon.cli.versions import Version, show_version
from daemon.cli.versions import add_to as add_versions
from daemon.errors import NotFound

if TYPE_CHECKING:
    from daemon.operations import Operations

app = App(name="flow", help="List, show, draw, validate and execute flows.")
app.command(execute)
add_versions(app, "flow")
add_pausing(app)


@app.command(name="list")
def list_(*, home: Home = None, fields: Fields = None, output: Output = "table") -> None:
    """All flows that load, the inputs they declare, and the triggers that start them."""

    async def alone(operations: Operations) -> Any:
        return operations.list_flows()

    show_rows(ask(home, "GET", "/v1/flows", alone), ("key", "name", "inputs", "triggers", "paused"), output, fields)


@app.command
def show(key: str, /, *, version: Version = None, home: Home = None, fields: Fields = None, output: Output = "table") -> None:
    """One flow: its inputs, its kinds of steps, what it needs to run, and its definition."""

    async def alone(operations: Operations) -> Any:
        return operations.show_flow(key)

    shown = ask(home, "GET", f"/v1/flows/{part(key)}", alone) if version is None else show_version(home, "flow", key, version)
    show_value(shown, output, fields)


@app.command
def graph(
    key: str,
    /,
    *,
    run: Annotated[str | None, Parameter(help="A run of it: its version, with the states of its steps.")] = None,
    home: Home = None,
    output: Annotated[
        Literal["text", "svg", "mermaid"], Parameter(name=["--output", "-o"], help="What it is drawn in.")
    ] = "text",
) -> None:
    """Draw one flow: its steps, what leads where, and what stands inside what."""

    async def alone(operations: Operations) -> Any:
        return await operations.draw_flow(key, output, run=run)

    query = {"format": output} | ({} if run is None else {"run": run})
    write(ask(home, "GET", f"/v1/flows/{part(key)}/graph", alone, query=query)["text"].removesuffix("\n"))


@app.command
def validate(
    *flows: Annotated[str, Parameter(help="Keys of flows, or files; all flows of the home, where none is given.")],
    strict: Annotated[bool, Parameter(negative="", help="Take warnings as problems.")] = False,
    home: Home = None,
    output: Output = "table",
) -> int:
    """Check flows without running anything, as `camshaft validate` does. Exit 3 when something is refused."""
    from daemon.cli.validate import validate as validate_files  # the loader: a second of imports that `flow list` spares

    folder = find_home(home) / "flows" if not flows or not all(map(is_file, flows)) else Path()
    files = [Path(flow) if is_file(flow) else _file_of(folder, flow) for flow in flows] or [folder]
    return validate_files(*files, strict=strict, home=home, output=output)


def _file_of(folder: Path, key: str) -> Path:
    """The file of a flow, also of one that does not load."""
    from daemon.home.scan import flow_name, flows_in

    for file in flows_in(folder) if folder.is_dir() else ():
        if flow_name(file) == key:
            return file
    raise NotFound(f"there is no file of a flow «{key}» in {folder}", "camshaft flow list")
