"""A tree to closures: each node becomes one Python function of the names, made once at load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from flows.errors import ExpressionError
from flows.expression import syntax
from flows.expression.convert import fail, glue, key_of, same, text_of
from flows.expression.fuel import Fuel
from flows.expression.lexer import refuse
from flows.expression.library import GLOBALS
from flows.expression.methods import hint_for, method_of
from flows.expression.operators import OPERATORS, UNARY, type_name
from flows.expression.paths import Closure, equals, path_of, reader, static_key
from flows.expression.pattern import make_pattern
from flows.expression.read import missing, read, weigh
from flows.expression.syntax import Literal, Member, Node
from flows.expression.values import UNDEFINED, Function, truthy

FUEL = ""  # the name under which an evaluation finds its Fuel: no expression can say it

SKIPPED: Any = object()  # what a step of an optional chain gives once ?. has found nothing
Scope = frozenset[str]


class Compiler:
    """Compiles one expression. After compile(), `metered` says whether an evaluation needs Fuel."""

    def __init__(self, source: str, roots: frozenset[str]) -> None:
        self.source = source
        self.roots = roots
        self.metered = False
        self.loops = 0  # arrow functions around what is being compiled

    def compile(self, node: Node, scope: Scope = frozenset()) -> Closure:
        """The closure of a node. `scope`: the parameters of the arrow functions around it."""
        path = path_of(node)
        # Inside a longer chain the step after ?. has to tell the rest that it found nothing.
        if (
            path is not None
            and (isinstance(node, syntax.Chain) or not any(path.optional))
            and (path.root in scope or path.root in self.roots)
        ):
            return reader(path, self.source, FUEL if self.loops else None)
        return _COMPILE[type(node)](self, node, scope)

    def literal(self, node: syntax.Literal, _scope: Scope) -> Closure:
        value = node.value
        return lambda _names: value

    def name(self, node: syntax.Name, _scope: Scope) -> Closure:
        if node.name not in GLOBALS:
            self._unknown(node)
        value = GLOBALS[node.name]
        return lambda _names: value

    def _unknown(self, node: syntax.Name) -> None:
        known = [*self.roots, *GLOBALS]
        near = get_close_matches(node.name, known, 1) if len(node.name) <= 40 else []
        hint = f"did you mean `{near[0]}`" if near else self._path_to(node.name[:40])
        hint = _WORDS.get(node.name, hint)
        refuse(f"`{node.name[:40]}` is not a name here", node.start, hint, code="EXPRESSION_NAME")

    def _path_to(self, name: str) -> str:
        """Where a name that is none may be meant to lead, among the roots that there are."""
        if "item" in self.roots:
            return f"a field of the row is `item.{name}`"
        if "input" in self.roots:
            return f"an input is `input.{name}`, a field of what the step before gave `data.{name}`"
        return f"a path begins with `$`: `$.{name}`"

    def template(self, node: syntax.Template, scope: Scope) -> Closure:
        self.metered = True
        texts = node.texts
        parts = [self.compile(part, scope) for part in node.parts]

        def template(names: Mapping[str, Any]) -> str:
            fuel: Fuel = names[FUEL]
            pieces = [texts[0]]
            for part, after in zip(parts, texts[1:], strict=True):
                pieces += (text_of(part(names), fuel), after)
            fuel.text(sum(map(len, pieces)))
            return glue(pieces)

        return template

    def pattern(self, node: syntax.Pattern, _scope: Scope) -> Closure:
        value = make_pattern(node.pattern, node.flags, node.start)
        return lambda _names: value

    def array(self, node: syntax.Array, scope: Scope) -> Closure:
        items = [self.compile(item, scope) for item in node.items]
        return lambda names: [item(names) for item in items]

    def object(self, node: syntax.Object, scope: Scope) -> Closure:
        self.metered = True
        entries = [
            (self.compile(key, scope), self.compile(value, scope)) for key, value in zip(node.keys, node.values, strict=True)
        ]

        def make(names: Mapping[str, Any]) -> dict[str, Any]:
            fuel: Fuel = names[FUEL]
            fuel.burn(len(entries))
            return {key_of(key(names), fuel): value(names) for key, value in entries}

        return make

    def member(self, node: syntax.Member, scope: Scope) -> Closure:
        value, key = self.compile(node.object, scope), static_key(node.key)
        text, end, optional = self._text(node.object), node.object.end, node.optional
        computed = None if key is not None else self._metered(node.key, scope)
        looped = self.loops > 0

        def read_member(names: Mapping[str, Any]) -> Any:
            found = value(names)
            if found is None or found is UNDEFINED:
                if optional:
                    return SKIPPED
                raise missing(found, text, end)
            if found is SKIPPED:
                return SKIPPED
            if looped and type(found) is str:
                weigh(found, names[FUEL])
            if computed is None:
                return read(found, key)  # type: ignore[arg-type]  # a key is there where nothing is computed
            asked = computed(names)
            return read(found, asked if type(asked) is int and 0 <= asked < 2**31 else key_of(asked, names[FUEL]))

        return read_member

    def _metered(self, node: Node, scope: Scope) -> Closure:
        self.metered = True
        return self.compile(node, scope)

    def _text(self, node: Node) -> str:
        return self.source[node.start : node.end]

    def chain(self, node: syntax.Chain, scope: Scope) -> Closure:
        inner = self.compile(node.inner, scope)

        def chain(names: Mapping[str, Any]) -> Any:
            value = inner(names)
            return UNDEFINED if value is SKIPPED else value

        return chain

    def call(self, node: syntax.Call, scope: Scope) -> Closure:
        self.metered = True
        arguments = [self.compile(argument, scope) for argument in node.arguments]
        run = self._method(node, scope, arguments) if isinstance(node.callee, Member) else self._function(node, scope, arguments)
        start = node.start

        def call(names: Mapping[str, Any]) -> Any:
            try:
                return run(names)
            except ExpressionError as error:
                if error.offset is None:
                    error.offset = start
                raise

        return call

    def _function(self, node: syntax.Call, scope: Scope, arguments: list[Closure]) -> Closure:
        callee, text, optional = self.compile(node.callee, scope), self._text(node.callee), node.optional

        def call_function(names: Mapping[str, Any]) -> Any:
            function = callee(names)
            if function is SKIPPED or (optional and (function is None or function is UNDEFINED)):
                return SKIPPED
            if not isinstance(function, Function):
                raise fail(f"`{text}` is not a function")
            return function.call(names[FUEL], [argument(names) for argument in arguments])

        return call_function

    def _method(self, node: syntax.Call, scope: Scope, arguments: list[Closure]) -> Closure:
        callee = node.callee
        assert isinstance(callee, Member)
        value, key, optional, call_optional = (
            self.compile(callee.object, scope),
            static_key(callee.key),
            callee.optional,
            node.optional,
        )
        text, end, whole = self._text(callee.object), callee.object.end, self._text(callee)
        computed = self.compile(callee.key, scope)

        def call_method(names: Mapping[str, Any]) -> Any:
            this = value(names)
            if this is None or this is UNDEFINED:
                if optional:
                    return SKIPPED
                raise missing(this, text, end)
            if this is SKIPPED:
                return SKIPPED
            fuel: Fuel = names[FUEL]
            fuel.burn(1)
            name = key if type(key) is str else key_of(computed(names), fuel)
            method = method_of(this, name)
            if method is not None:
                return method(fuel, this, [argument(names) for argument in arguments])
            own = read(this, name)
            if isinstance(own, Function):
                return own.call(fuel, [argument(names) for argument in arguments])
            if call_optional and (own is None or own is UNDEFINED):
                return SKIPPED
            raise fail(f"`{whole}` is not a function{hint_for(name)}")

        return call_method

    def unary(self, node: syntax.Unary, scope: Scope) -> Closure:
        value = self.compile(node.operand, scope)
        if node.operator == "!":
            return lambda names: not truthy(value(names))
        if node.operator == "typeof":
            return lambda names: type_name(value(names))
        if node.operator == "void":
            return lambda names: (value(names), UNDEFINED)[1]
        if node.operator == "-" and isinstance(node.operand, Literal) and isinstance(node.operand.value, int | float):
            number = -float(node.operand.value)
            return lambda _names: number
        self.metered = True
        operator = UNARY[node.operator]
        return lambda names: operator(value(names), names[FUEL])

    def binary(self, node: syntax.Binary, scope: Scope) -> Closure:
        if len(node.rest) == 1:
            return self._pair(node, scope)
        self.metered = True
        first = self.compile(node.first, scope)
        rest = [(OPERATORS[operator], self.compile(operand, scope)) for operator, operand in node.rest]

        def fold(names: Mapping[str, Any]) -> Any:
            value, fuel = first(names), names[FUEL]
            for operator, operand in rest:
                value = operator(value, operand(names), fuel)
            return value

        return fold

    def _pair(self, node: syntax.Binary, scope: Scope) -> Closure:
        operator, right = node.rest[0]
        if operator in {"===", "!=="}:
            return self._identity(node.first, right, scope, positive=operator == "===")
        self.metered = True
        first, second, function = self.compile(node.first, scope), self.compile(right, scope), OPERATORS[operator]
        if operator != "in":
            return lambda names: function(first(names), second(names), names[FUEL])
        text, end = self._text(right), right.end

        def within(names: Mapping[str, Any]) -> bool:
            key, value = first(names), second(names)
            if value is None or value is UNDEFINED:
                raise missing(value, text, end)
            return bool(function(key, value, names[FUEL]))

        return within

    def _identity(self, left: Node, right: Node, scope: Scope, *, positive: bool) -> Closure:
        if isinstance(left, Literal):
            left, right = right, left
        value = self.compile(left, scope)
        if isinstance(right, Literal):
            test = equals(value, right.value)
            return test if positive else lambda names: not test(names)
        other = self.compile(right, scope)
        if self.loops:
            # Inside a loop two long strings may be compared many times.
            self.metered = True
            metered = OPERATORS["===" if positive else "!=="]
            return lambda names: metered(value(names), other(names), names[FUEL])
        if positive:
            return lambda names: same(value(names), other(names))
        return lambda names: not same(value(names), other(names))

    def logical(self, node: syntax.Logical, scope: Scope) -> Closure:
        operands = [self.compile(operand, scope) for operand in node.operands]
        return _LOGICAL[node.operator](operands[:-1], operands[-1])

    def conditional(self, node: syntax.Conditional, scope: Scope) -> Closure:
        test, then, otherwise = (self.compile(part, scope) for part in (node.test, node.then, node.otherwise))
        return lambda names: then(names) if truthy(test(names)) else otherwise(names)

    def arrow(self, node: syntax.Arrow, scope: Scope) -> Closure:
        self.metered = True
        parameters = node.parameters
        self.loops += 1
        body = self.compile(node.body, scope | frozenset(parameters))
        self.loops -= 1
        text = self._text(node)
        work = 1 + sum(1 for _ in syntax.walk(node.body)) // 2

        def arrow(names: Mapping[str, Any]) -> Function:
            fuel: Fuel = names[FUEL]

            def call(_fuel: Fuel, arguments: list[Any]) -> Any:
                fuel.enter(work)
                inner = dict(names)
                for index, parameter in enumerate(parameters):
                    inner[parameter] = arguments[index] if index < len(arguments) else UNDEFINED
                value = body(inner)
                fuel.depth -= 1
                return value

            return Function(text, call)

        return arrow


def _both(before: list[Closure], last: Closure) -> Closure:
    if len(before) == 1:
        only = before[0]

        def both(names: Mapping[str, Any]) -> Any:
            value = only(names)
            return last(names) if value is True or truthy(value) else value

        return both

    def each(names: Mapping[str, Any]) -> Any:
        for operand in before:
            value = operand(names)
            if value is not True and not truthy(value):
                return value
        return last(names)

    return each


def _either(before: list[Closure], last: Closure) -> Closure:
    def either(names: Mapping[str, Any]) -> Any:
        for operand in before:
            value = operand(names)
            if value is not False and truthy(value):
                return value
        return last(names)

    return either


def _present(before: list[Closure], last: Closure) -> Closure:
    def present(names: Mapping[str, Any]) -> Any:
        for operand in before:
            value = operand(names)
            if value is not None and value is not UNDEFINED:
                return value
        return last(names)

    return present


_LOGICAL: dict[str, Callable[[list[Closure], Closure], Closure]] = {"&&": _both, "||": _either, "??": _present}
_WORDS = {
    "and": "write &&",
    "or": "write ||",
    "not": "write !",
    "True": "write true",
    "False": "write false",
    "None": "write null",
}
_COMPILE: dict[type[Node], Callable[[Compiler, Any, Scope], Closure]] = {
    syntax.Literal: Compiler.literal,
    syntax.Name: Compiler.name,
    syntax.Template: Compiler.template,
    syntax.Pattern: Compiler.pattern,
    syntax.Array: Compiler.array,
    syntax.Object: Compiler.object,
    syntax.Member: Compiler.member,
    syntax.Chain: Compiler.chain,
    syntax.Call: Compiler.call,
    syntax.Unary: Compiler.unary,
    syntax.Binary: Compiler.binary,
    syntax.Logical: Compiler.logical,
    syntax.Conditional: Compiler.conditional,
    syntax.Arrow: Compiler.arrow,
}
