"""A drawing as SVG: text, boxes and lines of our own, readable on light and on dark, with nothing in it that runs or is fetched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from flows.drawing.form import Box, Drawing, Group, keys_of
from flows.drawing.layout import Layout, Line, Rect, laid_out
from flows.drawing.marks import NOT_REACHED
from flows.drawing.plain import SIGN, columns, plain

if TYPE_CHECKING:
    from flows.drawing.marks import Mark

MARGIN, TITLE = 16.0, 30.0
BOX_HEIGHT, LEAST, BESIDE = 42.0, 92.0, 24.0  # of a box, and what its text leaves free
LABEL_COLUMNS, KIND_COLUMNS, EDGE_COLUMNS = 32, 34, 26
LABEL_PX, KIND_PX, EDGE_PX = 7.6, 6.4, 6.2  # a column of each text, a little more than fonts take

Marks = Mapping[str, "Mark"] | None

STYLE = """
svg { --ink: #1f2328; --soft: #59636e; --line: #818b98; --paper: #ffffff; --box: #f6f8fa; --group: #818b9814;
  --success: #1a7f37; --failed: #cf222e; --skipped: #8c959f; --running: #0969da; --waiting: #9a6700; --cancelled: #6e40c9; }
@media (prefers-color-scheme: dark) { svg { --ink: #e6edf3; --soft: #9198a1; --line: #7d8590; --paper: #0d1117; --box: #161b22;
  --group: #9198a114; --success: #3fb950; --failed: #f85149; --skipped: #7d8590; --running: #58a6ff; --waiting: #d29922;
  --cancelled: #a371f7; } }
.paper { fill: var(--paper); }
text { font-family: ui-sans-serif, system-ui, sans-serif; fill: var(--ink); font-size: 11px; }
.title { font-size: 15px; font-weight: 600; }
.label { font-size: 13px; font-weight: 600; }
.kind, .caption { fill: var(--soft); }
.box rect { fill: var(--box); stroke: var(--line); stroke-width: 1.2; }
.group > rect { fill: var(--group); stroke: var(--line); stroke-dasharray: 2 3; }
.line path { fill: none; stroke: var(--line); stroke-width: 1.3; stroke-linejoin: round; }
.line .head { fill: var(--line); stroke: none; }
.line text { fill: var(--soft); paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; }
.fallback path { stroke-dasharray: 5 4; }
.back path { stroke: var(--running); }
.back .head { fill: var(--running); }
.success > rect { stroke: var(--success); stroke-width: 2; } .success > .kind { fill: var(--success); }
.failed > rect { stroke: var(--failed); stroke-width: 2; } .failed > .kind { fill: var(--failed); }
.skipped > rect { stroke: var(--skipped); stroke-dasharray: 4 3; } .skipped > text { fill: var(--skipped); }
.running > rect { stroke: var(--running); stroke-width: 2; } .running > .kind { fill: var(--running); }
.waiting > rect { stroke: var(--waiting); stroke-width: 2; } .waiting > .kind { fill: var(--waiting); }
.cancelled > rect { stroke: var(--cancelled); stroke-width: 2; } .cancelled > .kind { fill: var(--cancelled); }
.not-reached > text { opacity: .55; } .not-reached > rect { opacity: .7; }
"""


def as_svg(drawing: Drawing, marks: Marks) -> str:
    layout = laid_out(drawing, lambda member: _measure(member, marks), lambda label: _width(plain(label, EDGE_COLUMNS), EDGE_PX))
    top = MARGIN + TITLE
    heading = _width(plain(drawing.title, 80), 9.0) + _width(plain(drawing.caption, 80), KIND_PX) + 12
    width, height = max(layout.width, heading) + 2 * MARGIN, layout.height + top + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}" height="{_n(height)}" role="img">',
        f"<title>{_text(drawing.title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{_n(width)}" height="{_n(height)}"/>',
        _heading(drawing),
        f'<g transform="translate({_n(MARGIN)} {_n(top)})">',
        *_drawn(drawing, layout, marks),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _heading(drawing: Drawing) -> str:
    caption = f'<tspan class="caption" dx="12" font-size="11" font-weight="400">{_text(plain(drawing.caption, 80))}</tspan>'
    return f'<text class="title" x="{_n(MARGIN)}" y="{_n(MARGIN + 12)}">{_text(plain(drawing.title, 80))}{caption}</text>'


def _drawn(drawing: Drawing, layout: Layout, marks: Marks) -> Iterator[str]:
    """Groups below, lines over them, boxes above all."""
    members = keys_of(drawing)
    for key, rect in sorted(layout.groups.items(), key=lambda one: -one[1].w * one[1].h):
        yield _group(members[key], rect, marks)
    yield from (_line(line) for line in layout.lines)
    yield from (_box(members[key], rect, marks) for key, rect in layout.boxes.items())


def _measure(member: Box | Group, marks: Marks) -> tuple[float, float]:
    wide = max(_width(plain(member.label, LABEL_COLUMNS), LABEL_PX), _width(_second(member, marks), KIND_PX))
    if isinstance(member, Group):
        wide = _width(plain(member.label, LABEL_COLUMNS), LABEL_PX) + _width(_second(member, marks), KIND_PX) + 10
    return max(LEAST, wide + BESIDE), BOX_HEIGHT


def _second(member: Box | Group, marks: Marks) -> str:
    """What stands below a label: the kind, and what became of it."""
    said = "" if member.kind in {"branch", "handler"} else plain(member.kind, KIND_COLUMNS)
    if isinstance(member, Group) and member.detail:
        said = plain(f"{said} {member.detail}", KIND_COLUMNS)
    if marks is None or member.kind == "branch":
        return said
    return " · ".join(filter(None, (said, marks.get(member.key, NOT_REACHED).text)))


def _state(member: Box | Group, marks: Marks) -> str:
    if marks is None or member.kind == "branch":
        return ""
    return " " + marks.get(member.key, NOT_REACHED).state.replace(" ", "-")


def _box(member: Box | Group, rect: Rect, marks: Marks) -> str:
    middle = rect.x + rect.w / 2
    return (
        f'<g class="box{_state(member, marks)}" data-step={_attribute(member.key)}><title>{_text(_whole(member))}</title>'
        f'<rect x="{_n(rect.x)}" y="{_n(rect.y)}" width="{_n(rect.w)}" height="{_n(rect.h)}" rx="{21 if member.kind == "condition" else 7}"/>'
        f'<text class="label" x="{_n(middle)}" y="{_n(rect.y + 18)}" text-anchor="middle">{_text(plain(member.label, LABEL_COLUMNS))}</text>'
        f'<text class="kind" x="{_n(middle)}" y="{_n(rect.y + 33)}" text-anchor="middle">{_text(_second(member, marks))}</text></g>'
    )


def _group(member: Box | Group, rect: Rect, marks: Marks) -> str:
    label = plain(member.label, LABEL_COLUMNS)
    beside = rect.x + 12 + _width(label, LABEL_PX) + 8
    return (
        f'<g class="group{_state(member, marks)}" data-group={_attribute(member.key)}><title>{_text(_whole(member))}</title>'
        f'<rect x="{_n(rect.x)}" y="{_n(rect.y)}" width="{_n(rect.w)}" height="{_n(rect.h)}" rx="9"/>'
        f'<text class="label" x="{_n(rect.x + 12)}" y="{_n(rect.y + 19)}">{_text(label)}</text>'
        f'<text class="kind" x="{_n(beside)}" y="{_n(rect.y + 19)}">{_text(_second(member, marks))}</text></g>'
    )


def _whole(member: Box | Group) -> str:
    """What is shown where somebody points at it."""
    return " · ".join(plain(part, 400) for part in (member.label, member.kind, member.detail) if part)


def _line(line: Line) -> str:
    arrow = line.arrow
    path = _straight(line.points) if arrow.form == "back" else _curved(line.points)
    x, y = line.points[-1]
    label = ""
    if arrow.label:
        at_x, at_y = line.label_at
        text = _text(plain(arrow.label, EDGE_COLUMNS))
        label = f'<text x="{_n(at_x)}" y="{_n(at_y + 4)}" text-anchor="middle">{text}</text>'
    return (
        f'<g class="line {arrow.form}" data-from={_attribute(arrow.source)} data-to={_attribute(arrow.target)}>'
        f'<path d="{path}"/><path class="head" d="M{_n(x - 4)} {_n(y - 8)}L{_n(x + 4)} {_n(y - 8)}L{_n(x)} {_n(y)}Z"/>{label}</g>'
    )


def _curved(points: tuple[tuple[float, float], ...]) -> str:
    """Straight along rows, bent between them."""
    said = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for (from_x, from_y), (x, y) in pairwise(points):
        bend = (y - from_y) / 2
        if from_x == x:
            said.append(f"L{_n(x)} {_n(y)}")
        else:
            said.append(f"C{_n(from_x)} {_n(from_y + bend)} {_n(x)} {_n(y - bend)} {_n(x)} {_n(y)}")
    return "".join(said)


def _straight(points: tuple[tuple[float, float], ...]) -> str:
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points)


def _width(text: str, column_px: float) -> float:
    return columns(text) * column_px


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _text(text: str) -> str:
    return escape(plain(text))


def _attribute(text: str) -> str:
    """As it is, for who looks for it; only what XML cannot hold is replaced."""
    return quoteattr("".join(mark if _is_xml(mark) else SIGN for mark in text))


def _is_xml(mark: str) -> bool:
    code = ord(mark)
    return mark in "\t\n\r" or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000
