"""What deciding costs: one filter, and one trigger among many at one path."""

from __future__ import annotations

import statistics
import timeit

from flows.expression import compile_expression
from triggers.event import Event
from triggers.load import load_trigger
from triggers.match import TriggerSet, match

ROUNDS = 7


def main() -> None:
    one_filter()
    many_triggers()


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
