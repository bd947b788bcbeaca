"""A condition in JavaScript beyond our own language: true or false, asked of the engine."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from flows.errors import DefinitionError
from flows.expression import Expression, compile_expression
from flows.script.choice import compile_anywhere
from flows.script.engine import Engine, Limits, Reference, Script
from flows.script.tokens import tokens
from flows.step import Load

OPENING, CLOSING = frozenset("([{"), frozenset(")]}")
ALONE = re.compile(r"(?<![=!<>])=(?![=>])")
ASSIGNS = ("`=` assigns a value, and what was there before is not asked", "compare with ===")


@dataclass(frozen=True, slots=True)
class Question:
    """What cannot be asked at once: the engine answers. A TypeError, as of a walk into nothing, is false."""

    engine: ClassVar[str] = "javascript"

    script: Script
    asked: Engine
    limits: Limits

    @property
    def references(self) -> tuple[Reference, ...]:
        return self.script.references

    @property
    def source(self) -> str:
        return self.script.source

    async def ask(self, names: Mapping[str, Any]) -> bool:
        """Raises StepError, as Engine.evaluate does."""
        return await self.asked.evaluate(self.script, names, self.limits) is True


def compile_question(text: str, roots: Collection[str], engine: Engine, limits: Limits) -> Expression | Question:
    """A condition, compiled for whoever can answer it. Raises DefinitionError with one problem where nobody can."""
    compiled = compile_anywhere(text, roots, engine)
    if isinstance(compiled, Expression):
        return compiled
    return Question(replace(compiled, form="condition"), engine, limits)


def compile_condition(field: str, text: str, load: Load) -> Expression | Question:
    """The condition in a field of a section. Raises DefinitionError with the field's place."""
    try:
        compiled = compile_expression(text, roots=load.roots) if load.question is None else load.question(text)
    except DefinitionError as error:
        raise error.under(field) from None
    if assigns(compiled):
        load.warn((field,), *ASSIGNS)
    return compiled


def assigns(compiled: Expression | Question) -> bool:
    """Whether a condition is an assignment: JavaScript all right, and the same answer whatever the value was."""
    if isinstance(compiled, Expression):
        return False
    depth = 0
    for token in tokens(compiled.source):
        depth += (token.text in OPENING) - (token.text in CLOSING)
        if token.text == "=" and not depth and ALONE.match(compiled.source, token.start):  # tokens are single marks
            return True
    return False


async def answer(condition: Expression | Question, names: Mapping[str, Any]) -> bool:
    """Raises ExpressionError or StepError where it cannot be told."""
    return condition.test(names) if isinstance(condition, Expression) else await condition.ask(names)
