"""One command in this process, without the settings of whoever runs the tests."""

from __future__ import annotations

import io
import json
import os

import pytest

from daemon.cli import main


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith("CAMSHAFT_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))


@pytest.fixture
def run(capsys, monkeypatch):
    """One command in this process: its exit status, what it printed and what it said."""

    def command(*arguments: object, stdin: str | bytes = b"") -> tuple[int, str, str]:
        raw = stdin.encode("utf-8", "surrogatepass") if isinstance(stdin, str) else stdin
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8"))
        status = main([str(one) for one in arguments])
        told = capsys.readouterr()
        return status, told.out, told.err

    return command


@pytest.fixture
def run_json(run):
    """The same with -o json, whose data it is: nothing else is said."""

    def command(*arguments: object, status: int = 0):
        done, out, err = run(*arguments, "-o", "json")
        assert (done, err) == (status, "")
        return json.loads(out)

    return command
