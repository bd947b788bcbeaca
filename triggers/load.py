"""A trigger's definition becomes a Trigger: aliases resolved, everything checked, all problems at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import orjson
from pydantic import ValidationError

from flows.document import digest
from flows.errors import DefinitionError, Problem
from flows.expression import Expression, compile_expression
from flows.selector import compile_selector
from flows.suggest import did_you_mean, validation_problems
from triggers.expectation import Expectation, load_tests
from triggers.mapping import compile_mapping
from triggers.sources import SOURCES, source_class
from triggers.spec import TimeoutsSpec, TriggerSpec, known_fields
from triggers.trigger import Idempotency, Timeouts, Trigger

MAX_KEY = 128
KEY = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{MAX_KEY - 1}}}", re.ASCII)

ALIASES = {"id": "key", "name": "key", "inputs": "inputMapping", "if": "filter", "when": "filter"}
SECTION_ALIASES = {"if": "filter", "when": "filter", "tz": "timezone"}
TYPE_ALIASES = {"cron": "schedule", "file": "file-watch"}
LATER_FIELDS = ("debounce", "throttle", "rateLimit", "batch", "concurrency", "budget")
LATER = "is not available in this version"
FIELDS = {"key", "trigger", "filter", *known_fields(TriggerSpec)[()]}
_TELLING = {
    "path": "webhook",
    "cron": "schedule",
    "paths": "file-watch",
    "flow": "flow",
    "name": "event",
}  # a field that only one type has
_OF_THE_SECTION = (
    "type",
    "path",
    "methods",
    "auth",
    "cron",
    "timezone",
    "tz",
    "paths",
    "include",
    "exclude",
    "events",
    "settle",
    "on",
)

# A header's name in a filter's text, after any string: `$.headers['X-Id']`, `$.headers.Host`. Names match without case.
_HEADER = re.compile(
    r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\$(?:\?\.|\.)headers(?:(?:\?\.)?\[\s*(['"])[^'"\\]*\1\s*\]|\??\.[A-Za-z_]\w*)"""
)


def load_trigger(
    definition: Any, *, key: str | None, file: Path | None, default_timezone: str = "UTC", before: Trigger | None = None
) -> Trigger:
    """`key` is the file's stem: the trigger's key where it names none. Raises DefinitionError with everything that is wrong.

    `before`: what the file held until now, loaded with the same default timezone. What is written as it was is taken from it.
    """
    if not isinstance(definition, dict):
        hint = 'like {"key": …, "trigger": {"type": "webhook", "path": …}, "flow": …}'
        raise DefinitionError.at((), "a trigger is an object", hint)
    return _Loading(definition, default_timezone, None if before is None else _Before(before, default_timezone)).load(key, file)


Made = TypeVar("Made")
Found = tuple[Any, tuple[str | int, ...]]  # a filter's text and where it is written


class _Before:
    """A trigger as it was, by what its definition says: the section of its source, its filter, and the rest."""

    def __init__(self, trigger: Trigger, default_timezone: str) -> None:
        self.trigger = trigger
        self.rest = {ALIASES.get(word, word): value for word, value in trigger.definition.items()}
        self.rest.pop("key", None)
        section = self.rest.pop("trigger")
        self.section = {SECTION_ALIASES.get(word, word): value for word, value in section.items()}
        del self.section["type"]
        self.filter = self.section.pop("filter", None) or self.rest.pop("filter", None)
        if trigger.type == "schedule":
            self.section.setdefault("timezone", default_timezone)


class _Loading:
    """One definition on its way: what was found wrong so far, each at the place where it is written."""

    def __init__(self, definition: dict[str, Any], default_timezone: str, before: _Before | None) -> None:
        self.definition = definition
        self.default_timezone = default_timezone
        self.before = before
        self.problems: list[Problem] = []
        self.written: dict[tuple[str | int, ...], str] = {}  # a field's place → the word it was written with

    def load(self, stem: str | None, file: Path | None) -> Trigger:
        top = self._named(self.definition, ALIASES, ())
        key = self._key(top.pop("key", None), stem)
        section = top.pop("trigger", None)
        outer_filter = self._take_filter(top, ())
        kind, spec, inner_filter = self._section(section, key or "trigger")
        if outer_filter and inner_filter:
            self._refuse(outer_filter[1], "a filter stands here and in `trigger`", "keep one")
        found = inner_filter or outer_filter
        filter_ = self._filter(found) if found else None
        version = digest(self.definition if ("key",) in self.written else {"key": key, **self.definition})
        before = self.before
        if before is not None and not self.problems and key is not None and kind is not None and _alike(top, before.rest):
            own = {"key": key, "type": kind, "spec": spec, "filter": filter_, "file": file}
            return replace(before.trigger, **own, definition=self.definition, digest=version)
        rest = self._rest(top)
        mapping = None
        if rest is not None and rest.input_mapping is not None:
            earlier = None if before is None else before.trigger.mapping
            mapping = self._under(self._place("inputMapping"), lambda: compile_mapping(rest.input_mapping, earlier))
        idempotency = self._idempotency(rest)
        tests = self._tests(rest)
        if self.problems or rest is None or key is None or kind is None:
            raise DefinitionError(*self.problems)
        return Trigger(
            key,
            kind,
            spec,
            rest.flow,
            filter_,
            mapping,
            idempotency,
            _timeouts(rest.timeouts),
            enabled=rest.enabled,
            description=rest.description,
            priority=rest.priority,
            tests=tests,
            definition=self.definition,
            digest=version,
            file=file,
        )

    def _refuse(self, path: tuple[str | int, ...], problem: str, hint: str | None = None, *, of_key: bool = False) -> None:
        self.problems.append(Problem(path, problem, hint, of_key=of_key))

    def _under(self, place: tuple[str | int, ...], make: Callable[[], Made]) -> Made | None:
        """What `make` gives; where it refuses, its problems at this place, and None."""
        try:
            return make()
        except DefinitionError as error:
            self.problems += error.under(*place).problems
            return None

    def _named(self, section: dict[str, Any], aliases: dict[str, str], place: tuple[str, ...]) -> dict[str, Any]:
        """The section with each field under its own name. Two words for one field with two values are refused."""
        named: dict[str, Any] = {}
        for word, value in section.items():
            field = aliases.get(word, word)
            if field in named and named[field] != value:
                first = self.written[*place, field]
                self._refuse(
                    (*place, word), f"«{word}» and «{first}» are two words for one thing, with two values", f"keep {field}"
                )
                continue
            named[field] = value
            self.written[*place, field] = word
        return named

    def _place(self, *path: str | int) -> tuple[str | int, ...]:
        """The place of a field as it is written: `trigger.tz` where that is the word for `timezone`."""
        depth = 2 if path[:1] == ("trigger",) else 1
        word = self.written.get(path[:depth])
        return path if word is None else (*path[: depth - 1], word, *path[depth:])

    def _key(self, given: Any, stem: str | None) -> str | None:
        key = stem if given is None else given
        place = () if given is None else self._place("key")
        said = f"the key «{key}»" if given is not None else f"the key that the file's name gives, «{key}»,"
        rule = f"lower-case letters, digits and . _ -, beginning with a letter or digit, at most {MAX_KEY}"
        if key is None or key == "":
            self._refuse(place, "key is missing", f"give it a key: {rule}")
        elif not isinstance(key, str):
            self._refuse(place, "key is not text", rule)
        elif not KEY.fullmatch(key):
            better = re.sub(r"[^a-z0-9._-]+", "-", key.lower()).strip("-._")[:MAX_KEY]
            self._refuse(place, f"{said[: MAX_KEY + 60]} is no key", f"write «{better}»: {rule}" if better else rule)
        else:
            return key
        return None

    def _take_filter(self, section: dict[str, Any], place: tuple[str, ...]) -> Found | None:
        value = section.pop("filter", None)
        return None if value is None else (value, self._place(*place, "filter"))

    def _filter(self, found: Found) -> Expression | None:
        before = self.before
        if before is not None and isinstance(found[0], str) and found[0] == before.filter:
            return before.trigger.filter
        return self._under(found[1], lambda: _filter(found[0]))

    def _section(self, section: Any, key: str) -> tuple[str | None, Any, Found | None]:
        """The source's type, its spec, and the filter that stands in the section."""
        if not isinstance(section, dict):
            said = "trigger is missing" if section is None else "trigger is not an object"
            self._refuse(("trigger",) if section is not None else (), said, f"its type is one of {', '.join(SOURCES)}")
            return None, None, None
        named = self._named(section, SECTION_ALIASES, ("trigger",))
        found = self._take_filter(named, ("trigger",))
        kind = self._kind(named.pop("type", None), named)
        if kind is None:
            return None, None, found
        if kind == "schedule":
            named.setdefault("timezone", self.default_timezone)
        before = self.before
        if before is not None and (kind, key) == (before.trigger.type, before.trigger.key) and _alike(named, before.section):
            return kind, before.trigger.spec, found
        try:
            return kind, source_class(kind).prepare(named, key=key), found
        except DefinitionError as error:
            under = error.under("trigger").problems
            self.problems += [_hinted(replace(problem, path=self._place(*problem.path))) for problem in under]
            return kind, None, found

    def _kind(self, given: Any, section: dict[str, Any]) -> str | None:
        if given is None:
            guess = next((kind for field, kind in _TELLING.items() if field in section), None)
            hint = f'add "type": "{guess}"' if guess else f"one of {', '.join(SOURCES)}"
            self._refuse(("trigger",), "trigger has no type", hint)
            return None
        kind = TYPE_ALIASES.get(given, given) if isinstance(given, str) else None
        if kind in SOURCES:
            return kind
        near = did_you_mean(str(given), (*SOURCES, *TYPE_ALIASES))
        self._refuse(("trigger", "type"), f"there is no trigger type «{given!s:.60}»", near or f"one of {', '.join(SOURCES)}")
        return None

    def _rest(self, top: dict[str, Any]) -> TriggerSpec | None:
        """What is left of the file. Unknown fields are told one by one."""
        for field in [field for field in top if field not in FIELDS]:
            del top[field]
            if field in LATER_FIELDS:
                self._refuse((field,), f"{field} {LATER}", "leave it out", of_key=True)
            elif field in _OF_THE_SECTION:
                self._refuse((field,), f"{field} is not known here", "it stands inside `trigger`", of_key=True)
            else:
                hint = did_you_mean(field, (*FIELDS, *ALIASES)) or f"known are {', '.join(sorted(FIELDS))}"
                self._refuse((field,), f"{field:.60} is not known here", hint, of_key=True)
        try:
            return TriggerSpec.model_validate(top)
        except ValidationError as error:
            found = validation_problems(error, known_fields(TriggerSpec))
            self.problems += [replace(problem, path=self._place(*problem.path)) for problem in found]
            return None

    def _idempotency(self, rest: TriggerSpec | None) -> Idempotency | None:
        if rest is None or rest.idempotency is None:
            return None
        section = rest.idempotency
        selector = self._under(("idempotency", "key"), lambda: compile_selector(section.key, fold_headers=True))
        return None if selector is None else Idempotency(selector, section.ttl)

    def _tests(self, rest: TriggerSpec | None) -> tuple[Expectation, ...]:
        if rest is None or rest.tests is None:
            return ()
        return self._under(("tests",), lambda: load_tests(rest.tests)) or ()


def _hinted(problem: Problem) -> Problem:
    """A field that no source knows may still be one of ours: the section's filter and type, or what stands beside the section."""
    if len(problem.path) != 2 or not problem.problem.endswith("is not known here"):
        return problem
    field = str(problem.path[1])
    if field in FIELDS or field in LATER_FIELDS:
        return replace(problem, hint="it stands beside `trigger`, not inside it")
    near = did_you_mean(field, ("filter", "type", *SECTION_ALIASES))
    return problem if near is None or (problem.hint or "").startswith("did you mean") else replace(problem, hint=near)


def _alike(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON, which == would say of true and 1 as well. What is hard to tell is taken as another."""
    try:
        return orjson.dumps(one) == orjson.dumps(other)
    except TypeError:  # a lone surrogate, a whole number over 64 bits
        return False


def _timeouts(written: TimeoutsSpec) -> Timeouts | None:
    return None if written.start is written.finish is None else Timeouts(written.start, written.finish)


def _filter(source: Any) -> Expression:
    if not isinstance(source, str):
        raise DefinitionError.at((), "a filter is an expression, as text", """like "$.body.source === 'email'" """.strip())
    return compile_expression(_HEADER.sub(_lowered, source), roots=("$",))


def _lowered(found: re.Match[str]) -> str:
    """A header's name in lower case, as events have them; a string as it is."""
    text = found[0]
    return text[:9] + text[9:].lower() if text.startswith("$") else text
