"""A drawing in Mermaid's language for flowcharts. Names are our own numbers, and labels stand in quotes with their marks encoded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from flows.drawing.form import Box, Drawing, Group
from flows.drawing.marks import NOT_REACHED
from flows.drawing.plain import plain

if TYPE_CHECKING:
    from flows.drawing.marks import Mark

MOST = 60  # columns of a label
LINKS = {"next": "-->", "fallback": "-.->", "back": "==>"}
STYLES = {
    "success": "fill:#d7f5dd,stroke:#1a7f37,color:#0b3d1a",
    "failed": "fill:#ffdfdc,stroke:#cf222e,color:#5c0d12",
    "skipped": "fill:#eeeeee,stroke:#8c959f,color:#57606a,stroke-dasharray:4 3",
    "running": "fill:#dbeafe,stroke:#0969da,color:#0a2e66",
    "waiting": "fill:#fff3cd,stroke:#9a6700,color:#4d3300",
    "cancelled": "fill:#e8e0f0,stroke:#6e40c9,color:#2e1a5c",
    "not reached": "fill:#ffffff,stroke:#afb8c1,color:#6e7781",
}
_MARKS = re.compile(r"[^A-Za-z0-9 .,:_/=+*$'!?\u00a0-\U0010ffff-]")  # all else of ASCII is encoded
_LIST = re.compile(r"^ *(?:[-+*]|\d+[.)])(?= |$)")  # would be read as the beginning of a list

Marks = Mapping[str, "Mark"] | None


def as_mermaid(drawing: Drawing, marks: Marks) -> str:
    names: dict[str, str] = {}
    lines = ["flowchart TD"]
    if drawing.caption:
        lines.insert(0, f"%% {plain(drawing.caption)}")
    lines += _members(drawing.main, 1, names, marks)
    for handler in drawing.handlers:
        lines += _group(handler, 1, names, marks)
    for group in drawing.groups():
        lines += (f"  {names[one.source]} {LINKS[one.form]}{_label(one.label)} {names[one.target]}" for one in group.arrows)
    return "\n".join([*lines, *_styles(names, drawing, marks)]) + "\n"


def _members(group: Group, depth: int, names: dict[str, str], marks: Marks) -> Iterator[str]:
    for member in group.members:
        if isinstance(member, Group):
            yield from _group(member, depth, names, marks)
        else:
            yield f"{'  ' * depth}{_name(member, names)}{_box(member, marks)}"


def _group(group: Group, depth: int, names: dict[str, str], marks: Marks) -> Iterator[str]:
    said = f"{group.label} [{group.kind}]" if group.kind not in {"branch", "handler"} else group.label
    yield f'{"  " * depth}subgraph {_name(group, names)}["{_encoded(_marked(said, group.key, marks))}"]'
    yield f"{'  ' * depth}  direction TB"
    yield from _members(group, depth + 1, names, marks)
    yield f"{'  ' * depth}end"


def _name(member: Box | Group, names: dict[str, str]) -> str:
    return names.setdefault(member.key, f"{'g' if isinstance(member, Group) else 'n'}{len(names)}")


def _box(box: Box, marks: Marks) -> str:
    text = f"{_encoded(plain(box.label, MOST))}<br/>{_encoded(_marked(box.kind, box.key, marks))}"
    return f'{{"{text}"}}' if box.kind == "condition" else f'["{text}"]'


def _marked(said: str, key: str, marks: Marks) -> str:
    """With the duration, where a run is shown; the state is told by the colour, and by its word where there is no duration."""
    if marks is None or key.rpartition(":")[2] in {"then", "else"}:
        return plain(said, MOST)
    return f"{plain(said, MOST)} · {marks.get(key, NOT_REACHED).text}"


def _label(label: str) -> str:
    return f'|"{_encoded(plain(label, MOST))}"|' if label else ""


def _encoded(text: str) -> str:
    safe = _MARKS.sub(lambda mark: f"#{ord(mark[0])};", text)
    return _LIST.sub(lambda found: "".join(f"#{ord(mark)};" for mark in found[0]), safe)


def _styles(names: Mapping[str, str], drawing: Drawing, marks: Marks) -> Iterator[str]:
    if marks is None:
        return
    by_state: dict[str, list[str]] = {}
    for group in drawing.groups():
        for member in group.members:
            if isinstance(member, Box):
                by_state.setdefault(marks.get(member.key, NOT_REACHED).state, []).append(names[member.key])
    for state, members in by_state.items():
        word = state.replace(" ", "_")
        yield f"  classDef {word} {STYLES[state]}"
        yield f"  class {','.join(members)} {word}"
