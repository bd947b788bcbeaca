"""The front of a graph under way: which steps are ready, by counting the edges that lead to them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flows.graph import Graph


class Front:
    """A step becomes ready when the last of its sources settles. With edges, and all of them dead, it is not to run."""

    __slots__ = ("_answers", "_by_failure", "_dead", "_failed_at", "_graph", "_waiting", "ready")

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._waiting = list(graph.degree)  # edges whose source has not settled
        self._dead: dict[int, int] = {}  # step → its edges that came out dead
        self._failed_at = len(graph.steps)  # the first in the list of those that failed for good
        self._by_failure: set[int] = set()  # steps with an edge that is dead because its source failed
        self._answers: dict[int, str | None] = {}  # of the settled steps that are live, where the graph merges
        self.ready = deque(graph.roots)

    def fail(self, position: int) -> None:
        """A step failed for good."""
        self._failed_at = min(self._failed_at, position)

    def is_stopped(self, position: int) -> bool:
        """Whether the failure keeps a step from starting.

        Of steps that run beside each other as many as may at one time make a row, and its steps all run: a step that failed
        before its neighbours' turn came (its expression was wrong, the loop was given to others) does not keep them back.
        """
        graph = self._graph
        if graph.on_failure != "stop":
            return False
        width = graph.max_concurrent or len(graph.steps)
        return graph.order != "beside" or position // width > self._failed_at // width

    def why_dead(self, position: int) -> str | None:
        """The code of a step no live edge leads to. None: it may run."""
        if self._dead.get(position, -1) != self._graph.degree[position]:
            return None
        return "SOURCE_FAILED" if position in self._by_failure else "NOT_TAKEN"

    def live_sources(self, position: int) -> Iterator[tuple[int, int]]:
        """(number of the edge, source) for each live edge to a step of a graph that merges."""
        edges = zip(self._graph.sources[position], self._graph.asked[position], strict=True)
        for number, (source, condition) in enumerate(edges):
            if source in self._answers and condition in {None, self._answers[source]}:
                yield number, source

    def settle(self, position: int, branch: str | None, *, live: bool = True, by_failure: bool = False) -> None:
        """Count a settled step off at its targets. `live`: they may run; by_failure: they may not, because it failed."""
        graph, waiting, ready = self._graph, self._waiting, self.ready
        if live and graph.merge:
            self._answers[position] = branch
        if live:
            for target in graph.targets[position]:
                waiting[target] -= 1
                if not waiting[target]:
                    ready.append(target)
        else:
            for target in graph.targets[position]:
                self._kill(target, by_failure=by_failure)
        for condition, target in graph.branches[position]:
            if live and condition == branch:
                waiting[target] -= 1
                if not waiting[target]:
                    ready.append(target)
            else:
                self._kill(target, by_failure=by_failure)
        for target in graph.fallbacks[position]:  # a call, not an edge, makes a fallback ready
            self._kill(target, by_failure=False)

    def _kill(self, target: int, *, by_failure: bool) -> None:
        self._dead[target] = self._dead.get(target, 0) + 1
        if by_failure:
            self._by_failure.add(target)
        self._waiting[target] -= 1
        if not self._waiting[target]:
            self.ready.append(target)
