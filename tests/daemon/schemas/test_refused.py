"""What a schema refuses the loader refuses too, and what loads without a word is valid: of broken and of random definitions."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.daemon.schemas.schemas import refusal, wrong
from tests.daemon.schemas.whole import HOOK, WHOLE

BROKEN = [
    ("trigger", {}),
    ("trigger", []),
    ("trigger", HOOK | {"flow": None}),
    ("trigger", HOOK | {"flow": ""}),
    ("trigger", HOOK | {"key": "Upper"}),
    ("trigger", HOOK | {"priority": 11}),
    ("trigger", HOOK | {"priority": "5"}),
    ("trigger", HOOK | {"enabled": "yes"}),
    ("trigger", HOOK | {"inputMaping": {}}),
    ("trigger", HOOK | {"path": "/a"}),
    ("trigger", HOOK | {"filter": 5}),
    ("trigger", HOOK | {"tests": [{"event": {}}]}),
    ("trigger", HOOK | {"idempotency": {"ttl": "1h"}}),
    ("trigger", HOOK | {"idempotency": {"key": "$.a", "ttl": 3600}}),
    ("trigger", HOOK | {"trigger": {"type": "webhok", "path": "/a"}}),
    ("trigger", HOOK | {"trigger": {"path": "/a"}}),
    ("trigger", HOOK | {"trigger": {"type": "webhook"}}),
    ("trigger", HOOK | {"trigger": {"type": "webhook", "path": "/a", "methods": ["BREW"]}}),
    ("trigger", HOOK | {"trigger": {"type": "webhook", "path": "/a", "auth": {"type": "bearer"}}}),
    ("trigger", HOOK | {"trigger": {"type": "webhook", "path": "/a", "auth": {"type": "bearer", "secret": "s3cret"}}}),
    (
        "trigger",
        HOOK | {"trigger": {"type": "webhook", "path": "/a", "auth": {"type": "bearer", "secret": {"env": "A", "name": "B"}}}},
    ),
    ("trigger", HOOK | {"trigger": {"type": "schedule"}}),
    ("trigger", HOOK | {"trigger": {"type": "schedule", "cron": "0 9 * * *", "overlap": "never"}}),
    ("trigger", HOOK | {"trigger": {"type": "schedule", "cron": "0 9 * * *", "jitter": "soon"}}),
    ("trigger", HOOK | {"trigger": {"type": "file-watch", "include": "*"}}),
    ("trigger", HOOK | {"trigger": {"type": "flow", "flow": "a", "on": "started"}}),
    ("trigger", HOOK | {"trigger": {"type": "event", "name": "not a name"}}),
    ("flow", {}),
    ("flow", {"steps": [], "nodes": []}),
    ("flow", {"steps": {}}),
    ("flow", {"steps": [], "key": "no spaces"}),
    ("flow", {"steps": [], "maxConcurency": 2}),
    ("flow", {"steps": [], "inputs": {"a": {"type": "text"}}}),
    ("flow", {"steps": [], "inputs": {"a": "string"}}),
    ("flow", {"steps": [{"id": "a"}]}),
    ("flow", {"steps": [{"id": "a", "type": "bash"}]}),
    ("flow", {"steps": [{"id": "a", "type": "bsh", "bash": {"command": "x"}}]}),
    ("flow", {"steps": [{"id": "a.b", "type": "bash", "bash": {"command": "x"}}]}),
    ("flow", {"steps": [{"id": "a", "type": "bash", "bash": {"comand": "x"}}]}),
    ("flow", {"steps": [{"id": "a", "type": "bash", "bash": "x"}]}),
    ("flow", {"steps": [{"id": "a", "type": "wait_for_event_of_later", "bash": {}}]}),
    ("flow", {"steps": [{"id": "a", "type": "transform", "transform": {"expression": "1"}, "onError": {"strategy": "ignore"}}]}),
    ("flow", {"steps": [{"id": "a", "type": "parallel", "parallel": {"steps": [{"id": "b", "type": "loop", "loop": {}}]}}]}),
    ("flow", {"nodes": [{"id": "a", "type": "condition", "config": {"trueBranch": "b"}}]}),
    ("flow", {"nodes": [{"id": "a", "type": "transform", "config": {"limit": 0}}]}),
    ("flow", {"nodes": [], "edges": [{"source": "a"}]}),
    ("flow", {"nodes": [{"id": "a", "type": "loop", "config": {"targetNode": "a", "maxIterations": 0}}]}),
    ("flow", {"nodes": [], "settings": {"errorHandling": "panic"}}),
    ("flow", {"nodes": [], "settings": {"retryPolicy": {"maxAttempts": 0}}}),
]


@pytest.mark.parametrize(("noun", "definition"), BROKEN, ids=lambda each: json.dumps(each)[:90])
def test_what_the_schema_refuses_the_loader_refuses_too(noun, definition, folder):
    assert wrong(noun, definition)
    assert refusal(noun, definition, folder)


SCRAPS = st.sampled_from(
    [None, True, 0, -1, 1, 1.5, "", "a", "5m", [], [1], ["a"], {}, {"a": 1}, {"type": "flow"}, "x" * 300]
).map(copy.deepcopy)


def places(value, path=()):
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield from places(each, (*path, name))


@st.composite
def edits(draw):
    """A definition with one to three small changes, as a hand makes them."""
    noun, whole = draw(st.sampled_from(WHOLE))
    edited = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        there = [place for place in places(edited) if place]
        if not there:
            break
        *path, last = draw(st.sampled_from(there))
        here = edited
        for part in path:
            here = here[part]
        change = draw(st.sampled_from(["replace", "remove", "rename", "add"]))
        if change == "replace":
            here[last] = draw(SCRAPS)
        elif change == "remove":
            del here[last]
        elif isinstance(here, dict):
            value = here.pop(last) if change == "rename" else draw(SCRAPS)
            here[draw(st.sampled_from([f"{last}s", str(last)[1:], "type", "config", "zzz"]))] = value
    return noun, edited


@given(edits())
@example(("trigger", HOOK))
def test_whatever_loads_without_a_word_is_valid(folder, edited):
    noun, definition = edited

    said = wrong(noun, definition)

    assert said is None or refusal(noun, definition, folder), said
