"""The documents as tests read them: sections, tables, words in code marks."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")))


@cache
def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def section(name, heading):
    """What stands under a heading, up to the next one of its level."""
    level = heading.partition(" ")[0]
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^{level} |\Z)", text(name), re.MULTILINE | re.DOTALL)
    assert found, f"{name} has no {heading}"
    return found[1]


def rows(markdown):
    """The cells of tables: the first cell's code words, and the other cells."""
    for line in re.findall(r"^\| (.+) \|$", markdown, re.MULTILINE):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)]
        yield re.findall(r"`([^`]+)`", cells[0]), cells[1:]


def words(markdown):
    return {word for names, _ in rows(markdown) for word in names}


def code_words(markdown):
    """Every word in code marks, also where several stand in one."""
    return {word for code in re.findall(r"`([^`\n]+)`", markdown) for word in re.findall(r"[\w$.-]+", code)}


def sources_of(*places):
    """The syntax trees of all files there."""
    for place in places:
        base = ROOT / place
        for file in [base] if base.is_file() else sorted(base.rglob("*.py")):
            yield file, ast.parse(file.read_text())
