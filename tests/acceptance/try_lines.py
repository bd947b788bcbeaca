"""Lines to try in a document: run in order against one daemon that serves a copy of the example home, each with what it answers."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BASE = "http://127.0.0.1:8700"
PATIENCE_S = 20.0
ID = re.compile(r"\b(?:evt|run)_[0-9a-z]{26}\b")
READS = ("camshaft run ", "camshaft event ", "camshaft trigger list", "cat ")  # asked again until it is as the document says


def snippets_of(document):
    """Each fence that says what it holds: (language, what, text)."""
    return re.findall(r"^```(\w+) (\w+)\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)


async def try_lines(snippets, daemon, folder):
    """Run what is to be tried, from `folder`, where the daemon's home is examples/home: each answers what the document says."""
    program = folder / ".venv" / "bin" / "camshaft"
    program.parent.mkdir(parents=True)
    program.symlink_to(Path(sys.executable).parent / "camshaft")
    ids: dict[str, str] = {}

    for command, answer in tries(snippets):
        for written, real in ids.items():
            command = command.replace(written, real)
        said = await said_by(command.replace(BASE, daemon.hooks.removesuffix("/hooks")), answer, folder)
        if answer is not None:
            ids.update(zip(ID.findall(answer), ID.findall(said), strict=True))
        await daemon.all_ended()


def example_home(folder):
    """A copy of the example home, as a clone has it."""
    home = folder / "examples" / "home"
    shutil.copytree(ROOT / "examples" / "home", home, ignore=shutil.ignore_patterns("state", "note.txt"))
    return home


def tries(snippets):
    """Each line to try, and what the document says comes back: None, where it says nothing."""
    found = []
    for language, kind, text in snippets:
        if kind == "try":
            found.append((text, None))
        elif kind == "answer":
            command, answer = found.pop()
            assert answer is None, "an answer follows its command"
            found.append((command, f"{language}\n{text}"))
    return found


async def said_by(command, answer, folder):
    """What a line says; a line that only looks is asked again until it says what the document says, for runs take their time."""
    again = any(word in command for word in READS)
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        said = (await process.communicate())[0].decode()
        if answer is None or alike(said) == alike(answer.partition("\n")[2]):
            return said
        if not again or asyncio.get_running_loop().time() > deadline:
            assert alike(said) == alike(answer.partition("\n")[2]), command
        await asyncio.sleep(0.05)


def alike(text):
    """The text without what differs from run to run: ids, instants, durations, the home's folder, the width of columns."""
    text = ID.sub("<id>", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", "<time>", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\d\b", "<day>", text)
    text = re.sub(r"\b\d+ ms\b", "<ms>", text)
    text = re.sub(r'"path":"[^"]*/state/', '"path":"<home>/state/', text)
    text = re.sub(r'"path":"[^"\n]*…', '"path":"…', text)
    text = re.sub(r"/[^\s\"]*?/examples/home/", "<home>/", text)
    return re.sub(r" +", " ", text).replace(" \n", "\n").strip()
