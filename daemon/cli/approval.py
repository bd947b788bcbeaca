"""`camshaft approval`: what is asked of people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cyclopts import App

from daemon.cli.home_access import ask
from daemon.cli.options import Fields, Home, Output
from daemon.cli.output import show_rows

if TYPE_CHECKING:
    from daemon.operations import Operations

app = App(name="approval", help="List what runs ask of people.")


@app.command(name="list")
def list_(*, home: Home = None, fields: Fields = None, output: Output = "table") -> None:
    """What is asked now, the oldest first: run, step, question, until when, and the link of its page where there is one."""

    async def alone(operations: Operations) -> Any:
        return await operations.list_approvals()

    show_rows(ask(home, "GET", "/v1/approvals", alone), ("run", "step", "message", "due", "approvers", "link"), output, fields)
