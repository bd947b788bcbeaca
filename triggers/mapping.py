"""Mapping: from an event's document to a flow's inputs, compiled at load.

A string that begins with $ is a path and keeps its JSON type; a string with {{ }} is text; objects and lists are mapped inside;
`{"path", "default"}` is a path that may be absent, `{"value": …}` is taken as it is; anything else is itself.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from flows.errors import DefinitionError, Problem, SelectorError, TemplateError, dotted
from flows.selector import MISSING, compile_selector
from flows.template import Placeholder, Template, compile_template

Place = tuple[str | int, ...]
Make = Callable[[Any], Any]
"""An event's document → a value, or MISSING. Raises MappingError where what is missing stands deeper inside."""

MAX_DEPTH = 32  # of the mapping itself; a definition that is deeper is no mapping anyone reads


class MappingError(Exception):
    """The inputs could not be made. `path` is the place in the mapping; the message is a sentence."""

    def __init__(self, path: Place, message: str) -> None:
        self.path = path
        super().__init__(f"{dotted(path)}: {message}")


@dataclass(frozen=True, slots=True)
class Mapping:
    """A trigger's `inputMapping`."""

    entries: tuple[tuple[str, Make, str], ...]  # input name, how it is made, and its path where that may match nothing
    source: Any  # as written

    def make(self, document: dict[str, Any]) -> dict[str, Any]:
        """The inputs. Values are the document's own, not copies. Raises MappingError."""
        made: dict[str, Any] = {}
        for name, get, path in self.entries:
            try:
                value = get(document)
            except SelectorError as error:
                raise MappingError((name,), str(error)) from error
            if value is MISSING:
                raise _nothing((name,), path)
            made[name] = value
        return made


def compile_mapping(definition: Any, before: Mapping | None = None) -> Mapping:
    """Raises DefinitionError with all that is wrong; places are relative to the mapping. `before`: what stays is taken from it."""
    if not isinstance(definition, dict):
        raise DefinitionError.at(
            (), "inputMapping is an object: input name → path, text or value", 'like {"company": "$.body.company"}'
        )
    entries: list[tuple[str, Make, str]] = []
    problems: list[Problem] = []
    known = {} if before is None else _texts(before)
    for name, form in definition.items():
        same = known.get((name, form)) if isinstance(form, str) else None
        try:
            entries.append(same or (name, *_compile(form, (name,))))
        except DefinitionError as error:
            problems += error.under(name).problems
    if problems:
        raise DefinitionError(*problems)
    return Mapping(tuple(entries), definition)


def _texts(mapping: Mapping) -> dict[tuple[str, str], tuple[str, Make, str]]:
    """Its entries that are texts, by name and text."""
    written = zip(mapping.source.values(), mapping.entries, strict=True)
    return {(entry[0], form): entry for form, entry in written if isinstance(form, str)}


def _compile(form: Any, place: Place) -> tuple[Make, str]:
    """How a form is made, and its path where that may match nothing. Raises DefinitionError, relative to the form."""
    if len(place) > MAX_DEPTH:
        raise DefinitionError.at((), f"the mapping is nested deeper than {MAX_DEPTH}")
    if isinstance(form, str):
        return _compile_text(form, place)
    if isinstance(form, dict):
        if "value" in form and len(form) == 1:
            return _always(form["value"]), ""
        if "path" in form and form.keys() <= {"path", "default"}:
            return _compile_path(form)
        return _compile_inside(form, list(form), list(form.values()), dict, place), ""
    if isinstance(form, list):
        return _compile_inside(form, list(range(len(form))), form, lambda pairs: [value for _, value in pairs], place), ""
    return (lambda _: form), ""


def _compile_text(form: str, place: Place) -> tuple[Make, str]:
    if form.startswith("$"):
        try:
            return compile_selector(form, fold_headers=True).get, form
        except DefinitionError as error:
            if any(problem.hint is None for problem in error.problems):
                hint = 'a text that begins with $ is a path; {"value": "…"} is taken as it is'
                raise DefinitionError(*(replace(problem, hint=problem.hint or hint) for problem in error.problems)) from None
            raise
    if "{{" not in form:
        return (lambda _: form), ""
    template = _folded(compile_template(form))

    def render(document: Any) -> str:
        try:
            return template.render({"$": document, "data": document})
        except (TemplateError, SelectorError) as error:
            raise MappingError(place, str(error)) from error

    return render, ""


def _folded(template: Template) -> Template:
    """The same, with header names as events have them."""
    return Template(template.text, tuple(_fold(part) if isinstance(part, Placeholder) else part for part in template.parts))


def _fold(part: Placeholder) -> Placeholder:
    if part.selector.segments[:1] != ("headers",):
        return part
    path = f"$.{part.selector.text}" if part.bare else part.selector.text
    return replace(part, selector=compile_selector(path, fold_headers=True))


def _compile_path(form: dict[str, Any]) -> tuple[Make, str]:
    path = form["path"]
    if not isinstance(path, str) or not path.startswith("$"):
        hint = 'write a path like "$.body.a"; an object with a field of that name is {"value": {"path": …}}'
        raise DefinitionError.at(("path",), "beside `default` or alone, `path` is a path that begins with $", hint)
    try:
        selector = compile_selector(path, fold_headers=True)
    except DefinitionError as error:
        raise error.under("path") from None
    get = selector.get
    if "default" not in form:
        return get, path
    default = _always(form["default"])
    if selector.single:

        def get_or_default(document: Any) -> Any:
            value = get(document)
            return default(document) if value is MISSING else value

        return get_or_default, ""
    return (lambda document: get(document) or default(document)), ""


def _always(value: Any) -> Make:
    """A literal; a container anew each time, for inputs are a run's own."""
    return (lambda _: deepcopy(value)) if isinstance(value, (dict, list)) else (lambda _: value)


def _compile_inside(form: Any, keys: list[Any], forms: list[Any], build: Callable[[Any], Any], place: Place) -> Make:
    """An object or a list: each of its values mapped."""
    parts: list[tuple[Any, Make, str]] = []
    problems: list[Problem] = []
    for key, inner in zip(keys, forms, strict=True):
        try:
            parts.append((key, *_compile(inner, (*place, key))))
        except DefinitionError as error:
            problems += error.under(key).problems
    if problems:
        raise DefinitionError(*problems)

    def make(document: Any) -> Any:
        return build([(key, _made(get, document, (*place, key), path)) for key, get, path in parts])

    return make if form else (lambda _: build([]))


def _made(get: Make, document: Any, place: Place, path: str) -> Any:
    try:
        value = get(document)
    except SelectorError as error:
        raise MappingError(place, str(error)) from error
    if value is MISSING:
        raise _nothing(place, path)
    return value


def _nothing(place: Place, path: str) -> MappingError:
    shown = path.replace("\\", "\\\\").replace('"', '\\"')
    return MappingError(place, f'`{path}` matched nothing in the event; {{"path": "{shown}", "default": null}} lets it be absent')
