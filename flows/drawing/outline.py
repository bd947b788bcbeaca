"""A drawing as lines of text: a step each, what it leads to behind it, what it holds below it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from flows.drawing.form import Arrow, Box, Drawing, Group
from flows.drawing.marks import NOT_REACHED
from flows.drawing.plain import columns, plain

if TYPE_CHECKING:
    from flows.drawing.marks import Mark

MOST = 60  # columns of a label
SIGNS = {"success": "✓", "failed": "✗", "skipped": "–", "running": "▶", "waiting": "◷", "cancelled": "■", "not reached": "·"}
ARROWS = {"next": "→", "fallback": "⇢", "back": "↺"}

Marks = Mapping[str, "Mark"] | None


def as_outline(drawing: Drawing, marks: Marks) -> str:
    lines = [plain(drawing.title, MOST) + (f"  ({plain(drawing.caption)})" if drawing.caption else "")]
    rows = list(_rows(drawing.main, 0, marks))
    for handler in drawing.handlers:
        rows += [(f"{plain(handler.label)}:", ""), *_rows(handler, 1, marks)]
    wide = max((columns(left) for left, right in rows if right), default=0)
    lines += [left if not right else f"{left}{' ' * (wide - columns(left))}  {right}" for left, right in rows]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _rows(group: Group, depth: int, marks: Marks) -> Iterator[tuple[str, str]]:
    """What a line says, and what it leads to."""
    out: dict[str, list[Arrow]] = {}
    for arrow in group.arrows:
        out.setdefault(arrow.source, []).append(arrow)
    for member in group.members:
        yield f"{'  ' * depth}{_said(member, marks)}", "  ".join(_leads(arrow, group) for arrow in out.get(member.key, ()))
        if isinstance(member, Group):
            yield from _rows(member, depth + 1, marks)


def _said(member: Box | Group, marks: Marks) -> str:
    if isinstance(member, Group) and member.kind == "branch":
        return f"{plain(member.label)}:"
    said = f"{plain(member.label, MOST)} [{plain(member.kind, MOST)}]"
    if isinstance(member, Group) and member.detail:
        said += f" {plain(member.detail, MOST)}"
    if marks is None:
        return said
    mark = marks.get(member.key, NOT_REACHED)
    return f"{SIGNS[mark.state]} {said} {mark.text}"


def _leads(arrow: Arrow, group: Group) -> str:
    target = next(member for member in group.members if member.key == arrow.target)
    label = f"{plain(arrow.label, MOST)}: " if arrow.label else ""
    return f"{ARROWS[arrow.form]} {label}{plain(target.label, MOST)}"
