"""What follows from a run's end: decided like any event, refused where a chain goes too far, warned of where it has no end."""

from __future__ import annotations

import pytest

from daemon.chains.follow import Follower
from daemon.chains.limits import ChainLimits
from daemon.home.chain_check import check_chains
from daemon.intake import Intake
from daemon.store.rows import Run
from flows.attempt import Attempt
from flows.dialects import load_flow
from flows.steps import make_kinds
from triggers.load import load_trigger
from triggers.match import TriggerSet
from triggers.sources.flow_spec import FlowSettings

KINDS = make_kinds()


class Rules:
    def __init__(self, triggers, flows):
        self.set = TriggerSet(triggers)
        self.flows = flows


class NoStore:
    token = "daemon-1"


def follows(flow, then, key=None, *, only_if=None, **more):
    section = {"type": "flow", "flow": flow, **({"filter": only_if} if only_if else {})}
    return load_trigger({"key": key or f"to-{then}", "trigger": section, "flow": then, **more}, key=None, file=None)


@pytest.fixture
def follower(tmp_path):
    def make(*triggers, started=None, **settings):
        flow = {
            "inputs": {"n": {"type": "number"}},
            "steps": [{"id": "a", "type": "transform", "transform": {"expression": "1"}}],
        }
        rules = Rules(triggers, {key: load_flow(flow, key=key, folder=tmp_path, kinds=KINDS) for key in ("a", "b", "c")})
        intake = Intake(NoStore(), lambda: rules, lambda jobs: None, lambda trigger: None)
        chains = FlowSettings(**settings)
        limits = ChainLimits(chains, started or {})
        return Follower(intake, lambda: rules.set, limits, max_value_bytes=chains.max_value_bytes)

    return make


def ended(flow="a", status="completed", **more):
    given = {"output": {"n": "7"}, "started_at": 1.0, "finished_at": 2.0, "chain": "evt_0", "event": "evt_0"}
    return Run("run_1", flow, "digest", status, {}, 1.0, **(given | more))


def test_nothing_follows_what_nobody_listens_to(follower):
    assert follower(follows("a", "b"))(ended("c")) == ()
    assert follower(follows("a", "b"))(ended("a", "failed")) == ()
    assert follower()(ended()) == ()


def test_what_follows_is_an_event_with_a_verdict_for_each_and_a_run_with_coerced_inputs(follower):
    (follow_up,) = follower(follows("a", "b"), follows(["a", "c"], "c", only_if="$.flow.outputs.n === 8"))(ended(depth=3))

    by_key = {candidate.verdict.trigger: candidate for candidate in follow_up.candidates}
    assert (by_key["to-b"].run.inputs, by_key["to-b"].run.chain, by_key["to-b"].run.depth) == ({"n": 7}, "evt_0", 4)
    assert by_key["to-b"].run.event == follow_up.event.id
    assert (by_key["to-c"].verdict.verdict, by_key["to-c"].run) == ("filter_false", None)


def test_inputs_that_do_not_fit_are_a_verdict_here_too(follower):
    (follow_up,) = follower(follows("a", "b"))(ended(output={"n": "seven"}))

    assert [candidate.verdict.verdict for candidate in follow_up.candidates] == ["input_invalid"]


@pytest.mark.parametrize(("depth", "verdict"), [(1, "dispatched"), (2, "loop_refused"), (900, "loop_refused")])
def test_a_chain_is_no_deeper_than_it_may_be(follower, depth, verdict):
    (follow_up,) = follower(follows("a", "a"), max_depth=2)(ended(depth=depth))

    (candidate,) = follow_up.candidates
    assert candidate.verdict.verdict == verdict
    assert (candidate.run is None) == (verdict == "loop_refused")
    if candidate.run is None:
        assert f"run {depth + 1} in a row of the chain evt_0" in candidate.verdict.reason
        assert candidate.verdict.detail == {"chain": "evt_0", "depth": depth + 1, "started": 0}


def test_a_chain_starts_no_more_runs_than_it_may_and_others_are_not_held_up(follower):
    follow = follower(follows("a", "b"), follows("a", "c"), max_runs=3)

    found = [candidate.verdict.verdict for _ in range(2) for one in follow(ended()) for candidate in one.candidates]
    other = [candidate.verdict.verdict for one in follow(ended(chain="evt_9")) for candidate in one.candidates]

    assert (found, other) == (["dispatched"] * 3 + ["loop_refused"], ["dispatched"] * 2)


def test_what_a_chain_had_started_before_this_process_counts(follower):
    (follow_up,) = follower(follows("a", "b"), started={"evt_0": 3}, max_runs=3)(ended())

    assert "the chain evt_0 has started 3 runs" in follow_up.candidates[0].verdict.reason


def test_a_candidate_that_does_not_fire_keeps_its_own_reason_however_deep_the_chain_is(follower):
    (follow_up,) = follower(follows("a", "b", only_if="false"), max_depth=1)(ended(depth=5))

    assert follow_up.candidates[0].verdict.verdict == "filter_false"


def test_a_failed_run_names_the_step_that_ended_it(follower):
    attempts = [
        Attempt("each[0].fetch", "fetch", "http", 1, "failed", 1.0, 1),
        Attempt("each", "each", "loop", 1, "failed", 1.0, 2),
        Attempt("after", "after", "transform", 1, "skipped", 1.0, 0),
    ]
    trigger = load_trigger(
        {"key": "t", "trigger": {"type": "flow", "flow": "a", "on": "failed"}, "flow": "b", "inputs": {"n": 1}},
        key=None,
        file=None,
    )

    (follow_up,) = follower(trigger)(ended(status="failed", error="no", code="HTTP_STATUS", output=None, attempts=attempts))

    flow = follow_up.event.document["flow"]
    assert (flow["failedStep"], flow["error"], flow["errorCode"], flow["outputs"]) == ("each", "no", "HTTP_STATUS", None)


# -- circles


def warned(*triggers):
    return {key: problem.problem.partition(": ")[2] for key, problem in check_chains(triggers)}


def test_a_circle_of_triggers_without_a_filter_is_warned_of_at_each_of_them():
    assert warned(follows("a", "b"), follows("b", "c"), follows("c", "a")) == {
        "to-b": "a → b → c → a",
        "to-c": "b → c → a → b",
        "to-a": "c → a → b → c",
    }


def test_a_flow_that_starts_itself_is_a_circle():
    assert warned(follows(["z", "a"], "a")) == {"to-a": "a → a"}


def test_a_filter_and_a_switched_off_trigger_break_a_circle():
    assert warned(follows("a", "b"), follows("b", "a", only_if="$.flow.outputs.more")) == {}
    assert warned(follows("a", "b"), follows("b", "a", enabled=False)) == {}


def test_what_leads_to_a_circle_and_what_leaves_it_is_not_warned_of():
    found = warned(
        follows("in", "a", "enters"),
        follows("a", "b", "there"),
        follows("b", "a", "back"),
        follows("b", "between", "leaves"),
        follows("between", "c", "joins"),
        follows("c", "c", "itself"),
        follows("c", "out", "ends"),
    )

    assert found == {"there": "a → b → a", "back": "b → a → b", "itself": "c → c"}


@pytest.mark.slow
def test_a_circle_of_ten_thousand_is_found_and_shortened():
    ring = [follows(f"f{number}", f"f{(number + 1) % 10_000}") for number in range(10_000)]

    found = warned(*ring)

    assert len(found) == 10_000
    assert found["to-f1"] == "f0 → f1 → f2 → f3 → f4 → f5 → f6 → f7 → f8 → … → f0"
