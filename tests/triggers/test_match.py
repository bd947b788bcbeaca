"""Matching: who fires, with which inputs, and for everyone else one verdict that says why not."""

import json
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.expression import compile_expression
from triggers.event import Event
from triggers.literals import grouped
from triggers.load import load_trigger
from triggers.match import OWN_ROWS, TriggerSet, match


def trigger(key, filter_=None, path="/a", **more):
    section = {"type": "webhook", "path": path, **({} if filter_ is None else {"filter": filter_})}
    return load_trigger({"key": key, "trigger": section, "flow": "f", **more}, key=key, file=None)


def event(body=None, *, address="/a", source="webhook", headers=None, **more):
    document = {"id": "evt_1", "trigger": {"type": source, "firedAt": "t"}, "body": body, "headers": headers or {}}
    return Event("evt_1", source, address, 0.0, document, **more)


def matched(triggers, happened):
    return match(TriggerSet(triggers), happened)


def verdicts(triggers, happened):
    return {found.verdict.trigger: found.verdict.verdict for found in matched(triggers, happened)}


def only(triggers, happened):
    (found,) = matched(triggers, happened)
    return found


def test_an_event_that_nobody_listens_for_matches_nothing():
    assert matched([trigger("a")], event(address="/b")) == []
    assert matched([trigger("a")], event(source="schedule")) == []
    assert matched([], event()) == []


def test_a_trigger_without_filter_or_mapping_fires_with_the_fields_of_the_body():
    found = only([trigger("a")], event({"x": 1, "y": None}))

    assert (found.verdict.verdict, found.verdict.reason, found.inputs, found.idempotency_key) == (
        "dispatched",
        None,
        {"x": 1, "y": None},
        None,
    )
    assert [only([trigger("a")], event(body)).inputs for body in ([1], "x", None)] == [{}, {}, {}]


def test_a_filter_that_is_false_says_which_part_decided_and_what_it_saw():
    found = only([trigger("a", "$.body.source === 'email'")], event({"source": "web"}))

    assert found.inputs is None
    assert found.verdict.verdict == "filter_false"
    assert found.verdict.reason == "`$.body.source === 'email'` was false because `$.body.source` was `\"web\"`"
    assert found.verdict.detail == {
        "expression": "$.body.source === 'email'",
        "deciding": "$.body.source === 'email'",
        "values": {"$.body.source": "web"},
    }


def test_a_missing_path_makes_a_filter_false_and_is_named():
    found = only([trigger("a", "$.body.deal.source === 'email'")], event({}))

    assert found.verdict.verdict == "filter_false"
    assert found.verdict.reason == "`$.body.deal.source === 'email'` was false because `$.body.deal` is missing"
    assert found.verdict.detail["missing"] == "$.body.deal"


def test_a_filter_that_fails_is_a_third_outcome():
    found = only([trigger("a", "$.body.x.map(1) === 2")], event({"x": 5}))

    assert found.verdict.verdict == "filter_error"
    assert "could not be evaluated" in found.verdict.reason
    assert found.verdict.detail["code"].startswith("EXPRESSION_")


def test_an_input_that_matches_nothing_is_a_mapping_error_that_names_its_place():
    found = only([trigger("a", inputMapping={"x": "$.body.nope"})], event({}))

    assert (found.verdict.verdict, found.inputs) == ("mapping_error", None)
    assert found.verdict.reason.startswith("inputMapping.x: `$.body.nope` matched nothing")


def test_the_order_is_disabled_then_auth_then_withheld_then_filter_then_mapping():
    broken = {"inputMapping": {"x": "$.body.nope"}}
    happened = {
        "failed_auth": {"off": "no", "auth": "the header is missing"},
        "withheld": {"off": ("missed", "m"), "auth": ("missed", "m"), "held": ("overlap_skipped", "it still runs")},
    }
    triggers = [trigger(key, "false", enabled=key != "off", **broken) for key in ("off", "auth", "held", "false")] + [
        trigger("map", **broken)
    ]

    found = {
        each.verdict.trigger: (each.verdict.verdict, each.verdict.reason) for each in matched(triggers, event({}, **happened))
    }

    assert found["off"] == ("disabled", "it is switched off in its definition")
    assert found["auth"] == ("auth_failed", "the header is missing")
    assert found["held"] == ("overlap_skipped", "it still runs")
    assert found["false"][0] == "filter_false"
    assert found["map"][0] == "mapping_error"


def test_secrets_are_not_shown_in_a_verdict():
    found = matched(
        [
            trigger("path", "$.body.password === 'x'"),
            trigger("inside", "$.body.user === 'x'"),
            trigger("key", "$.headers['x-api-key'] === 'x'"),
        ],
        event({"password": "hunter2", "user": {"name": "n", "token": "hunter2"}}, headers={"x-api-key": "hunter2"}),
    )

    assert "hunter2" not in json.dumps([(each.verdict.reason, each.verdict.detail) for each in found])
    assert "[redacted]" in found[0].verdict.reason


def test_a_huge_value_is_cut_short_in_a_verdict():
    found = only([trigger("a", "$.body.x === 'y'")], event({"x": "z" * 100_000}))

    assert len(found.verdict.reason) < 1000
    assert len(json.dumps(found.verdict.detail)) < 5000


def test_what_is_remembered_of_a_filter_is_told_only_for_the_same_values():
    triggers = TriggerSet([trigger("a", "$.body.x === 'y' && $.body.z")])
    bodies = [{"x": value} for value in (1, True, 1.5, "1", None, "w", 1, True, False, 0, [1], {"a": 1})] + [
        {},
        {"x": "y", "z": 0},
        {"x": "y"},
    ]

    expression = compile_expression("$.body.x === 'y' && $.body.z")
    for body in bodies * 2:
        (found,) = match(triggers, event(body))
        assert found.verdict.reason == expression.explain({"$": event(body).document}).sentence


def test_each_trigger_sees_its_own_key():
    mapping = {"k": "$.trigger.key", "t": "$.trigger.type"}
    triggers = [
        trigger("a", inputMapping=mapping),
        trigger("b", "$.trigger.key === 'b'", inputMapping={"x": "{{$.trigger.key}}"}),
        trigger("c", "$.trigger.key === 'b'"),
        trigger("d", inputMapping={"all": "$"}),
        trigger("e", idempotency={"key": "$.trigger.key"}),
    ]
    happened = event({})

    found = {each.verdict.trigger: each for each in matched(triggers, happened)}

    assert found["a"].inputs == {"k": "a", "t": "webhook"}
    assert found["b"].inputs == {"x": "b"}
    assert found["c"].verdict.verdict == "filter_false"
    assert found["d"].inputs["all"]["trigger"]["key"] == "d"
    assert found["e"].idempotency_key == "e"
    assert "key" not in happened.document["trigger"]


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"id": "x"}, "x"),
        ({"id": 7}, "7"),
        ({"id": False}, "false"),
        ({"id": {"b": 1, "a": 2}}, '{"a":2,"b":1}'),
        ({"id": None}, None),
        ({"id": ""}, None),
        ({}, None),
    ],
)
def test_an_idempotency_key_is_text_and_absent_where_it_says_nothing(body, key):
    assert only([trigger("a", idempotency={"key": "$.body.id"})], event(body)).idempotency_key == key


def test_a_manual_event_is_for_the_trigger_that_it_names():
    triggers = TriggerSet([trigger("a"), trigger("b")])

    assert [found.verdict.trigger for found in match(triggers, event({}, source="manual", address="b"))] == ["b"]


def test_a_set_tells_who_listens_where():
    triggers = TriggerSet([trigger("b", path="/b"), trigger("a"), trigger("c")])

    assert triggers.addresses("webhook") == ["/a", "/b"]
    assert [each.key for each in triggers.candidates("webhook", "/a")] == ["a", "c"]
    assert triggers.candidates("webhook", "/c") == ()
    assert triggers.by_key["b"].spec.path == "/b"
    assert len(triggers) == 3


# ---- many triggers at one address


LITERALS = ["'x'", "'1'", "1", "1.0", "true", "false", "null", "0", "-0", "'true'", "''", "9007199254740993", "1e400", "-1"]
VALUES = [
    "x",
    "1",
    1,
    1.0,
    True,
    False,
    None,
    0,
    -0.0,
    "true",
    "",
    2**53,
    2**53 + 1,
    2**70,
    10**400,
    -(10**400),
    float("nan"),
    float("inf"),
    -1,
    [],
    {},
    [1],
    "y",
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_the_index_answers_as_the_filter_does(value):
    triggers = [trigger(f"t{n}", f"$.body.kind === {literal}") for n, literal in enumerate(LITERALS)]
    happened = event({"kind": value})

    expected = {each.key: "dispatched" if each.filter.test({"$": happened.document}) else "filter_false" for each in triggers}
    assert verdicts(triggers, happened) == expected


@pytest.mark.parametrize("body", [{}, None, "text", [1, 2, 3], {"kind": {"length": 3}}])
@pytest.mark.parametrize("path", ["$.body.length", "$.body.kind.length", "$.body[0]", "$.body?.kind", "$.body['kind']"])
def test_the_index_reads_a_path_as_the_filter_does(body, path):
    triggers = [trigger(f"t{n}", f"{path} === {literal}") for n, literal in enumerate(["3", "4", "'t'", "1", "2", "null"])]
    happened = event(body)

    expected = {each.key: "dispatched" if each.filter.test({"$": happened.document}) else "filter_false" for each in triggers}
    assert verdicts(triggers, happened) == expected


def test_the_rest_of_a_filter_still_counts_for_who_the_index_finds():
    triggers = [trigger(f"t{n}", f"$.body.kind === 'k{n % 5}' && $.body.n > {n}") for n in range(10)]

    assert [key for key, verdict in verdicts(triggers, event({"kind": "k1", "n": 3})).items() if verdict == "dispatched"] == [
        "t1"
    ]


def test_few_that_are_ruled_out_each_hear_why_in_the_same_words_as_without_the_index():
    triggers = [trigger(f"t{n}", f"$.body.kind === 'k{n}'") for n in range(OWN_ROWS)]
    happened = event({"kind": "k0"})

    found = {each.verdict.trigger: each.verdict for each in matched(triggers, happened)}

    assert len(found) == OWN_ROWS
    for each in triggers[1:]:
        assert found[each.key].reason == each.filter.explain({"$": happened.document}).sentence


@pytest.mark.slow
def test_many_that_are_ruled_out_share_one_verdict():
    triggers = TriggerSet([trigger(f"t{n}", f"$.body.kind === 'k{n}'") for n in range(10_000)])

    found = match(triggers, event({"kind": "k77"}))
    by_name = {each.verdict.trigger: each for each in found}

    assert set(by_name) == {"t77", "*"}
    assert by_name["t77"].inputs == {"kind": "k77"}
    group = by_name["*"]
    assert (group.trigger, group.verdict.verdict) == (None, "filter_false")
    assert (
        group.verdict.reason
        == '9,999 triggers on this path were ruled out: each wants another value of `$.body.kind`, which was `"k77"`'
    )
    assert group.verdict.detail == {"path": "$.body.kind", "value": "k77", "count": 9999}


def test_many_that_miss_their_path_or_a_secret_are_told_so_without_it():
    missing = [trigger(f"t{n}", f"$.body.kind === 'k{n}'") for n in range(40)]
    secret = [trigger(f"t{n}", f"$.headers['x-api-key'] === 'k{n}'") for n in range(40)]

    assert only(missing, event({})).verdict.reason.endswith("`$.body.kind`, which is missing")
    assert "hunter2" not in str(only(secret, event({}, headers={"x-api-key": "hunter2"})).verdict)


def test_many_that_are_barred_alike_share_one_verdict():
    triggers = [trigger(f"t{n}") for n in range(100)] + [trigger(f"off{n}", enabled=False) for n in range(100)]

    found = matched(triggers, event({}, failed_auth={f"t{n}": "the token is not the one that is expected" for n in range(99)}))

    assert {(each.verdict.trigger, each.verdict.verdict) for each in found} == {
        ("*", "auth_failed"),
        ("*", "disabled"),
        ("t99", "dispatched"),
    }


def test_a_barred_trigger_is_not_told_that_its_literal_ruled_it_out():
    triggers = [trigger(f"t{n}", f"$.body.kind === 'k{n}'", enabled=n != 1) for n in range(50)]

    found = verdicts(triggers, event({"kind": "k2"}, failed_auth={"t3": "no"}))

    assert (found["t1"], found["t2"], found["t3"]) == ("disabled", "dispatched", "auth_failed")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["$.body.a", "$.body.b", "$.body['a']"]), st.sampled_from(LITERALS), st.booleans()), max_size=12
    ),
    st.sampled_from(VALUES),
    st.sampled_from(VALUES),
)
def test_with_and_without_the_index_the_same_triggers_fire(filters, first, second):
    triggers = [
        trigger(f"t{n}", f"{path} === {literal}" + (" && $.body.b !== 'x'" if more else ""))
        for n, (path, literal, more) in enumerate(filters)
    ]
    happened = event({"a": first, "b": second})

    fired = {key for key, verdict in verdicts(triggers, happened).items() if verdict == "dispatched"}

    assert fired == {each.key for each in triggers if each.filter.test({"$": happened.document})}


def test_a_filter_with_several_equalities_goes_by_the_path_that_most_share():
    filters = [f"$.body.x{n} === 1 && $.body.kind === {n}" for n in range(10)]

    groups, alone = grouped(filters, lambda source: compile_expression(source).equality)

    assert ([group.text for group in groups], alone) == (["$.body.kind"], [])


def test_of_ten_thousand_triggers_on_one_path_only_the_one_that_fits_is_looked_at():
    triggers = TriggerSet(trigger(f"t{n}", f"$.body.kind === 'k{n}'") for n in range(10_000))
    looked_at = []
    for ready in triggers.listeners("webhook", "/a").every:
        ready.filter = SimpleNamespace(
            test=lambda names, ready=ready: looked_at.append(ready.key) or ready.trigger.filter.test(names)
        )

    found = match(triggers, event({"kind": "k7"}))

    assert looked_at == ["t7"]
    assert [(one.verdict.trigger, one.verdict.verdict) for one in found] == [("t7", "dispatched"), ("*", "filter_false")]
