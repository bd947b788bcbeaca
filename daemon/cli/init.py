"""`camshaft init`: a small working home to begin with."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from daemon.cli.options import Home, likely_home
from daemon.cli.output import write
from daemon.errors import BadRequest, Conflict, HomeError

CONFIG = """\
# camshaft's settings for this home. Flags are stronger than the environment (CAMSHAFT_HTTP__LISTEN), which is stronger than this file.

[http]
listen = "127.0.0.1:8700" # where webhooks come in

[worker]
concurrency = 10 # runs at once

[retention]
age_days = 30 # how long events and ended runs are kept
"""

TRIGGER: dict[str, Any] = {
    "key": "hello",
    "description": "Greets whoever a webhook names.",
    "trigger": {"type": "webhook", "path": "/hello", "filter": "$.body.name !== ''"},
    "flow": "greet",
    "inputMapping": {"name": "$.body.name"},
}

FLOW: dict[str, Any] = {
    "key": "greet",
    "name": "Greet",
    "inputs": {"name": {"type": "string", "required": True, "description": "Who is greeted"}},
    "steps": [
        {"id": "compose", "name": "Compose", "type": "transform", "transform": {"expression": "`Hello, ${$.input.name}!`"}},
        {
            "id": "say",
            "name": "Say",
            "type": "bash",
            "bash": {"command": 'printf "%s\\n" "$GREETING"', "env": {"GREETING": "{{$.steps.compose.output}}"}},
        },
    ],
}

IGNORED = "# What the daemon writes: the database, the admin socket and its token.\nstate/\n"


def init(
    folder: Annotated[
        Path | None, Parameter(help="The home's folder; made where it is not there, refused where it holds anything.")
    ] = None,
    /,
    *,
    home: Home = None,
) -> None:
    """Make a small working home: its settings, one trigger and one flow."""
    if folder is not None and home is not None:
        raise BadRequest("give the folder once: as FOLDER or as --home")
    if folder is None and home is None and "CAMSHAFT_HOME" not in os.environ:
        raise BadRequest("name the folder that becomes a home", "camshaft init FOLDER")
    home = folder.expanduser() if folder is not None else likely_home(home)
    files = {
        "camshaft.toml": CONFIG,
        "triggers/hello.json": json.dumps(TRIGGER, indent=2) + "\n",
        "flows/greet.json": json.dumps(FLOW, indent=2) + "\n",
        ".gitignore": IGNORED,
    }
    try:
        home.mkdir(parents=True, exist_ok=True)
        if any(home.iterdir()):
            raise Conflict(f"{home} is not empty", "choose an empty folder, or one that is not there")
        for name, text in files.items():
            file = home / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except (FileExistsError, NotADirectoryError) as error:
        raise Conflict(f"{home} is no folder") from error
    except OSError as error:
        raise HomeError(f"cannot make a home at {home}: {error.strerror}") from error
    write(f"made a home at {home}")
    write(f"  camshaft serve --home {home}")
    write("""  curl -sS http://127.0.0.1:8700/hooks/hello -H 'content-type: application/json' -d '{"name": "Ada"}'""")
