"""Values in definitions that are made at run: paths keep their type, texts are filled in, containers are made inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flows.errors import DefinitionError, Problem, SelectorError
from flows.selector import MISSING, Selector, compile_selector
from flows.template import Template, compile_template

MAX_DEPTH = 100  # of containers: making a value recurses, and Python's stack is 1,000 deep

Make = Callable[[Mapping[str, Any]], Any]
Reference = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a definition, checked. `make` may raise SelectorError or TemplateError and changes nothing.

    Where it was compiled as lenient, `make` gives MISSING for a path that leads nowhere, and inside leaves it out of objects
    and makes it null in lists: as JavaScript writes `undefined`.

    What is constant is made once: all that `make` gives shares it, so nobody may change what it gives.
    """

    source: Any  # as written
    make: Make
    selectors: tuple[Selector, ...] = ()
    templates: tuple[Template, ...] = ()

    def needed(self, names: Mapping[str, Any]) -> Any:
        """What `make` gives. Raises SelectorError where the whole is a path that leads nowhere, also of a lenient value."""
        value = self.make(names)
        if value is MISSING:
            raise SelectorError(f"nothing is at {self.source}", path=str(self.source))
        return value

    @property
    def constant(self) -> bool:
        """Whether it is the same whatever the names are."""
        return not self.selectors and not self.templates

    @property
    def references(self) -> tuple[Reference, ...]:
        """How each path in it begins, root first: ("$", "steps", "x") for a path on `$`, ("steps", "x") for a bare one."""
        found: list[Reference] = [("$", *selector.segments) for selector in self.selectors]
        for template in self.templates:
            found.extend(each.root_first for each in template.placeholders)
        return tuple(found)


def compile_value(value: Any, *, strict: bool = False, fold_headers: bool = False, lenient: bool = False) -> Value:
    """Raises DefinitionError with all that is wrong, each with its path inside the value.

    A text is a path where it begins with `$.` or `$[` or is `$`; with `strict` every text that begins with `$` must be one, and
    is refused otherwise (without it, `$5.00 off` and `$HOME` are text). `fold_headers`: as in compile_selector. `lenient`: what
    leads nowhere is undefined, not an error (see Value).
    """
    compiler = _Compiler(strict=strict, fold_headers=fold_headers, lenient=lenient)
    make = compiler.compile(value, ())
    if compiler.problems:
        raise DefinitionError(*compiler.problems)
    return Value(value, make or (lambda _names: value), tuple(compiler.selectors), tuple(compiler.templates))


def is_path(text: str) -> bool:
    """Whether a text is meant as a path, wherever text may stand as well."""
    return text == "$" or text.startswith(("$.", "$["))


class _Compiler:
    """Goes through one value and gathers what is in it. None as a Make: it is constant."""

    def __init__(self, *, strict: bool, fold_headers: bool, lenient: bool) -> None:
        self.strict = strict
        self.fold_headers = fold_headers
        self.lenient = lenient
        self.problems: list[Problem] = []
        self.selectors: list[Selector] = []
        self.templates: list[Template] = []

    def compile(self, value: Any, path: tuple[str | int, ...]) -> Make | None:
        if len(path) > MAX_DEPTH:
            self.problems.append(Problem(path, f"values are nested more than {MAX_DEPTH} deep"))
            return None
        if isinstance(value, str):
            return self._text(value, path)
        if isinstance(value, dict):
            return self._members(value, path)
        return self._elements(value, path) if isinstance(value, list) else None

    def _text(self, text: str, path: tuple[str | int, ...]) -> Make | None:
        try:
            if is_path(text) and not (self.lenient and ("{{" in text or text == "$")):
                return self._selector(text)
            if self.strict and text.startswith("$"):
                compile_selector(text)  # cannot pass, and says what is wrong
            if "{{" in text:
                return self._template(text)
        except DefinitionError as error:
            self.problems.extend(_hinted(problem, text, strict=self.strict).under(*path) for problem in error.problems)
        return None

    def _selector(self, text: str) -> Make:
        selector = compile_selector(text, fold_headers=self.fold_headers)
        self.selectors.append(selector)
        get = selector.get
        if self.lenient:
            return lambda names: get(names.get("$"))

        def make(names: Mapping[str, Any]) -> Any:
            value = get(names.get("$"))
            if value is MISSING:
                raise SelectorError(f"nothing is at {text}", path=text)
            return value

        return make

    def _template(self, text: str) -> Make:
        template = compile_template(text, fold_headers=self.fold_headers, lenient=self.lenient)
        if template.plain:
            said = template.render({})
            return lambda _names: said
        self.templates.append(template)
        return template.render

    def _members(self, value: dict[str, Any], path: tuple[str | int, ...]) -> Make | None:
        made = {key: self.compile(each, (*path, key)) for key, each in value.items()}
        if not any(made.values()):
            return None
        parts = [(key, make or _constant(value[key])) for key, make in made.items()]
        if self.lenient:
            return lambda names: {key: made for key, make in parts if (made := make(names)) is not MISSING}
        return lambda names: {key: make(names) for key, make in parts}

    def _elements(self, value: list[Any], path: tuple[str | int, ...]) -> Make | None:
        made = [self.compile(each, (*path, number)) for number, each in enumerate(value)]
        if not any(made):
            return None
        parts = [make or _constant(each) for make, each in zip(made, value, strict=True)]
        if self.lenient:
            return lambda names: [None if (made := make(names)) is MISSING else made for make in parts]
        return lambda names: [make(names) for make in parts]


def _constant(value: Any) -> Make:
    return lambda _names: value


def _hinted(problem: Problem, text: str, *, strict: bool) -> Problem:
    """How to write a text that only looks like a path."""
    if problem.code != "SELECTOR_SYNTAX" or not text.startswith("$"):
        return problem
    ways = [problem.hint] if problem.hint else []
    if " " in text:
        ways.append("a text with values in it is written with {{$.…}}")
    if strict:
        ways.append('a text that begins with $ is written {"value": "…"}')
    return replace(problem, hint="; ".join(ways) or None)
