"""Why a condition answered as it did: the sub-expression that decided, and the values it saw. The slow path, for a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from flows.errors import ExpressionError, MissingPath
from flows.expression.compiler import FUEL, Compiler
from flows.expression.fuel import Fuel
from flows.expression.json_text import compact
from flows.expression.paths import path_of
from flows.expression.references import inputs_of
from flows.expression.result import to_json
from flows.expression.syntax import Arrow, Call, Conditional, Logical, Member, Node, Unary
from flows.expression.values import UNDEFINED, Function, is_array, truthy

MAX_SHOWN: Final = 120  # characters of a value, and of an expression, in a sentence
MAX_LISTED: Final = 5  # reasons in one sentence

Redact = Callable[[str, Any], Any]


@dataclass(frozen=True, slots=True)
class Explanation:
    """An answer with its reason."""

    value: bool | None  # what test() answers; None: it raises
    sentence: str  # `$.body.source === 'email'` was false because `$.body.source` was `"web"`
    deciding: str  # the source text of the part that decided
    values: dict[str, Any] = field(default_factory=dict)  # path → the JSON value seen there, redacted; missing ones are not in it
    missing: str | None = None  # the path that was not there


@dataclass(frozen=True, slots=True)
class Reason:
    """What one part contributes: the part, its answer, and the clause that says why."""

    node: Node
    answer: bool
    because: str | None  # None: it is always so
    values: dict[str, Any]
    missing: str | None = None


def explain(source: str, roots: frozenset[str], tree: Node, names: Mapping[str, Any], redact: Redact | None) -> Explanation:
    """Evaluate the tree part by part and tell what decided."""
    witness = Witness(source, roots, names, redact)
    try:
        reason = witness.reason(tree)
    except ExpressionError as error:
        return witness.failed(tree, error)
    except RecursionError:
        return witness.failed(tree, ExpressionError("it is nested too deeply", code="EXPRESSION_LIMIT"))
    text = witness.text(reason.node)
    said = f"`{text}` was {_word(reason.answer)}"
    if reason.because is None:
        said = f"`{text}` is always {_word(reason.answer)}"
    elif reason.because:
        said += f" because {reason.because}"
    return Explanation(reason.answer, said, witness.source_of(reason.node), reason.values, reason.missing)


def _word(answer: bool) -> str:  # noqa: FBT001 - it is the value that is worded
    return "true" if answer else "false"


class Witness:
    """Evaluates parts of one expression on one set of names, and words what it saw."""

    def __init__(self, source: str, roots: frozenset[str], names: Mapping[str, Any], redact: Redact | None) -> None:
        self.source, self.roots, self.redact = source, roots, redact
        self.names = {**names, FUEL: Fuel()}

    def source_of(self, node: Node) -> str:
        return self.source[node.start : node.end]

    def text(self, node: Node) -> str:
        text = " ".join(self.source_of(node).split())
        return text if len(text) <= 2 * MAX_SHOWN else f"{text[: 2 * MAX_SHOWN - 1]}…"

    def value(self, node: Node) -> Any:
        """What a part gives. Raises what evaluate() would."""
        return Compiler(self.source, self.roots).compile(node)(self.names)

    def shown(self, path: str, value: Any) -> str:
        if self.redact is not None:
            value = self.redact(path, value)
        return f"`{compact(value, MAX_SHOWN)}`"

    def failed(self, tree: Node, error: ExpressionError) -> Explanation:
        """The whole could not be evaluated: a missing path makes it false, anything else has no answer."""
        if isinstance(error, MissingPath):
            node = self._around(tree, error)
            text = self.text(node)
            return Explanation(False, f"`{text}` was false because {error}", self.source_of(node), {}, error.path)
        return Explanation(None, f"`{self.text(tree)}` could not be evaluated: {error}", self.source_of(tree))

    def _around(self, tree: Node, error: MissingPath) -> Node:
        """The smallest part of a chain of && that the missing path stands in."""
        place = error.offset or 0
        while isinstance(tree, Logical):
            inside = [part for part in tree.operands if part.start <= place <= part.end]
            if not inside:
                break
            tree = inside[0]
        return tree

    def reason(self, node: Node) -> Reason:
        """Why a part is true or false. Raises ExpressionError where it cannot be evaluated."""
        if isinstance(node, Logical):
            return self._of_logical(node)
        if isinstance(node, Conditional):
            return self._of_conditional(node)
        if isinstance(node, Unary) and node.operator == "!" and isinstance(node.operand, Logical | Conditional | Call | Unary):
            inner = self.reason(node.operand)
            if inner.node is node.operand:
                return Reason(node, not inner.answer, inner.because, inner.values, inner.missing)
            because = f"`{self.text(inner.node)}` was {_word(inner.answer)}" + (
                f", because {inner.because}" if inner.because else ""
            )
            return Reason(node, not inner.answer, because, inner.values, inner.missing)
        return self._of_leaf(node)

    def _of_logical(self, node: Logical) -> Reason:
        seen: list[Reason] = []
        for operand in node.operands[:-1]:
            if node.operator == "??":
                value = self.value(operand)
                if value is not None and value is not UNDEFINED:
                    return self.reason(operand)
                continue
            reason = self.reason(operand)
            if reason.answer == (node.operator == "||"):
                return reason
            seen.append(reason)
        last = self.reason(node.operands[-1])
        if node.operator == "??" or last.answer == (node.operator == "||"):
            return last  # the last part of a true || or of a false && decides alone, and ?? came to its last
        return self._together(node, [*seen, last])

    def _together(self, node: Node, seen: list[Reason]) -> Reason:
        """All parts of && were true, or all of || were false."""
        clauses = list(dict.fromkeys(reason.because for reason in seen if reason.because))
        more = f", and {len(clauses) - MAX_LISTED} more" if len(clauses) > MAX_LISTED else ""
        values = {path: value for reason in seen for path, value in reason.values.items()}
        missing = next((reason.missing for reason in seen if reason.missing), None)
        return Reason(node, seen[0].answer, " and ".join(clauses[:MAX_LISTED]) + more if clauses else None, values, missing)

    def _of_conditional(self, node: Conditional) -> Reason:
        test = self.reason(node.test)
        branch = self.reason(node.then if test.answer else node.otherwise)
        why = f"`{self.text(test.node)}` was {_word(test.answer)}" + (f" ({test.because})" if test.because else "")
        because = f"{why} and {branch.because}" if branch.because else why
        return Reason(node, branch.answer, because, {**test.values, **branch.values}, branch.missing or test.missing)

    def _of_leaf(self, node: Node) -> Reason:
        value = self.value(node)
        answer = truthy(value)
        if path_of(node) is not None:
            return self._of_path(node, value)
        looped = self._of_loop(node, answer=answer)
        if looped is not None:
            return looped
        clauses: list[str] = []
        values: dict[str, Any] = {}
        missing = None
        for text, place in inputs_of(node, self.roots, self.source):
            seen = self._at(place)
            if seen is UNDEFINED:
                clauses.append(f"`{text}` is missing")
                missing = missing or text
            else:
                clauses.append(f"`{text}` was {self.shown(text, seen)}")
                values[text] = self._kept(text, seen)
        return Reason(node, answer, " and ".join(clauses[:MAX_LISTED]) or None, values, missing)

    def _of_path(self, node: Node, value: Any) -> Reason:
        text = self.text(node)
        if value is UNDEFINED:
            return Reason(node, False, "it is missing", {}, text)
        because = "" if isinstance(value, bool) else f"its value was {self.shown(text, value)}"
        return Reason(node, truthy(value), because, {text: self._kept(text, value)})

    def _kept(self, path: str, value: Any) -> Any:
        if self.redact is not None:
            value = self.redact(path, value)
        text = compact(value, 2000)
        return to_json(value) if len(text) < 2000 else text

    def _at(self, place: Node) -> Any:
        try:
            return self.value(place)
        except ExpressionError:
            return UNDEFINED

    def _of_loop(self, node: Node, *, answer: bool) -> Reason | None:  # noqa: PLR0911 - each way out is one shape of a sentence
        """some() and every(), told by the items that decided."""
        if not isinstance(node, Call) or not isinstance(node.callee, Member) or not node.arguments:
            return None
        name = self.source[node.callee.key.start : node.callee.key.end]
        if name not in {"some", "every"} or not isinstance(node.arguments[0], Arrow):
            return None
        items, function = self.value(node.callee.object), self.value(node.arguments[0])
        if not is_array(items) or not isinstance(function, Function):
            return None
        text = self.text(node.callee.object)
        values = {text: self._kept(text, items)}
        if not items:
            return Reason(node, answer, f"`{text}` was `[]`", values)
        if answer == (name == "every"):
            what = "every item" if len(items) > 1 else "the only item"
            held = "matched" if answer else "failed"
            none = f"no item of `{text}` matched" if name == "some" else f"{what} of `{text}` {held}"
            return Reason(node, answer, f"{none}, which was {self.shown(text, items)}", values)
        for index, item in enumerate(items):
            if truthy(function.call(self.names[FUEL], [item, index, items])) == answer:
                place = f"{text}[{index}]"
                return Reason(
                    node, answer, f"`{place}` was {self.shown(place, item)}", {**values, place: self._kept(place, item)}
                )
        return None
