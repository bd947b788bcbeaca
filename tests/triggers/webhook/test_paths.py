"""Paths with parameters and tails: what is found by them, which goes first, and what is refused at load."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.home.crosscheck import check_triggers
from flows.dialects import load_flow
from flows.steps import make_kinds
from triggers.sources.webhook import WebhookSource
from triggers.sources.webhook_path import Parameter, decoded_parts, hook_path, parts_of, path_text
from triggers.sources.webhook_routes import Routes, bare_hook
from triggers.trigger import Trigger

STEPS = [{"id": "a", "type": "transform", "transform": {"expression": "1"}}]


def routes(*paths):
    return Routes([bare_hook(hook_path(path)) for path in paths])


def found(table, path):
    """The hook's path and the parameters; None where nothing is found."""
    hook = table.literal.get(f"/hooks{path}")
    if hook is not None:
        return hook.path, {}
    one = table.find(f"/hooks{path}")
    return None if one is None else (one.hook.path, one.params)


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("/orders/:id", "/orders/:id"),
        ("orders/{id}/", "/orders/:id"),
        ("/{a}/:b/*rest", "/:a/:b/*rest"),
        ("/*all", "/*all"),
        ("/v1/users:batch", "/v1/users:batch"),
        ("/%3Aid", "/%3Aid"),
        ("/%7Bid%7D", "/%7Bid}"),
        ("/%2A", "/%2A"),
        ("/%25", "/%25"),
        ("/100%25", "/100%"),
        ("/a%2Ab", "/a*b"),
    ],
)
def test_a_path_has_one_written_form(written, path):
    assert hook_path(written) == path
    assert path_text(parts_of(path)) == path


@given(st.from_regex(r"/[-A-Za-z0-9._~/]{0,12}", fullmatch=True).filter(lambda text: not f"{text}/".startswith("/hooks/")))
def test_a_path_of_plain_characters_is_read_like_any_other(text):
    parts = decoded_parts(text)

    if parts is None:
        with pytest.raises(ValueError, match="path is not a path"):
            hook_path(text)
    else:
        assert path_text(parts) == hook_path(text)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/a/:", "no name"),
        ("/a/{}", "no name"),
        ("/a/:1st", "no name"),
        ("/a/:x-y", "no name"),
        ("/a/*", "no name"),
        ("/a/x{id}", "pattern only in part"),
        ("/a/{id}.json", "pattern only in part"),
        ("/a/b*", "pattern only in part"),
        ("/a/*rest/b", "goes on behind"),
        ("/:id/:id", "two parameters"),
        ("/:id/*id", "two parameters"),
        ("/a\\b", "backslash"),
        ("/hooks/:id", "/hooks is put before the path by itself: write /:id"),
        ("/a/%2F", "not a path"),
    ],
)
def test_a_path_that_means_nothing_is_refused(path, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        hook_path(path)


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/orders/42", ("/orders/:id", {"id": "42"})),
        ("/orders/42/", ("/orders/:id", {"id": "42"})),
        ("/orders/new", ("/orders/new", {})),
        ("/orders/n%65w", ("/orders/new", {})),
        ("/orders/a%2Fb", ("/orders/:id", {"id": "a/b"})),
        ("/orders/caf%C3%A9%20%F0%9F%98%80", ("/orders/:id", {"id": "café 😀"})),
        ("/orders/%3Aid", ("/orders/:id", {"id": ":id"})),
        ("/orders/42/items", ("/orders/:id/items", {"id": "42"})),
        ("/orders/new/items", ("/orders/:id/items", {"id": "new"})),
        ("/orders/42/x", ("/:kind/:id/x", {"kind": "orders", "id": "42"})),
        ("/files/a", ("/files/*rest", {"rest": "a"})),
        ("/files/a/b%20c/d", ("/files/*rest", {"rest": "a/b c/d"})),
        ("/files", None),
        ("/orders", None),
        ("/orders/", None),
        ("/orders/1/2/3", None),
        ("/orders//", None),
        ("/orders/.", None),
        ("/orders/%2e%2E", None),
        ("/orders/%00", None),
        ("/orders/%0A", None),
        ("/orders/%ff", None),
        ("/orders/%2", None),
        ("/files/a/../b", None),
        ("/files/a//b", None),
    ],
)
def test_a_request_is_found_by_the_most_specific_path(path, where):
    table = routes("/orders/:id", "/orders/new", "/orders/:id/items", "/:kind/:id/x", "/files/*rest")

    assert found(table, path) == where


def test_a_literal_that_leads_nowhere_does_not_hide_a_parameter():
    table = routes("/a/b/c", "/:x/b/d", "/*rest")

    assert found(table, "/a/b/d") == ("/:x/b/d", {"x": "a"})
    assert found(table, "/a/b/e") == ("/*rest", {"rest": "a/b/e"})


def specificity(path):
    return [2 if isinstance(part, Parameter) and part.rest else int(isinstance(part, Parameter)) for part in parts_of(path)]


def fits(path, parts):
    own = parts_of(path)
    for at, part in enumerate(own):
        if isinstance(part, Parameter) and part.rest:
            return len(parts) > at
        if at >= len(parts) or (isinstance(part, str) and part != parts[at]):
            return False
    return len(own) == len(parts)


shapes = st.lists(st.sampled_from(["a", "b", ":"]), min_size=1, max_size=4).flatmap(
    lambda parts: st.sampled_from([parts, [*parts, "*"]])
)


@settings(max_examples=200, deadline=None)
@given(st.lists(shapes, min_size=1, max_size=12), st.lists(st.sampled_from("abc"), min_size=1, max_size=5))
def test_the_tree_finds_what_looking_at_every_path_finds(written, parts):
    paths = {"/" + "/".join(f"{part}p{at}" if part in ":*" else part for at, part in enumerate(shape)) for shape in written}
    fitting = sorted((path for path in paths if fits(path, parts)), key=specificity)

    where = found(routes(*paths), "/" + "/".join(parts))

    assert (where and where[0]) == (fitting[0] if fitting else None)


def test_ten_thousand_paths_are_not_looked_at_one_by_one(monkeypatch):
    table = routes(*(f"/shop{number}/orders/:id" for number in range(10_000)))
    looked = []
    monkeypatch.setattr("triggers.sources.webhook_routes.parts_of", looked.append)
    nodes = itertools.count()

    class Counting(dict):
        def get(self, *arguments):
            next(nodes)
            return super().get(*arguments)

    def count(node):
        node.literals = Counting(node.literals)
        for inner in [*node.literals.values(), *([node.parameter] if node.parameter else [])]:
            count(inner)

    count(table._root)

    assert found(table, "/shop9999/orders/7") == ("/shop9999/orders/:id", {"id": "7"})
    assert (next(nodes), looked) == (3, [])


@settings(max_examples=200)
@given(
    st.text(max_size=30) | st.lists(st.sampled_from(["/", "%2F", "%", "a", "..", "%2e", ":id", "*r", "é", "\udcff"])).map("".join)
)
def test_no_path_of_a_request_makes_the_reader_raise(path):
    table = routes("/orders/:id", "/files/*rest")

    where = found(table, path)

    assert where is None or where[0] in ("/orders/:id", "/files/*rest")
    assert decoded_parts(path) is None or not {"", ".", ".."} & set(decoded_parts(path))


def trigger(key, path):
    return Trigger(key, "webhook", WebhookSource.prepare({"path": path}, key=key), "f", definition={})


@pytest.mark.parametrize(
    ("paths", "refused"),
    [
        ({"a": "/x/:id", "b": "/x/:number"}, ["b"]),
        ({"b": "/x/:id", "a": "/x/{number}"}, ["b"]),
        ({"a": "/x/:id", "b": "/x/{id}"}, []),
        ({"a": "/x/:id", "b": "/x/*id"}, []),
        ({"a": "/x/:id", "b": "/:id/y", "c": "/x/y"}, []),
        ({"a": "/x/*one", "b": "/x/*other", "c": "/x/*one"}, ["b"]),
        ({"a": "/x/%3Aid", "b": "/x/:id"}, []),
    ],
)
def test_two_paths_that_differ_in_the_names_of_parameters_alone_are_refused_with_both_names(paths, refused, tmp_path):
    triggers = {key: trigger(key, path) for key, path in paths.items()}
    flow = load_flow({"key": "f", "steps": STEPS}, key=None, folder=tmp_path, kinds=make_kinds())

    kept, problems = check_triggers(triggers, {"f": flow})

    assert [key for key, _ in problems] == refused
    assert set(kept) == set(paths) - set(refused)
    for key, problem in problems:
        assert problem.path == ("trigger", "path")
        assert triggers[key].spec.path in problem.problem
        assert "«a»" in problem.problem


async def test_a_parameter_is_part_of_the_event_and_the_path_is_as_it_came(listening):
    world = await listening({"path": "/orders/:id"})

    status, _, _ = await world.send(b"{}", path="/orders/a%2Fb%20c?x=1")

    event = world.intake.events[0]
    assert (status, event.address) == (202, "/orders/:id")
    assert event.document["params"] == {"id": "a/b c"}
    assert (event.document["path"], event.document["source"]) == ("/orders/a/b c", "/hooks/orders/:id")
    assert event.document["query"] == {"x": "1"}


async def test_one_request_is_one_event_at_the_most_specific_address(listening):
    world = await listening({"key": "any", "path": "/orders/:id"}, {"key": "one", "path": "/orders/new"})

    await world.send(b"{}", path="/orders/new")
    await world.send(b"{}", path="/orders/old")

    assert [event.address for event in world.intake.events] == ["/orders/new", "/orders/:id"]


async def test_a_method_that_the_specific_path_does_not_take_does_not_fall_through_to_the_pattern(listening):
    world = await listening({"key": "any", "path": "/orders/:id"}, {"key": "one", "path": "/orders/new", "methods": ["PUT"]})

    status, _, response = await world.send(b"{}", path="/orders/new")

    assert (status, response.headers["Allow"]) == (405, "OPTIONS, PUT")
