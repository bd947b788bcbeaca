"""Where the boxes and lines of a drawing stand, and how long that takes."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from flows.drawing import FORMATS, draw
from flows.drawing.layout import GAP_X, apart
from flows.drawing.rank import crossings, ranked
from tests.flows.test_dialect_nodes import calc, edge, flow
from tests.flows.test_drawing import load


def test_two_hundred_nodes_are_drawn_within_a_second():
    names = [f"n{number}" for number in range(200)]
    edges = [edge(names[number // 2], names[number]) for number in range(1, 200)]
    edges += [
        edge(names[number], names[number + 100])
        for number in range(100)
        if number // 2 != number + 100 and (number + 100) // 2 != number
    ]
    loaded = load(flow(*map(calc, names), edges=edges))
    begun = time.process_time()

    for name in FORMATS:
        draw(loaded, name)

    assert time.process_time() - begun < 1.0


@given(st.lists(st.tuples(st.floats(-500, 500), st.floats(1, 200)), min_size=1, max_size=30))
def test_places_in_a_row_keep_their_order_and_their_distance(wanted):
    middles, widths = [want for want, _ in wanted], [width for _, width in wanted]

    placed = apart(middles, widths)

    for number in range(1, len(placed)):
        assert placed[number] - placed[number - 1] >= (widths[number] + widths[number - 1]) / 2 + GAP_X - 1e-6


def test_rows_are_ordered_so_that_lines_need_not_cross():
    rows = ranked(6, [(0, 5), (1, 4), (2, 3)])

    assert crossings(rows) == 0
