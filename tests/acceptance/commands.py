"""Steps of shell commands that leave a line in `log`, where the test looks for what was done."""

from __future__ import annotations


def sh(name, command, **more):
    return {"id": name, "type": "bash", "bash": {"command": command, "timeout": 120_000}, **more}


def log(home):
    file = home / "log"
    return file.read_text().split() if file.exists() else []
