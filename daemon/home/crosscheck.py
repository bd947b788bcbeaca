"""What single definitions cannot know: that flows, sub-flows and inputs which they name exist and fit. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from daemon.home.chain_check import check_chains
from daemon.home.field_check import unknown_fields
from flows.errors import Problem
from flows.flow import Flow
from flows.suggest import did_you_mean
from triggers.sources.webhook_path import ambiguous
from triggers.trigger import Trigger

Found = list[tuple[str, Problem]]  # the key of the definition, and what is wrong with it
Place = tuple[str | int, ...]


def check_flows(flows: Mapping[str, Flow], broken: Iterable[str] = ()) -> tuple[dict[str, Flow], Found]:
    """The flows whose sub-flows exist and come to an end, and what is wrong with the others.

    `broken` are keys of flows that do not load for reasons of their own. A flow that needs a broken one is broken.
    """
    kept, found, unusable = dict(flows), _cycles(flows), set(broken)
    for key, _ in found:
        kept.pop(key, None)
        unusable.add(key)
    while True:
        lost = [(key, named) for key, flow in kept.items() for named in flow.subflows if named not in kept]
        if not lost:
            return kept, found
        for key, named in lost:
            found.append((key, _missing_flow(named, _subflow_place(flows[key].definition, named), flows, unusable)))
            kept.pop(key, None)
        unusable.update(key for key, _ in lost)


def check_triggers(
    triggers: Mapping[str, Trigger], flows: Mapping[str, Flow], broken: Iterable[str] = ()
) -> tuple[dict[str, Trigger], Found]:
    """The triggers whose flow exists and gets what it requires, and what is wrong with the others; warnings take none away."""
    unusable = set(broken)
    found = [(key, problem) for key, trigger in triggers.items() for problem in _trigger_problems(trigger, flows, unusable)]
    found += _ambiguous_paths(triggers)
    refused = {key for key, problem in found if not problem.warning}
    kept = {key: trigger for key, trigger in triggers.items() if key not in refused}
    return kept, [*found, *check_chains(kept.values())]


def _trigger_problems(trigger: Trigger, flows: Mapping[str, Flow], broken: set[str]) -> Iterator[Problem]:
    if trigger.type == "flow":
        yield from _followed_problems(trigger, flows, broken)
    yield from unknown_fields(trigger)
    flow = flows.get(trigger.flow)
    if flow is None:
        yield _missing_flow(trigger.flow, ("flow",), flows, broken)
        return
    if trigger.mapping is None:
        return  # the body's fields become the inputs: known when an event is there
    declared, given = flow.inputs.declared, trigger.mapping.source
    word = "inputMapping" if "inputMapping" in trigger.definition else "inputs"  # as it is written
    for each in declared.values():
        if each.required and not each.has_default and each.name not in given:
            said = f"the flow «{flow.key}» requires the input «{each.name}», which is not mapped"
            where = "flow.outputs" if trigger.type == "flow" else "body"
            yield Problem((word,), said, f'"{each.name}": "$.{where}.{each.name}"')
    for name in given if declared else ():  # a flow that declares nothing takes anything
        if name not in declared:
            hint = did_you_mean(name, declared)
            yield Problem((word, name), f"the flow «{flow.key}» declares no input «{name}»", hint, warning=True)


def _followed_problems(trigger: Trigger, flows: Mapping[str, Flow], broken: set[str]) -> Iterator[Problem]:
    """The flows whose runs a trigger follows are there."""
    written = trigger.definition["trigger"]["flow"]
    for named in trigger.spec.flow:
        if named not in flows:
            place = ("trigger", "flow", written.index(named)) if isinstance(written, list) else ("trigger", "flow")
            yield _missing_flow(named, place, flows, broken)


def _ambiguous_paths(triggers: Mapping[str, Trigger]) -> Found:
    """Hooks that would be found by the same requests, and name their parameters differently."""
    paths = {key: trigger.spec.path for key, trigger in triggers.items() if trigger.type == "webhook"}
    return [
        (
            key,
            Problem(
                ("trigger", "path"),
                f"{paths[key]} is found by the same requests as {path} of the trigger «{other}»",
                "give the parameters the same names: then both listen at one address",
            ),
        )
        for key, other, path in ambiguous(paths)
    ]


def _missing_flow(named: str, place: Place, flows: Mapping[str, Flow], broken: set[str]) -> Problem:
    if named in broken:
        return Problem(place, f"the flow «{named}» does not load", "its own problems are listed too")
    return Problem(place, f"there is no flow «{named}»", did_you_mean(named, flows) or f"flows/{named}.json would be it")


def _cycles(flows: Mapping[str, Flow]) -> Found:
    """Every flow that stands on a cycle of sub-flows, with the cycle's name: `a → b → a`."""
    found: Found = []
    settled: set[str] = set()
    for start in flows:
        trail: list[str] = []
        pending = [(start, iter(flows[start].subflows))] if start not in settled else []
        while pending:
            key, named = pending[-1]
            if not trail or trail[-1] != key:
                trail.append(key)
            follower = next((one for one in named if one in flows and one not in settled), None)
            if follower is None:
                settled.add(key)
                pending.pop()
                trail.pop()
            elif follower in trail:
                cycle = trail[trail.index(follower) :]
                name = " → ".join((*cycle, follower))
                place = _subflow_place(flows[key].definition, follower)
                if key not in {one for one, _ in found}:
                    found.append(
                        (
                            key,
                            Problem(place, f"the flows call each other without end: {name}", "a flow cannot be its own sub-flow"),
                        )
                    )
            else:
                pending.append((follower, iter(flows[follower].subflows)))
    return found


def _subflow_place(definition: Any, named: str) -> Place:
    """Where a definition names a sub-flow: the first value `named` under a `flow` field, else the definition as a whole."""
    pending: list[tuple[Place, Any]] = [((), definition)]
    while pending:
        place, value = pending.pop()
        if isinstance(value, dict):
            if value.get("key") == named and place and place[-1] == "flow":
                return (*place, "key")
            pending += [((*place, name), inner) for name, inner in reversed(value.items())]
        elif isinstance(value, list):
            pending += [((*place, index), inner) for index, inner in reversed(list(enumerate(value)))]
    return ()
