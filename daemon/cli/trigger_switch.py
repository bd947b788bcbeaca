"""`camshaft trigger enable | disable | suspend | edit`: what is done to a trigger that is there."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from daemon.cli.client import part
from daemon.cli.home_access import ask
from daemon.cli.options import Home, Output
from daemon.cli.output import say, show_value, write
from daemon.errors import BadRequest, Conflict, DaemonError
from flows.errors import DefinitionError

if TYPE_CHECKING:
    from daemon.operations import Operations


def add_to(app: App) -> None:
    """Make these commands of `camshaft trigger`."""
    for command in (enable, disable, suspend, edit):
        app.command(command)


def enable(key: str, /, *, home: Home = None, output: Output = "table") -> None:
    """Switch a trigger on, in its file where that says otherwise, and lift its suspension."""

    async def alone(operations: Operations) -> Any:
        return await operations.enable_trigger(key)

    _say(ask(home, "POST", f"/v1/triggers/{part(key)}/enable", alone), output)


def disable(key: str, /, *, home: Home = None, output: Output = "table") -> None:
    """Switch a trigger off in its file. Nothing else in the file changes."""

    async def alone(operations: Operations) -> Any:
        return await operations.disable_trigger(key)

    _say(ask(home, "POST", f"/v1/triggers/{part(key)}/disable", alone), output)


def suspend(
    key: str,
    /,
    *,
    for_: Annotated[str | None, Parameter(name="--for", help="How long: 30m, 2h, 1d. Without it until it is enabled.")] = None,
    reason: Annotated[str | None, Parameter(help="Why; stands in each verdict.")] = None,
    home: Home = None,
    output: Output = "table",
) -> None:
    """Let a trigger fire nothing for a while. Its events are recorded, its file is not touched; restarts do not end it."""

    async def alone(operations: Operations) -> Any:
        return await operations.suspend_trigger(key, duration=for_, reason=reason)

    body = {name: value for name, value in (("for", for_), ("reason", reason)) if value is not None}
    _say(ask(home, "POST", f"/v1/triggers/{part(key)}/suspend", alone, body=body), output)


def edit(key: str, /, *, home: Home = None) -> None:
    """Edit a trigger's definition in $VISUAL or $EDITOR. What is refused can be edited again; nothing that you wrote is lost."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadRequest("an editor needs a terminal", "change the file, or: camshaft trigger add --replace FILE")
    import tempfile  # with bz2 and lzma, 10 ms: for no other command here

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"

    async def source(operations: Operations) -> Any:
        return await operations.trigger_source(key)

    found = ask(home, "GET", f"/v1/triggers/{part(key)}/source", source)
    descriptor, name = tempfile.mkstemp(prefix=f"camshaft-{part(key)}-", suffix=Path(found["file"]).suffix)
    copy = Path(name)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as opened:
        opened.write(found["text"])
    saved = False
    try:
        saved = _edit(home, key, found, editor, copy)
    finally:
        if saved or copy.read_bytes() == found["text"].encode():
            copy.unlink()
        else:
            say(f"what you wrote is kept in {copy}")


def _edit(home: Path | None, key: str, found: dict[str, Any], editor: str, copy: Path) -> bool:
    """Open the editor until the text is in force. False: it was given up, or nothing was changed."""
    import subprocess  # as above

    while True:
        status = subprocess.run([*shlex.split(editor), str(copy)], check=False).returncode
        if status != 0:
            raise DaemonError(f"the editor «{editor}» ended with {status}", "nothing was changed")
        text = copy.read_bytes().decode("utf-8", "replace")
        if text == found["text"]:
            write("nothing has changed")
            return False
        try:
            _say(_replace(home, key, text, found["sha256"]), "table")
        except (DefinitionError, DaemonError) as error:
            _tell(error, copy)
            if isinstance(error, Conflict) or not _again():
                raise Conflict("the definition stays as it was") from None
        else:
            return True


def _replace(home: Path | None, key: str, text: str, was: str) -> Any:
    async def alone(operations: Operations) -> Any:
        return await operations.replace_source(key, text, was)

    return ask(home, "PUT", f"/v1/triggers/{part(key)}/source", alone, body={"text": text, "sha256": was})


def _tell(error: DefinitionError | DaemonError, copy: Path) -> None:
    said = [str(problem) for problem in error.problems] if isinstance(error, DefinitionError) else [str(error)]
    for line in said:
        say(f"{copy.name}: {line}")


def _again() -> bool:
    try:
        return input("edit again? [Y/n] ").strip().lower() in {"", "y", "yes"}
    except EOFError:
        return False


def _say(told: dict[str, Any], output: Any) -> None:
    if output == "table":
        write(f"{told['key']}: {told['state']}")
    else:
        show_value(told, output)
