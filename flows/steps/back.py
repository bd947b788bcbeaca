"""`loop` with `targetNode`: back to an earlier node, round for round, until its condition says no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from flows.errors import StepError
from flows.expression import UNDEFINED, Expression
from flows.results import answer
from flows.step import Output

if TYPE_CHECKING:
    from flows.graph import Graph
    from flows.results import Result
    from flows.step import Ended, Scope

DONE, AGAIN, LEFT = "done", "again", "left"  # what it answers to the edges behind it; those that are drawn ask for the first


@dataclass(frozen=True, slots=True)
class Back:
    """The loop node itself, at the end of a round: what it hands back to its target, and whether it goes back."""

    condition: Expression | None  # None: always
    through: int = 0  # conditions right before it: what they were given is handed back, not what they answered

    def hand_back(self, names: Mapping[str, Any]) -> Output:
        """What walks into nothing is false. Raises ExpressionError."""
        value: Any = None if names["data"] is UNDEFINED else names["data"]
        for _ in range(self.through):
            value = value["input"]
        again = self.condition is None or self.condition.test(names)
        return Output(value, {"again": again}, branch=AGAIN if again else DONE)

    def branch_of(self, response: Any) -> str:
        """The answer of a try that an earlier process recorded."""
        return AGAIN if goes_back(response) else DONE


def goes_back(response: Any) -> bool:
    return isinstance(response, dict) and response.get("again") is True


@dataclass(frozen=True, slots=True)
class Exit:
    """The one answer inside a round that leads out of it."""

    node: str  # a condition
    answer: str


@dataclass(frozen=True, slots=True)
class Rounds:
    """The nodes from the target to the loop node, as the body of a container that stands in the loop node's place."""

    shows_itself: ClassVar[bool] = True  # what is inside may read which round it is

    body: Graph
    target: str  # the first of them
    loop: str  # the last of them
    exit: Exit | None
    pause: Graph | None  # between two rounds
    max_iterations: int

    async def run(self, scope: Scope) -> Output:
        data, number = scope.names["data"], 0
        while True:
            scope.show({"iteration": number})
            ended = await self._round(scope, data, number)
            number += 1
            last = ended.steps.get(self.loop, {})
            if not self._goes_on(last, number):
                return self._left(ended, last, number)
            data = last["output"]
            if self.pause is not None:
                await scope.run_body(self.pause, mark=f"[{number - 1}]")

    async def _round(self, scope: Scope, data: Any, number: int) -> Ended:
        try:
            return await scope.run_body(self.body, mark=f"[{number}]", data=data)
        except StepError as error:
            raise error.of_container(f"round {number}: {error}") from error

    def _goes_on(self, last: Result, number: int) -> bool:
        return last.get("status") == "success" and goes_back(last["response"]) and number < self.max_iterations

    def _left(self, ended: Ended, last: Result, number: int) -> Output:
        """It gives what the node gave by which it was left: the edges behind that node are live."""
        by, value = None, ended.output
        if last.get("status") == "success":
            by, value = self.loop, last["output"]
        elif self.exit is not None:
            found = ended.steps.get(self.exit.node, {})
            if found.get("status") == "success" and answer(found["output"]) == self.exit.answer:
                by, value = self.exit.node, found["output"]
        response = {"iterations": number, "leftBy": by}
        return Output(value, response, branch=self.branch_of(response))

    def branch_of(self, response: Any) -> str:
        """The answer of a try that an earlier process recorded."""
        by = response.get("leftBy") if isinstance(response, dict) else None
        if by == self.loop:
            return DONE
        return self.exit.answer if self.exit is not None and by == self.exit.node else LEFT
