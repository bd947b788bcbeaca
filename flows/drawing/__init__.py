"""A flow as a drawing: one form, three ways to show it. Pure: text comes out, nothing is read or run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from flows.drawing.form import drawn, keys_of
from flows.drawing.marks import marks_of
from flows.drawing.mermaid import as_mermaid
from flows.drawing.outline import as_outline
from flows.drawing.svg import as_svg

if TYPE_CHECKING:
    from flows.attempt import Attempt
    from flows.drawing.form import Drawing
    from flows.drawing.marks import Mark
    from flows.flow import Flow

__all__ = ["FORMATS", "draw", "draw_run"]

FORMATS: dict[str, Callable[[Drawing, Mapping[str, Mark] | None], str]] = {
    "svg": as_svg,
    "mermaid": as_mermaid,
    "text": as_outline,
}


def draw(flow: Flow, form: str, marks: Mapping[str, Mark] | None = None) -> str:
    """The flow in one of FORMATS. `marks`: what became of each step in a run, by its key; None: no run is shown."""
    return FORMATS[form](drawn(flow), marks)


def draw_run(flow: Flow, form: str, attempts: Sequence[Attempt], status: str, caption: str) -> str:
    """The same with what became of each step in a run. `status` is the run's."""
    drawing = drawn(flow)
    drawing = replace(drawing, caption=" · ".join(filter(None, (caption, drawing.caption))))
    return FORMATS[form](drawing, marks_of(attempts, status, keys_of(drawing)))
