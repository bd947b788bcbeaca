"""What deciding costs: one filter, one trigger among many at one path; and a script beside an expression."""

from __future__ import annotations

import asyncio
import statistics
import time
import timeit

from flows.expression import compile_expression
from flows.script.quickjs import QuickJs
from flows.script.scan import scan
from flows.script.settings import ScriptSettings
from triggers.event import Event
from triggers.load import load_trigger
from triggers.match import TriggerSet, match

ROUNDS = 7


def main() -> None:
    one_filter()
    many_triggers()
    scripts()


def one_filter() -> None:
    test = compile_expression("$.body.source === 'email'").test
    names = {"$": {"body": {"source": "email", "company": "Acme"}}}
    assert test(names)
    print(f"filter `$.body.source === 'email'`: {per_call_us(lambda: test(names), 100_000):.2f} µs (with the call)\n")


def many_triggers() -> None:
    event = Event("evt_1", "webhook", "/many", 1.0, {"body": {"kind": "kind-7", "company": "Acme"}})
    figures = {}
    for number in (10, 10_000):
        triggers = TriggerSet(tuple(trigger(count) for count in range(number)))
        assert [found.trigger.key for found in match(triggers, event) if found.inputs is not None] == ["trigger-7"]
        figures[number] = per_call_us(lambda triggers=triggers: match(triggers, event), 2_000)
    print(
        f"match at one path, one of them fires: 10 triggers {figures[10]:.1f} µs, 10,000 triggers {figures[10_000]:.1f} µs, ratio {figures[10_000] / figures[10]:.2f}\n"
    )


def scripts() -> None:
    """The same work in our interpreter and in the engine, which is another process and begins anew each time."""
    names = {
        "$": {"input": {"list": [{"id": n, "price": n / 3} for n in range(20)]}, "steps": {}, "loop": {}, "env": {}},
        "data": None,
        "output": None,
    }
    source = "$.input.list.filter(one => one.price > 3).map(one => one.id)"
    ours = compile_expression(source).evaluate
    asyncio.run(in_the_engine(source, names, per_call_us(lambda: ours(names), 500)))


async def in_the_engine(source: str, names: dict, ours_us: float) -> None:
    engine = QuickJs(1)
    script, limits = scan(source, form="expression"), ScriptSettings().limits()
    began = time.perf_counter()
    assert await engine.evaluate(script, names, limits) == list(range(10, 20))
    first_ms = (time.perf_counter() - began) * 1000
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(200):
            await engine.evaluate(script, names, limits)
        rounds.append((time.perf_counter() - began) / 200 * 1e6)
    await engine.close()
    engine_us = statistics.median(rounds)
    print(
        f"`{source}` on 20 objects: our interpreter {ours_us:.0f} µs, the engine {engine_us:.0f} µs warm, ratio {engine_us / ours_us:.1f}; its first call {first_ms:.0f} ms\n"
    )


def trigger(number: int):
    definition = {
        "key": f"trigger-{number}",
        "trigger": {"type": "webhook", "path": "/many", "filter": f"$.body.kind === 'kind-{number}'"},
        "flow": "note",
        "inputMapping": {"company": "$.body.company"},
    }
    return load_trigger(definition, key=None, file=None)


def per_call_us(call, number: int) -> float:
    """The median of several rounds, in microseconds."""
    return statistics.median(timeit.repeat(call, number=number, repeat=ROUNDS)) / number * 1e6


if __name__ == "__main__":
    main()
