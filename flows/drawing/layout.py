"""Where everything of a drawing stands: rows from above to below, groups around what they hold, lines that pass by boxes and not over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise

from flows.drawing.form import Arrow, Box, Drawing, Group
from flows.drawing.rank import Rows, ranked

GAP_X, GAP_Y = 26.0, 46.0  # between boxes of a row, and between rows: room for a label
PAD, HEADER = 14.0, 30.0  # of a group
LANE = 20.0  # for each line that goes back
THIN = 6.0  # what a line takes of a row that it passes
PASSES = 6

Measure = Callable[[Box | Group], tuple[float, float]]
"""How large a box is, or the header of a group."""


@dataclass(frozen=True, slots=True)
class Rect:
    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True, slots=True)
class Line:
    """`points`: a line that goes on is curved between rows, one that goes back is not."""

    arrow: Arrow
    points: tuple[tuple[float, float], ...]
    label_at: tuple[float, float]


@dataclass(slots=True)
class Layout:
    width: float = 0.0
    height: float = 0.0
    boxes: dict[str, Rect] = field(default_factory=dict)
    groups: dict[str, Rect] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)

    def take(self, inner: Layout, x: float, y: float) -> None:
        """Put another one in, moved."""
        self.boxes |= {key: replace(one, x=one.x + x, y=one.y + y) for key, one in inner.boxes.items()}
        self.groups |= {key: replace(one, x=one.x + x, y=one.y + y) for key, one in inner.groups.items()}
        self.lines += [_moved(line, x, y) for line in inner.lines]


def laid_out(drawing: Drawing, measure: Measure, label_width: Callable[[str], float]) -> Layout:
    """The main steps, and below them the handlers side by side."""
    whole = _Level(drawing.main.members, drawing.main.arrows, measure, label_width).layout()
    if drawing.handlers:
        after = _Level(drawing.handlers, (), measure, label_width).layout()
        whole.take(after, 0, whole.height + GAP_Y)
        whole.width, whole.height = max(whole.width, after.width), whole.height + GAP_Y + after.height
    return whole


class _Level:
    """The members of one group."""

    def __init__(
        self, members: Sequence[Box | Group], arrows: Sequence[Arrow], measure: Measure, label_width: Callable[[str], float]
    ) -> None:
        self.members = members
        self.label_width = label_width
        self.inner: dict[int, Layout] = {}
        self.sizes = [self._size(number, member, measure) for number, member in enumerate(members)]
        number_of = {member.key: number for number, member in enumerate(members)}
        self.forward = [arrow for arrow in arrows if arrow.form != "back"]
        self.back = [arrow for arrow in arrows if arrow.form == "back"]
        self.number_of = number_of
        self.rows = ranked(len(members), [(number_of[one.source], number_of[one.target]) for one in self.forward])
        self.heights = [max((self._of(place)[1] for place in row), default=0.0) for row in self.rows.rows]
        top = GAP_Y / 2 if self.back else 0.0
        self.tops = [top, *(top + at for at in accumulate(height + GAP_Y for height in self.heights))][: len(self.heights)]
        self.middles = _middles(self.rows, [self._of(place)[0] for place in range(len(self.rows.row_of))])

    def _size(self, number: int, member: Box | Group, measure: Measure) -> tuple[float, float]:
        width, height = measure(member)
        if isinstance(member, Box):
            return width, height
        inner = self.inner[number] = _Level(member.members, member.arrows, measure, self.label_width).layout()
        return max(width, inner.width + 2 * PAD), inner.height + HEADER + PAD

    def _of(self, place: int) -> tuple[float, float]:
        return self.sizes[place] if place < len(self.sizes) else (THIN, 0.0)

    def layout(self) -> Layout:
        found = Layout()
        for number, member in enumerate(self.members):
            width, height = self.sizes[number]
            rect = Rect(self.middles[number] - width / 2, self.tops[self.rows.row_of[number]], width, height)
            if isinstance(member, Box):
                found.boxes[member.key] = rect
            else:
                found.groups[member.key] = rect
                inner = self.inner[number]
                found.take(inner, rect.x + (width - inner.width) / 2, rect.y + HEADER)
        found.lines += [self._line(arrow, way) for arrow, way in zip(self.forward, self.rows.ways, strict=True)]
        found.width = max((rect.x + rect.w for rect in (*found.boxes.values(), *found.groups.values())), default=0.0)
        found.height = self.tops[-1] + self.heights[-1] if self.tops else 0.0
        for line in found.lines:
            found.width = max(found.width, line.label_at[0] + self.label_width(line.arrow.label) / 2)
        if self.back:
            self._go_back(found)
        return found

    def _line(self, arrow: Arrow, way: Sequence[int]) -> Line:
        """From below its source, straight through each row that it passes, to above its target."""
        points: list[tuple[float, float]] = []
        for place in way:
            row, x = self.rows.row_of[place], self.middles[place]
            top, bottom = self.tops[row], self.tops[row] + self.heights[row]
            if place == way[0]:
                points.append((x, top + self.sizes[place][1]))
            else:
                points.append((x, top))
            if place != way[-1]:
                points.append((x, bottom))
        start, end = points[1], points[2]
        return Line(arrow, tuple(points), ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2))

    def _go_back(self, found: Layout) -> None:
        """Each by a lane of its own at the right: down into the room below its source, up, and in above its target."""
        for arrow in self.back:
            source, target = self.number_of[arrow.source], self.number_of[arrow.target]
            lane = found.width + LANE
            first, last = self.rows.row_of[source], self.rows.row_of[target]
            low = self.tops[first] + self.heights[first] + GAP_Y / 4
            high = self.tops[last] - GAP_Y / 4
            start = self.tops[first] + self.sizes[source][1]
            from_x = self.middles[source] + self.sizes[source][0] / 4  # beside what goes on from there
            to_x = self.middles[target] + self.sizes[target][0] / 4
            points = ((from_x, start), (from_x, low), (lane, low), (lane, high), (to_x, high), (to_x, self.tops[last]))
            width = self.label_width(arrow.label)
            found.lines.append(Line(arrow, points, (lane + 4 + width / 2, (low + high) / 2)))
            found.width = lane + 8 + width
            found.height = max(found.height, low + GAP_Y / 4)


def _middles(rows: Rows, widths: Sequence[float]) -> list[float]:
    """Where each place's middle is: near those it hangs on, and never over its neighbours. The leftmost edge is 0."""
    at = [0.0] * len(rows.row_of)
    for row in rows.rows:
        left = 0.0
        for place in row:
            at[place] = left + widths[place] / 2
            left += widths[place] + GAP_X
    for number in range(PASSES):
        neighbours = rows.above if number % 2 == 0 else rows.below
        for row in rows.rows if number % 2 == 0 else reversed(rows.rows):
            wanted = [_mean([at[one] for one in neighbours[place]], at[place]) for place in row]
            for place, x in zip(row, apart(wanted, [widths[place] for place in row]), strict=True):
                at[place] = x
    left = min((x - width / 2 for x, width in zip(at, widths, strict=True)), default=0.0)
    return [x - left for x in at]


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def apart(wanted: Sequence[float], widths: Sequence[float]) -> list[float]:
    """The middles nearest to what is wanted, in this order, with GAP_X between them: places that press on each other share a shift."""
    offsets = [0.0, *accumulate((one + other) / 2 + GAP_X for one, other in pairwise(widths))]
    blocks: list[tuple[float, int]] = []  # (sum of shifts, how many) of places that touch
    for want, offset in zip(wanted, offsets, strict=False):
        total, count = want - offset, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
            before, number = blocks.pop()
            total, count = total + before, count + number
        blocks.append((total, count))
    shifts = [total / count for total, count in blocks for _ in range(count)]
    return [offset + shift for offset, shift in zip(offsets, shifts, strict=False)]


def _moved(line: Line, x: float, y: float) -> Line:
    points = tuple((at_x + x, at_y + y) for at_x, at_y in line.points)
    return replace(line, points=points, label_at=(line.label_at[0] + x, line.label_at[1] + y))
