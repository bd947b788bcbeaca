"""The installed command as a process, and the flows that it is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[3] / "examples/home"
CAMSHAFT = str(Path(sys.executable).with_name("camshaft"))


def process(*arguments: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [CAMSHAFT, *arguments], input=stdin, capture_output=True, env={**os.environ, **environment}, timeout=60, check=False
    )


def flow_file(folder: Path, name: str = "f.json", **flow: object) -> str:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(flow))
    return str(file)


def step(name: str, expression: str) -> dict[str, object]:
    return {"id": name, "type": "transform", "transform": {"expression": expression}}


def bash(name: str, command: str, **more: object) -> dict[str, object]:
    return {"id": name, "type": "bash", "bash": {"command": command}, **more}
