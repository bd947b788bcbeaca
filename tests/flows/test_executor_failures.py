"""The executor with step kinds of the test: retries, fallbacks, timeouts, and what a failed attempt leaves."""

import asyncio

from flows.control import Control
from flows.errors import StepError
from flows.graph import Edge, Step
from flows.retry import RetryPolicy
from tests.flows.executing import failing_work, fails, flow_of, gives, row, run, told, world


async def test_a_retry_counts_extra_tries_and_every_try_is_recorded():
    step = Step("a", "work", failing_work(2), retry=RetryPolicy(tries=3, first_delay_s=0))

    ended, attempts = await run(flow_of([step]))

    assert ended.status == "completed"
    assert [(a.number, a.status, a.final) for a in attempts if a.status != "running"] == [
        (1, "failed", False),
        (2, "failed", False),
        (3, "success", True),
    ]
    assert (ended.steps["a"]["attempts"], ended.steps["a"]["retries"]) == (3, 2)


async def test_a_plain_step_is_retried_as_well():
    left = [1]

    def flaky(_scope):
        if left[0]:
            left[0] -= 1
            raise StepError("boom", code="BOOM")
        return "ok"

    a, b = Step("a", "call", flaky, retry=RetryPolicy(tries=2, first_delay_s=0)), Step("b", "call", gives(1))

    ended, attempts = await run(flow_of([a, b], row(a, b)))

    assert ended.status == "completed"
    assert told(attempts) == [("a", 1, "failed"), ("a", 2, "success"), ("b", 1, "success")]


async def test_a_continue_strategy_does_not_switch_retries_off():
    step = Step("a", "work", failing_work(1), retry=RetryPolicy(tries=2, first_delay_s=0), on_error="continue")

    ended, _ = await run(flow_of([step]))

    assert ended.steps["a"]["status"] == "success"


async def test_the_idempotency_key_is_the_same_for_each_try():
    keys = []

    async def work(scope):
        keys.append(scope.idempotency_key)
        if len(keys) < 3:
            raise StepError("boom", code="BOOM")

    await run(flow_of([Step("a", "work", work, retry=RetryPolicy(tries=3, first_delay_s=0))]))

    assert keys == ["run_1:a"] * 3


async def test_a_fallback_stands_in_for_a_step_whose_tries_are_used_up():
    a = Step("a", "work", failing_work(9), retry=RetryPolicy(tries=2, first_delay_s=0), fallback="f")
    b = Step("b", "call", lambda scope: scope.names["steps"]["a"]["output"])
    f = Step("f", "call", lambda scope: "instead of " + scope.names["steps"]["a"]["error"])

    ended, attempts = await run(flow_of([a, b, f], [Edge("a", "b"), Edge("a", "f", fallback=True)]))

    assert ended.status == "completed"
    assert ended.steps["b"]["output"] == "instead of boom"
    assert ended.steps["a"]["status"] == "failed"
    assert [a.final for a in attempts if a.step == "a" and a.status == "failed"] == [False, False]


async def test_a_fallback_that_is_not_needed_is_not_run():
    a, f = Step("a", "call", gives(1), fallback="f"), Step("f", "call", gives(2))

    ended, attempts = await run(flow_of([a, f], [Edge("a", "f", fallback=True)]))

    assert ended.steps["f"] == {"status": "skipped"}
    assert attempts[-1].code == "NOT_TAKEN"
    assert ended.output == 1


async def test_a_fallback_that_fails_too_ends_the_run_with_the_step_it_stood_in_for():
    a, f = Step("a", "call", fails("first"), fallback="f"), Step("f", "call", fails("second"))

    ended, _ = await run(flow_of([a, f], [Edge("a", "f", fallback=True)]))

    assert (ended.status, ended.error) == ("failed", "step «a»: first")


async def test_one_fallback_serves_several_steps_and_runs_once():
    ran = []
    f = Step("f", "call", lambda _scope: ran.append(1) or "f")
    a, b = Step("a", "call", fails(), fallback="f"), Step("b", "call", fails(), fallback="f")

    ended, _ = await run(flow_of([a, b, f], [Edge("a", "b"), Edge("a", "f", fallback=True), Edge("b", "f", fallback=True)]))

    assert ended.status == "completed"
    assert ran == [1]
    assert ended.steps["b"]["output"] == "f"


async def test_a_thousand_fallbacks_in_a_row_hand_back_what_the_last_one_gave():
    steps = [Step(f"s{number}", "call", fails(), fallback=f"s{number + 1}") for number in range(1000)]
    last = Step("s1000", "call", gives("done"))
    edges = [Edge(step.id, step.fallback, fallback=True) for step in steps]

    ended, _ = await run(flow_of([*steps, last], edges))

    assert ended.status == "completed"
    assert ended.steps["s0"]["output"] == "done"


async def test_a_fallback_can_have_a_fallback():
    a, f, g = Step("a", "call", fails(), fallback="f"), Step("f", "call", fails(), fallback="g"), Step("g", "call", gives("g"))

    ended, _ = await run(flow_of([a, f, g], [Edge("a", "f", fallback=True), Edge("f", "g", fallback=True)]))

    assert ended.status == "completed"
    assert ended.steps["f"]["output"] == "g"
    assert ended.steps["a"]["output"] == "g"


async def test_a_step_that_takes_longer_than_its_timeout_ends_as_timeout():
    async def sleep(_scope):
        await asyncio.sleep(60)

    step = Step("a", "work", sleep, timeout_s=0.01)

    ended, attempts = await run(flow_of([step]))

    assert (ended.status, ended.code) == ("failed", "TIMEOUT")
    assert attempts[-1].status == "timeout"
    assert ended.steps["a"]["status"] == "timeout"


async def test_a_timeout_can_be_retried_by_its_code():
    calls = []

    async def slow_once(_scope):
        calls.append(1)
        if len(calls) == 1:
            await asyncio.sleep(60)

    step = Step("a", "work", slow_once, timeout_s=0.01, retry=RetryPolicy(tries=2, first_delay_s=0, retry_on=("TIMEOUT",)))

    ended, _ = await run(flow_of([step]))

    assert ended.status == "completed"


async def test_a_timeout_that_a_step_raises_itself_is_its_own_failure():
    async def own(_scope):
        raise TimeoutError("connect")

    ended, attempts = await run(flow_of([Step("a", "work", own, timeout_s=5)]))

    assert (attempts[-1].status, ended.code) == ("failed", "UNEXPECTED")


async def test_a_flow_that_takes_longer_than_its_timeout_fails_and_cancels_what_runs():
    async def sleep(_scope):
        await asyncio.sleep(60)

    ended, attempts = await run(flow_of([Step("a", "work", sleep)], timeout_s=0.01))

    assert (ended.status, ended.code) == ("failed", "FLOW_TIMEOUT")
    assert attempts[-1].status == "cancelled"


async def test_a_runs_own_time_is_kept_and_has_a_code_of_its_own():
    async def sleep(_scope):
        await asyncio.sleep(60)

    ended, _ = await run(
        flow_of([Step("a", "work", sleep)]), world=world(clock=lambda: 1000.0), control=Control(finish_by=1000.01)
    )

    assert (ended.status, ended.code) == ("failed", "RUN_TIMEOUT")


async def test_a_stray_exception_of_a_kind_is_a_failed_attempt():
    def broken(_scope):
        raise KeyError("x")

    ended, _ = await run(flow_of([Step("a", "call", broken)]))

    assert (ended.code, ended.error) == ("UNEXPECTED", "step «a»: KeyError: 'x'")


async def test_a_kind_whose_inner_wait_is_cancelled_fails_and_does_not_cancel_the_run():
    async def inner(_scope):
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    ended, _ = await run(flow_of([Step("a", "work", inner)]))

    assert (ended.status, ended.code) == ("failed", "UNEXPECTED")


async def test_what_a_failed_attempt_produced_is_kept_apart_from_its_output():
    a, b = Step("a", "call", fails(output={"stdout": "half"}), on_error="continue"), Step("b", "call", gives(1))

    ended, attempts = await run(flow_of([a, b], row(a, b)))

    assert attempts[0].output == {"stdout": "half"}
    assert "output" not in ended.steps["a"]
    assert ended.steps["a"]["partial"] == {"stdout": "half"}
