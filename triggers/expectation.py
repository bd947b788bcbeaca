"""A trigger's own tests: an event, and what is expected to become of it. Checked at load, compared by `camshaft trigger test`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flows.errors import DefinitionError, Problem
from flows.expression.json_text import compact
from flows.suggest import did_you_mean, validation_problems
from triggers.by_hand import check_event
from triggers.spec import known_fields
from triggers.verdict import VERDICTS, Verdict

MAX_TESTS = 1000
SHOWN_CHARACTERS = 200  # of a value in a difference


class ExpectSpec(BaseModel):
    """What is expected. What is not given is not looked at."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    fires: bool | None = None
    verdict: str | None = None
    inputs: dict[str, Any] | None = None  # each of these, exactly; others may be there
    reason: Annotated[str, Field(min_length=1)] | None = None  # stands in the verdict's reason


class TestSpec(BaseModel):
    """One test of a trigger."""

    __test__ = False  # pytest takes it for one of its own

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    event: dict[str, Any]
    expect: ExpectSpec


@dataclass(frozen=True, slots=True)
class Expectation:
    """One test, checked."""

    name: str  # as given, or `test 1`
    event: Mapping[str, Any]  # the part of the document that the test is about
    expect: ExpectSpec

    def differences(self, verdict: Verdict, inputs: Mapping[str, Any] | None) -> list[str]:
        """What is not as expected, a sentence each. Empty: all is."""
        expect, found = self.expect, []
        fires = verdict.verdict == "dispatched"
        if expect.fires is not None and expect.fires != fires:
            said = f": {verdict.reason}" if verdict.reason else ""
            found.append(f"it {'fires' if fires else 'does not fire'} ({verdict.verdict}{said})")
        if expect.verdict is not None and expect.verdict != verdict.verdict:
            said = f": {verdict.reason}" if verdict.reason else ""
            found.append(f"the verdict is {verdict.verdict}, not {expect.verdict}{said}")
        if expect.reason is not None and expect.reason not in (verdict.reason or ""):
            found.append(f"the reason is {_shown(verdict.reason)}, without {_shown(expect.reason)}")
        if expect.inputs is not None and inputs is not None:
            found += _input_differences(expect.inputs, inputs)
        elif expect.inputs is not None and expect.fires is None and expect.verdict is None:
            found.append(f"there are no inputs: it does not fire ({verdict.verdict})")
        return found


def load_tests(given: Any) -> tuple[Expectation, ...]:
    """Raises DefinitionError with all that is wrong; places are relative to the list."""
    if not isinstance(given, list):
        hint = '[{"event": {"body": {}}, "expect": {"fires": true}}]'
        raise DefinitionError.at((), "tests is a list", hint)
    if len(given) > MAX_TESTS:
        raise DefinitionError.at((), f"there are {len(given):,} tests, at most {MAX_TESTS:,} are read")
    made: list[Expectation] = []
    problems: list[Problem] = []
    for number, one in enumerate(given):
        try:
            made.append(_load(one, number))
        except DefinitionError as error:
            problems += error.under(number).problems
    if problems:
        raise DefinitionError(*problems)
    return tuple(made)


def same(left: Any, right: Any) -> bool:
    """Equal as JSON, exactly: `true` is not 1, and `"1"` is not 1; 1 is 1.0, which JSON does not tell apart."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _load(given: Any, number: int) -> Expectation:
    try:
        spec = TestSpec.model_validate(given)
    except ValidationError as error:
        raise DefinitionError(*validation_problems(error, known_fields(TestSpec), document=given)) from None
    problems = [problem.under("event") for problem in check_event(spec.event)]
    problems += [problem.under("expect") for problem in _expect_problems(spec.expect)]
    if problems:
        raise DefinitionError(*problems)
    return Expectation(spec.name or f"test {number + 1}", spec.event, spec.expect)


def _expect_problems(expect: ExpectSpec) -> list[Problem]:
    if not expect.model_fields_set:
        return [Problem((), "nothing is expected", '{"fires": true}')]
    verdict = expect.verdict
    if verdict is not None and verdict not in VERDICTS:
        near = did_you_mean(verdict, VERDICTS) or f"one of {', '.join(VERDICTS)}"
        return [Problem(("verdict",), f"there is no verdict «{verdict:.60}»", near)]
    fires = expect.fires
    if verdict is not None and fires is not None and fires != (verdict == "dispatched"):
        return [Problem(("verdict",), f"{verdict} {'does not fire' if fires else 'fires'}", "what fires is dispatched")]
    if expect.inputs is not None and (fires is False or verdict not in (None, "dispatched")):
        return [Problem(("inputs",), "what does not fire has no inputs", "leave them out")]
    return []


def _input_differences(expected: Mapping[str, Any], inputs: Mapping[str, Any]) -> list[str]:
    found = []
    for name, value in expected.items():
        if name not in inputs:
            near = did_you_mean(name, inputs)
            found.append(f"there is no input «{name}»{f' ({near})' if near else ''}")
        elif not same(value, inputs[name]):
            found.append(f"the input «{name}» is {_shown(inputs[name])}, not {_shown(value)}")
    return found


def _shown(value: Any) -> str:
    return compact(value, SHOWN_CHARACTERS)
