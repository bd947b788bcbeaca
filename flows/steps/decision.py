"""A condition that only answers: which edges behind it are live. The steps of its branches stand beside it, not inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.expression import UNDEFINED, Expression
from flows.step import Output

ANSWER = frozenset({"condition", "result", "branch", "input"})


def what_was_asked_of(value: Any) -> Any:
    """What went into a condition, and into the one before it, where the value is a condition's answer; else the value."""
    while isinstance(value, dict) and value.keys() == ANSWER:
        value = value["input"]
    return value


@dataclass(frozen=True, slots=True)
class Decision:
    """A condition and the nodes that its answers lead to, compiled."""

    expression: Expression
    true_branch: str | None = None  # None: nothing follows that answer
    false_branch: str | None = None

    def decide(self, names: Mapping[str, Any]) -> Output:
        """What walks into nothing is false. Raises ExpressionError."""
        result = self.expression.test(names)
        value = {
            "condition": self.expression.source,
            "result": result,
            "branch": self.true_branch if result else self.false_branch,
            "input": None if names["data"] is UNDEFINED else names["data"],
        }
        return Output(value, branch="true" if result else "false")
