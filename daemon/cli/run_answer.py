"""`camshaft run approve | reject`: answer what a run asks."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from daemon.cli.client import ENDED, Client, part
from daemon.cli.options import Home, Inputs, Output, find_home
from daemon.cli.output import clean, show_value, write
from daemon.errors import BadRequest, Conflict, NotFound

Step = Annotated[str | None, Parameter(help="The step that asks, by its path or id; not needed where one alone does.")]
Comment = Annotated[str | None, Parameter(help="A few words, which stand in the step's output.")]
By = Annotated[str | None, Parameter(help="Who answers; your user's name otherwise.")]


def add_to(app: App) -> None:
    """Make these commands of `camshaft run`."""
    app.command(approve)
    app.command(reject)


def approve(
    run: str,
    step: Step = None,
    /,
    *,
    fields: Inputs = (),
    form: Annotated[
        str | None,
        Parameter(name="--form", allow_leading_hyphen=True, help="A JSON or YAML file with the fields; - reads standard input."),
    ] = None,
    comment: Comment = None,
    by: By = None,
    home: Home = None,
    output: Output = "table",
) -> None:
    """Say yes to what a run asks, with the fields of its form. What does not fit is refused, and the question stays open."""
    from daemon.cli.documents import read_inputs  # the reader of places: not for `run list`

    _answer(home, run, step, {"decision": "approve", "form": read_inputs(form, fields)}, comment, by, output)


def reject(
    run: str,
    step: Step = None,
    /,
    *,
    comment: Comment = None,
    by: By = None,
    home: Home = None,
    output: Output = "table",
) -> None:
    """Say no to what a run asks."""
    _answer(home, run, step, {"decision": "reject"}, comment, by, output)


def _answer(
    home: Path | None, run: str, step: str | None, body: dict[str, Any], comment: str | None, by: str | None, output: Any
) -> None:
    body |= {"by": by or user_name()} | ({} if comment is None else {"comment": comment})
    client = Client(find_home(home))
    step = step or _the_one_that_asks(client, run)
    told = client.ask("POST", f"/v1/runs/{part(run)}/approvals/{part(step)}", body=body)
    if output == "table":
        write(f"{told['run']} {clean(told['step'])}: {told['outcome']} by {clean(told['by'] or 'nobody')}")
    else:
        show_value(told, output)


def _the_one_that_asks(client: Client, run: str) -> str:
    shown = client.ask("GET", f"/v1/runs/{part(run)}")
    steps = [wait["step"] for wait in shown["waits"] if wait["kind"] == "approval"]
    if not steps and shown["status"] in ENDED:
        raise Conflict(f"{shown['run']} asks nothing any more: it is {shown['status']}", f"camshaft run show {run}")
    if not steps:
        raise NotFound(f"{shown['run']} asks nothing: it is {shown['status']}", "camshaft approval list")
    if len(steps) > 1:
        raise BadRequest(f"{shown['run']} asks several things", f"name the step: {', '.join(map(clean, steps))}")
    return str(steps[0])


def user_name() -> str | None:
    """Who is at the keyboard, as the system knows."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name
        return None
