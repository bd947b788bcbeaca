"""Which row each member of a group stands in, and in which order: rows by the longest way to them, orders by their neighbours' middle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

SWEEPS = 8  # up and down over the rows; more changes nothing that is seen
MANY = 2500  # places beyond which two sweeps must do: a drawing of so many lines is read by nobody


@dataclass(slots=True)
class Rows:
    """Places are numbers: those of members first, then those that lines pass through on their way over a row."""

    rows: list[list[int]] = field(default_factory=list)
    row_of: list[int] = field(default_factory=list)  # by place
    above: list[list[int]] = field(default_factory=list)  # the places of the row before that lead to each place
    below: list[list[int]] = field(default_factory=list)
    ways: list[list[int]] = field(default_factory=list)  # by edge: the places it goes by, its ends included


def ranked(count: int, edges: Sequence[tuple[int, int]]) -> Rows:
    """`edges` lead from a member to a later one; there is no cycle among them."""
    rows = Rows(row_of=_longest(count, edges))
    rows.above, rows.below = [[] for _ in range(count)], [[] for _ in range(count)]
    for source, target in edges:
        rows.ways.append(_way(rows, source, target))
    rows.rows = [[] for _ in range(max(rows.row_of, default=0) + 1)]
    for place, row in enumerate(rows.row_of):
        rows.rows[row].append(place)
    _order(rows)
    return rows


def _longest(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    following: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for source, target in edges:
        following[source].append(target)
        waiting[target] += 1
    row_of = [0] * count
    ready = [number for number in range(count) if not waiting[number]]
    for number in ready:  # grows while it is gone through
        for target in following[number]:
            row_of[target] = max(row_of[target], row_of[number] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return row_of


def _way(rows: Rows, source: int, target: int) -> list[int]:
    """The places of one edge: a new one in each row that it passes over."""
    way = [source]
    for row in range(rows.row_of[source] + 1, rows.row_of[target]):
        place = len(rows.row_of)
        rows.row_of.append(row)
        rows.above.append([])
        rows.below.append([])
        way.append(place)
    way.append(target)
    for one, other in pairwise(way):
        rows.below[one].append(other)
        rows.above[other].append(one)
    return way


def _order(rows: Rows) -> None:
    """Each row by the middle of what its places hang on, from above and from below in turn; the order with fewest crossings stays."""
    many = len(rows.row_of) > MANY
    best, fewest = [row.copy() for row in rows.rows], None if many else crossings(rows)
    for sweep in range(2 if many else SWEEPS):
        down = sweep % 2 == 0
        neighbours = rows.above if down else rows.below
        for row in rows.rows if down else reversed(rows.rows):
            _by_middle(rows, row, neighbours)
        found = None if many else crossings(rows)
        if fewest is None or (found is not None and found < fewest):
            best, fewest = [row.copy() for row in rows.rows], found
        if fewest == 0:
            break
    rows.rows = best


def _by_middle(rows: Rows, row: list[int], neighbours: Sequence[Sequence[int]]) -> None:
    at = {place: number for near in _near(rows, row) for number, place in enumerate(near)}
    middle = {}
    for number, place in enumerate(row):
        found = [at[one] for one in neighbours[place]]
        middle[place] = sum(found) / len(found) if found else float(number)
    row.sort(key=middle.__getitem__)  # stable: who hangs on nothing stays


def _near(rows: Rows, row: list[int]) -> list[list[int]]:
    number = rows.row_of[row[0]] if row else 0
    return [rows.rows[near] for near in (number - 1, number + 1) if 0 <= near < len(rows.rows)]


def crossings(rows: Rows) -> int:
    """How often lines cross between two rows, all in all."""
    return sum(_crossings(rows, upper, lower) for upper, lower in pairwise(rows.rows))


def _crossings(rows: Rows, upper: Sequence[int], lower: Sequence[int]) -> int:
    at = {place: number for number, place in enumerate(lower)}
    ends = [end for place in upper for end in sorted(at[one] for one in rows.below[place])]
    tree = [0] * (len(lower) + 1)  # counts of ends so far, summed up in powers of two
    total = 0
    for seen, end in enumerate(ends):
        number, before = end + 1, 0
        while number:
            before += tree[number]
            number -= number & -number
        total += seen - before
        number = end + 1
        while number < len(tree):
            tree[number] += 1
            number += number & -number
    return total
