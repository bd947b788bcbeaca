"""Completion in real shells: commands, options, their values, and the keys of a home."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

CAMSHAFT = Path(sys.executable).parent / "camshaft"


def environment(home):
    return {**os.environ, "PATH": f"{CAMSHAFT.parent}:{os.environ['PATH']}", "CAMSHAFT_HOME": str(home)}


def words(home, *given):
    """What a script is told for `camshaft GIVEN…<TAB>`."""
    done = subprocess.run(
        [CAMSHAFT, "completion", "words", "--", *given], capture_output=True, text=True, env=environment(home), timeout=60, check=False
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


def in_bash(home, *line):
    """What bash offers for a line whose last word is begun."""
    script = 'eval "$(camshaft completion bash)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _camshaft; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", script, "bash", "camshaft", *line],
        capture_output=True, text=True, env=environment(home), timeout=60, check=False, cwd=home,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_options_values_keys_and_files(home):
    assert in_bash(home, "trig") == ["trigger"]
    assert in_bash(home, "trigger", "show", "auto") == ["auto-process-deal"]
    assert in_bash(home, "trigger", "list", "--output", "=", "js") == ["json", "jsonl"]
    assert in_bash(home, "validate", "camsh") == ["camshaft.toml"]
    assert in_bash(home, "--home", "fl") == ["flows"]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh: apt-get install zsh")
def test_zsh_takes_the_script_and_its_words(home):
    script = (
        'autoload -Uz compinit && compinit -u -D; _describe() { print -rl -- "${(@P)2}" }; '
        'eval "$(camshaft completion zsh)"; words=(camshaft trigger show auto); CURRENT=4; _camshaft; print -r -- $_comps[camshaft]'
    )  # fmt: skip
    done = subprocess.run(
        ["zsh", "-f", "-c", script], capture_output=True, text=True, env=environment(home), timeout=60, check=False
    )

    assert done.stderr == ""
    assert done.stdout.split() == ["auto-process-deal", "_camshaft"]


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish: apt-get install fish")
def test_fish_completes_a_key(home):
    script = "camshaft completion fish | source; complete -C 'camshaft trigger show auto'"
    done = subprocess.run(
        ["fish", "-N", "-c", script], capture_output=True, text=True, env=environment(home), timeout=60, check=False
    )

    assert done.stderr == ""
    assert done.stdout.split() == ["auto-process-deal"]


async def test_runs_and_events_are_those_of_the_daemon(daemon, client):
    async with client.post(f"{daemon.hooks}/deal-created", json={"source": "email", "company": "A", "email": "b"}) as answer:
        said = await answer.json()

    assert words(daemon.home, "run", "show", "run_") == said["runs"]
    assert words(daemon.home, "event", "explain", "") == [said["event"]]
    assert words(daemon.home, "run", "list", "--trigger", "") == ["auto-process-deal"]
