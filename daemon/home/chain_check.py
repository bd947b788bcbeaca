"""Which flow triggers start each other without end: a cycle of triggers with no filter between them. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from flows.errors import Problem
from triggers.trigger import Trigger

MAX_NAMED = 10  # flows of a cycle in its warning


@dataclass(frozen=True, slots=True)
class _Edge:
    """A run of one flow that starts another, whatever it gave."""

    start: str
    end: str
    trigger: str


def check_chains(triggers: Iterable[Trigger]) -> list[tuple[str, Problem]]:
    """A warning for each enabled trigger without a filter through which a flow comes back to itself: `a → b → a`."""
    edges = _on_cycles(
        [
            _Edge(start, trigger.flow, trigger.key)
            for trigger in triggers
            if trigger.type == "flow" and trigger.enabled and trigger.filter is None
            for start in trigger.spec.flow
        ]
    )
    follows: dict[str, list[_Edge]] = {}
    for edge in edges:
        follows.setdefault(edge.start, []).append(edge)
    found: dict[str, Problem] = {}
    for edge in edges:
        if edge.trigger not in found and (back := _way(edge.end, edge.start, follows)) is not None:
            cycle = [edge, *back]
            for place, each in enumerate(cycle):  # one look tells of all of them: a cycle may have thousands
                found.setdefault(each.trigger, _problem([one.start for one in (*cycle[place:], *cycle[:place])]))
    return list(found.items())


def _on_cycles(edges: list[_Edge]) -> list[_Edge]:
    """Without those that come from a beginning or lead to an end: what is left is on a cycle, or between two."""
    come = _fed(edges, lambda edge: edge.start, lambda edge: edge.end)
    return _fed(come, lambda edge: edge.end, lambda edge: edge.start)


def _fed(edges: list[_Edge], tail: Callable[[_Edge], str], head: Callable[[_Edge], str]) -> list[_Edge]:
    """Without edges to whose tail none leads; nor those that only such edges led to, and so on."""
    leading = Counter(head(edge) for edge in edges)
    by_tail: dict[str, list[_Edge]] = {}
    for edge in edges:
        by_tail.setdefault(tail(edge), []).append(edge)
    pending = [flow for flow in by_tail if not leading[flow]]
    while pending:
        for edge in by_tail.pop(pending.pop()):
            leading[head(edge)] -= 1
            if not leading[head(edge)] and head(edge) in by_tail:
                pending.append(head(edge))
    return [edge for edge in edges if tail(edge) in by_tail]


def _way(start: str, end: str, follows: Mapping[str, list[_Edge]]) -> list[_Edge] | None:
    """The shortest way from one flow to another; empty where they are one."""
    came: dict[str, _Edge | None] = {start: None}
    pending = deque([start])
    while pending:
        here = pending.popleft()
        if here == end:
            way: list[_Edge] = []
            while (edge := came[here]) is not None:
                way.append(edge)
                here = edge.start
            return way[::-1]
        for edge in follows.get(here, ()):
            if edge.end not in came:
                came[edge.end] = edge
                pending.append(edge.end)
    return None


def _problem(flows: list[str]) -> Problem:
    """Of a cycle, by its flows from the trigger's own on."""
    named = flows if len(flows) <= MAX_NAMED else [*flows[: MAX_NAMED - 1], "…"]
    said = f"the flows start each other without end: {' → '.join((*named, flows[0]))}"
    return Problem(("trigger", "flow"), said, "a filter says when it is enough; `loop_refused` stops it by force", warning=True)
