"""Advice for hooks: the sample line is one that the hook takes."""

from __future__ import annotations

import shlex

import pytest

from daemon.advice import Advice, sample_path
from triggers.load import load_trigger
from triggers.sources.webhook_hook import Hook
from triggers.sources.webhook_path import hook_path
from triggers.sources.webhook_routes import Routes


def advice(**section):
    definition = {
        "key": "a",
        "trigger": {"type": "webhook", **section},
        "flow": "f",
        "inputMapping": {"q": "$.query.name", "b": "$.body.x"},
    }
    return Advice(lambda: "http://h:1").of(load_trigger(definition, key=None, file=None))


@pytest.mark.parametrize(
    ("path", "sample"),
    [
        ("/orders/:id", "/orders/42"),
        ("/:shop/orders/{orderNumber}", "/a-shop/orders/42"),
        ("/files/*rest", "/files/a/b.txt"),
        ("/plain", "/plain"),
        ("/%3Aid", "/:id"),
        ("/a b/é/100%25", "/a%20b/%C3%A9/100%25"),
    ],
)
def test_a_sample_path_is_found_as_the_hook_that_it_is_a_sample_of(path, sample):
    hook = Hook.of(hook_path(path), [], lambda _: b"")
    table = Routes([hook])

    assert sample_path(hook.path) == sample
    assert (table.literal.get(f"/hooks{sample}") or table.find(f"/hooks{sample}").hook) is hook


def test_the_url_shows_the_pattern_and_the_line_a_path_that_fits_it():
    told = advice(path="/orders/{id}")

    assert told["url"] == "http://h:1/hooks/orders/:id"
    assert "http://h:1/hooks/orders/42" in shlex.split(told["curl"])


def test_a_hook_for_get_is_shown_with_its_query_and_without_a_body():
    told = advice(path="/a", methods=["GET"], auth={"type": "bearer", "secret": {"env": "T"}})

    assert told["curl"] == "curl -sS 'http://h:1/hooks/a?name=a+name' -H \"authorization: Bearer $T\""
