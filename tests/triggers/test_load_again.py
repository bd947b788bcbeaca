"""A trigger's file that is read again: what stays as it was is taken over, and nobody can tell."""

import json

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from flows.errors import DefinitionError
from triggers.load import load_trigger
from triggers.mapping import MappingError
from triggers.sources.webhook_hook import Hook

BODY = {"a": 1, "b": "two"}
DOCUMENT = {"id": "evt_1", "body": BODY, "headers": {"x-id": "7"}, "trigger": {"type": "webhook"}}
HOOK = {"type": "webhook", "path": "/a"}
SECTIONS = [
    HOOK,
    {"path": "/a", "type": "webhook"},
    {**HOOK, "path": "/b"},
    {**HOOK, "auth": {"type": "bearer", "secret": {"env": "TOKEN"}}},
    {**HOOK, "auth": {"type": "bearer", "secret": {"env": "OTHER"}}},
    {**HOOK, "methods": ["PUT"]},
    {**HOOK, "filter": "$.body.a === 1"},
    {**HOOK, "if": "$.body.a === 1"},
    {**HOOK, "when": "$.headers['X-Id'] === '7'"},
    {**HOOK, "filter": "$.body.a ==="},
    {**HOOK, "filter": True},
    {**HOOK, "colour": "red"},
    {"type": "schedule", "cron": "0 9 * * *"},
    {"type": "cron", "cron": "0 9 * * *", "tz": "UTC"},
    {"type": "schedule", "cron": "0 9 * * *", "timezone": "Europe/Berlin"},
    {"type": "file-watch", "paths": ["/tmp/in"]},
    {"type": "nothing"},
    None,
]
MAPPINGS = [
    None,
    {"x": 1},
    {"x": True},
    {"x": 1.0},
    {"x": "$.body.a", "y": "$.body.b"},
    {"y": "$.body.a", "x": "$.body.b"},
    {"x": "$.body.a", "y": {"path": "$.body.c", "default": []}},
    {"x": "a {{ $.body.b }}"},
    {"x": "$.body.gone"},
    {"x": "$["},
    {"x": "\ud800"},
]
DEFINITIONS = st.fixed_dictionaries(
    {"trigger": st.sampled_from(SECTIONS), "flow": st.sampled_from(["f", "g", 5])},
    optional={
        "key": st.sampled_from(["a", "b", "A"]),
        "id": st.sampled_from(["a", "b"]),
        "filter": st.sampled_from(["$.body.a === 1", "$.body.a === 2", "$.body.b"]),
        "inputMapping": st.sampled_from(MAPPINGS),
        "inputs": st.sampled_from(MAPPINGS),
        "idempotency": st.sampled_from([{"key": "$.body.a"}, {"key": "$.body.a", "ttl": "1h"}, {"key": "a["}, None]),
        "enabled": st.sampled_from([True, False, 1, 0]),
        "priority": st.sampled_from([1, 5, True, 5.0]),
        "timeouts": st.sampled_from([{"start": "5m"}, {"finish": "1h"}, {"start": "soon"}]),
        "description": st.sampled_from(["what for", None]),
        "tests": st.sampled_from([[], [{"name": "one", "event": {"body": BODY}, "expect": {"fires": True}}]]),
        "x": st.just(1),
    },
)


def outcome(definition, before=None):
    """All that can be told of a trigger; or a tuple that begins with None, and why it is refused."""
    try:
        made = load_trigger(definition, key="stem", file=None, before=before)
    except DefinitionError as error:
        return None, error.problems
    asked = made.filter and (made.filter.source, made.filter.test({"$": DOCUMENT}))
    once = made.idempotency and (made.idempotency.key.text, made.idempotency.ttl_s)
    rest = json.dumps([made.enabled, made.description, made.priority])  # not ==, which takes 1 for true
    return made.key, made.type, made.spec, made.flow, asked, inputs(made), once, rest, made.timeouts, made.tests, made.digest


def inputs(made):
    if made.mapping is None:
        return None
    try:
        return json.dumps([made.mapping.source, made.mapping.make(DOCUMENT)])
    except MappingError as error:
        return error.path, str(error)


@settings(max_examples=400, deadline=None)
@given(DEFINITIONS, DEFINITIONS)
@example({"trigger": HOOK, "flow": "f", "enabled": True}, {"trigger": HOOK, "flow": "f", "enabled": 1})
@example({"trigger": HOOK, "flow": "f", "inputMapping": {"x": 1}}, {"trigger": HOOK, "flow": "f", "inputs": {"x": True}})
def test_a_trigger_that_is_read_again_is_as_if_it_had_been_read_for_the_first_time(earlier, later):
    assume(outcome(earlier)[0] is not None)
    before = load_trigger(earlier, key="stem", file=None)

    assert outcome(later, before) == outcome(later)


@pytest.mark.parametrize(
    ("change", "stays"),
    [
        ({"filter": "$.body.a === 2"}, {"spec", "mapping", "idempotency"}),
        ({"inputMapping": {"x": 1}}, {"spec", "filter"}),
        ({"trigger": {**HOOK, "path": "/b"}}, {"filter", "mapping", "idempotency"}),
        ({"key": "b"}, {"filter", "mapping", "idempotency"}),
    ],
)
def test_what_is_written_as_it_was_is_not_made_again(change, stays):
    definition = {
        "key": "a",
        "trigger": HOOK,
        "flow": "f",
        "filter": "$.body.a === 1",
        "inputMapping": {"x": "$.body.a"},
        "idempotency": {"key": "$.body.a"},
    }
    before = load_trigger(definition, key=None, file=None)

    after = load_trigger({**definition, **change}, key=None, file=None, before=before)

    same = {name for name in ("spec", "filter", "mapping", "idempotency") if getattr(after, name) is getattr(before, name)}
    assert same == stays


def test_a_hook_stays_with_the_secrets_it_has_looked_up_where_only_filters_change():
    section = {**HOOK, "auth": {"type": "bearer", "secret": {"env": "TOKEN"}}}
    definition = {"key": "a", "trigger": section, "flow": "f", "filter": "$.body.a === 1"}
    before = load_trigger(definition, key=None, file=None)
    filtered = load_trigger({**definition, "filter": "$.body.a === 2"}, key=None, file=None, before=before)
    off = load_trigger({**definition, "enabled": False}, key=None, file=None, before=before)
    hook = Hook.of("/a", [before], lambda _name: b"secret")

    hooks = [Hook.of("/a", [after], lambda _name: b"secret", hook) for after in (filtered, off)]

    assert [other is hook for other in hooks] == [True, False]
