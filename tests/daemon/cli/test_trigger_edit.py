"""`camshaft trigger edit`: the real command in a terminal, with an editor that is a script."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.daemon.cli.installed import CAMSHAFT

HOOK = {"trigger": {"type": "webhook", "path": "/a"}, "flow": "greet"}
FLOW = {"steps": [{"id": "say", "type": "transform", "transform": {"expression": "1"}}]}
BREAKS = 'sed -i s/greet/gret/ "$1"'
MENDS = 'grep -q gret\\" "$1" && sed -i s/gret/greet/ "$1" || sed -i s/greet/gret/ "$1"'


@pytest.fixture
def edit(tmp_path):
    home = tmp_path / "home"
    for name, definition in {"triggers/a": HOOK, "flows/greet": FLOW}.items():
        (home / name).parent.mkdir(parents=True)
        (home / f"{name}.json").write_text(json.dumps(definition))
    (tmp_path / "copies").mkdir()

    def asked(script: str, answers: bytes = b"") -> tuple[int, str, str, list[Path]]:
        """The exit status, what the terminal showed, the definition afterwards, and the copies that were kept."""
        editor = tmp_path / "editor"
        editor.write_text(f"#!/bin/sh\n{script}\n")
        editor.chmod(0o700)
        reader, terminal = pty.openpty()
        environment = {**os.environ, "EDITOR": str(editor), "TMPDIR": str(tmp_path / "copies"), "NO_COLOR": "1"}
        environment.pop("VISUAL", None)
        os.write(reader, answers)
        with subprocess.Popen(
            [str(CAMSHAFT), "trigger", "edit", "a", "--home", str(home)],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=environment,
        ) as command:
            os.close(terminal)
            told = b""
            with suppress(OSError):  # what a terminal says whose other side has gone
                while part := os.read(reader, 65536):
                    told += part
        os.close(reader)
        return command.returncode, told.decode(), (home / "triggers/a.json").read_text(), list((tmp_path / "copies").iterdir())

    return asked


def test_what_was_edited_is_in_force_and_no_copy_stays(edit):
    status, told, text, copies = edit('sed -i "s:/a:/b:" "$1"')

    assert (status, json.loads(text)["trigger"]["path"], copies) == (0, "/b", [])
    assert "a: enabled" in told


def test_what_is_refused_and_given_up_is_kept_beside_and_changes_nothing(edit):
    status, told, text, copies = edit(BREAKS, b"n\n")

    (copy,) = copies
    assert (status, text) == (3, json.dumps(HOOK))
    assert "there is no flow «gret» (did you mean «greet»?)" in told
    assert str(copy) in told
    assert json.loads(copy.read_text())["flow"] == "gret"


def test_what_is_refused_can_be_edited_again(edit):
    status, told, text, copies = edit(MENDS + ' && echo >> "$1"', b"y\n")

    assert (status, json.loads(text), copies) == (0, HOOK, [])
    assert told.count("edit again?") == 1


@pytest.mark.parametrize(("script", "status", "said"), [("exit 4", 1, "ended with 4"), ("true", 0, "nothing has changed")])
def test_an_editor_that_changes_nothing_leaves_all_as_it_was(edit, script, status, said):
    ended, told, text, copies = edit(script)

    assert (ended, text, copies) == (status, json.dumps(HOOK), [])
    assert said in told
