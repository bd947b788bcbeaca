"""The graph: what check() finds, and what Graph works out."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.graph import Edge, Graph, Step, check, find_cycle


def steps(*names):
    return tuple(Step(name, "noop", place=("steps", number)) for number, name in enumerate(names))


def edges(*pairs):
    return tuple(Edge(source, target) for source, target in pairs)


def test_a_graph_without_mistakes_has_no_problems():
    assert check(steps("a", "b", "c"), edges(("a", "b"), ("a", "c"), ("b", "c"))) == []


def test_an_edge_to_nowhere_is_told_with_the_step_that_was_meant():
    wrong = Edge("fetch", "lod", place=("edges", 0))

    (problem,) = check(steps("fetch", "load"), (wrong,))

    assert str(problem) == "edges[0]: there is no step «lod» here (did you mean «load»?)"


def test_a_cycle_is_named_from_its_first_step_round_to_it():
    (problem,) = check(steps("start", "a", "b", "c"), edges(("start", "a"), ("c", "a"), ("b", "c"), ("a", "b")))

    assert "a → b → c → a" in problem.problem


def test_a_step_that_waits_for_itself_is_a_cycle():
    (problem,) = check(steps("a"), edges(("a", "a")))

    assert "a → a" in problem.problem


def test_a_cycle_is_found_behind_steps_that_only_wait_for_it():
    assert find_cycle(["z", "a", "b"], edges(("b", "z"), ("a", "b"), ("b", "a"))) == ["a", "b"]


def test_a_graph_counts_the_edges_that_lead_to_each_step():
    graph = Graph(steps("a", "b", "c"), (*edges(("a", "c"), ("b", "c")), Edge("a", "b", condition="true")), Path())

    assert graph.degree == (0, 1, 2)
    assert graph.targets == ((2,), (2,), ())
    assert graph.branches == ((("true", 1),), (), ())
    assert graph.sources == ((), (0,), (0, 1))


@given(pairs=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_a_cycle_is_found_exactly_where_no_order_exists(pairs):
    names = [str(number) for number in range(8)]
    drawn = edges(*((str(source), str(target)) for source, target in pairs))

    cycle = find_cycle(names, drawn)

    if cycle is None:
        assert orderable(names, drawn)
    else:
        following = {(edge.source, edge.target) for edge in drawn}
        assert all(pair in following for pair in zip(cycle, (*cycle[1:], cycle[0]), strict=True))


def orderable(names, drawn):
    left = set(names)
    while left:
        free = {name for name in left if not any(edge.target == name and edge.source in left for edge in drawn)}
        if not free:
            return False
        left -= free
    return True


def test_a_graph_with_an_end_that_is_not_there_cannot_be_made():
    with pytest.raises(KeyError):
        Graph(steps("a"), edges(("a", "b")), Path())
