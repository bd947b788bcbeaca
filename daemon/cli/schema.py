"""`camshaft schema`: the published JSON Schemas, for editors and for other programs."""

from __future__ import annotations

import json
from typing import Annotated

from cyclopts import Parameter

from daemon.cli.options import Home
from daemon.cli.output import write


def schema(
    name: Annotated[str, Parameter(help="trigger, flow or config.")],
    /,
    *,
    home: Home = None,  # noqa: ARG001 - every command takes it
) -> None:
    """Print the JSON Schema (draft 2020-12) of a trigger, a flow or camshaft.toml."""
    from daemon.published import published  # every kind and source: half a second that `--help` spares

    write(json.dumps(published(name), indent=2, ensure_ascii=False))
