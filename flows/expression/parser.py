"""Tokens to a tree: JavaScript's grammar of expressions, without what changes or makes things."""

from __future__ import annotations

from typing import NoReturn

from flows.expression.grammar import (
    ARROW,
    ARROW_AHEAD,
    ASSIGNMENTS,
    CONSTANTS,
    HINTS,
    LEVELS,
    LOGICAL,
    MAX_DEPTH,
    MAX_NESTING,
    MAX_SOURCE,
    NO_NAMES,
    PREFIXES,
    RESERVED,
)
from flows.expression.lexer import BLANK, Lexer, Token, refuse
from flows.expression.syntax import (
    Array,
    Arrow,
    Binary,
    Call,
    Chain,
    Conditional,
    Literal,
    Logical,
    Member,
    Name,
    Node,
    Object,
    Pattern,
    Template,
    Unary,
    walk,
)


def parse(source: str) -> Node:
    """The tree of a source text. Raises DefinitionError with one problem: code, offset and, where there is one, a hint."""
    if len(source) > MAX_SOURCE:
        refuse(f"the expression is longer than {MAX_SOURCE:,} characters", MAX_SOURCE, code="EXPRESSION_LIMIT")
    tree = Parser(source).whole()
    if len(source) <= MAX_DEPTH // 2:  # a node has a character of its own, and may stand in a chain, which has none
        return tree
    deepest, depth = max(walk(tree), key=lambda found: found[1])
    if depth > MAX_DEPTH:
        too_deep(deepest.start)
    return tree


def too_deep(offset: int) -> NoReturn:
    refuse("the expression is nested too deeply", offset, f"at most {MAX_NESTING} levels", code="EXPRESSION_LIMIT")


class Parser:
    """One pass over one source, one token ahead."""

    def __init__(self, source: str) -> None:
        self.lexer = Lexer(source)
        self.token = Token("end", "", 0, 0, False)
        self.last_end = 0
        self.nesting = 0

    def whole(self) -> Node:
        """All of the source as one expression."""
        self._advance()
        if self.token.kind == "end":
            refuse("the expression is empty", 0, "write true to let everything through")
        tree = self._expression()
        if self.token.kind != "end":
            self._unexpected()
        return tree

    def _expression(self, level: int = 0) -> Node:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            too_deep(self.token.start)
        start = self.token.start
        left = self._arrow() if level == 0 else None
        if left is None:
            left = self._operators(self._unary(), start, level)
            if level == 0 and self._at("?"):
                left = self._conditional(left, start)
        self.nesting -= 1
        return left

    def _operators(self, left: Node, start: int, level: int) -> Node:
        while True:
            operator = self._operator()
            strength = LEVELS.get(operator, 0)
            if strength < max(level, 1):
                return left
            if operator == "**":
                self._advance()
                right = self._expression(strength)
                left = Binary(start, self.last_end, left, (("**", right),))
            elif operator in LOGICAL:
                left = self._logical(left, start, operator, strength)
            else:
                left = self._binary(left, start, strength)

    def _operator(self) -> str:
        kind, value = self.token.kind, self.token.value
        return str(value) if kind == "punctuation" or (kind == "name" and value == "in") else ""

    def _binary(self, left: Node, start: int, strength: int) -> Node:
        rest: list[tuple[str, Node]] = []
        while LEVELS.get(operator := self._operator()) == strength:
            self._advance()
            rest.append((operator, self._expression(strength + 1)))
        return Binary(start, self.last_end, left, tuple(rest))

    def _logical(self, left: Node, start: int, operator: str, strength: int) -> Node:
        operands = [left]
        began = start
        while True:
            if _bare_mix(operands[-1], began, operator):
                self._mixed(operands[-1])
            if not self._at(operator):
                return Logical(start, self.last_end, operator, tuple(operands))
            self._advance()
            began = self.token.start
            operands.append(self._expression(strength + 1))

    def _mixed(self, operand: Node) -> NoReturn:
        first = operand.operands[0].end if isinstance(operand, Logical) else operand.end
        blank = BLANK.match(self.lexer.source, first)
        refuse("?? cannot stand beside || or && without brackets", blank.end() if blank else first, "write (a ?? b) || c")

    def _conditional(self, test: Node, start: int) -> Node:
        self._advance()
        then = self._expression()
        self._expect(":", "a ? has no :")
        otherwise = self._expression()
        return Conditional(start, self.last_end, test, then, otherwise)

    def _arrow(self) -> Node | None:
        start = self.token.start
        if self.token.kind == "name" and self.token.value not in NO_NAMES:
            if ARROW_AHEAD.match(self.lexer.source, self.token.end) is None:
                return None
            parameters = [self._parameter()]
        elif self._at("(") and ARROW.match(self.lexer.source, start):
            parameters = self._parameters()
        else:
            return None
        self._expect("=>", "an arrow function has no =>")
        if self._at("{"):
            refuse("an arrow function is one expression here", self.token.start, "without { }; an object stands in ( )")
        body = self._expression()
        return Arrow(start, self.last_end, tuple(parameters), body)

    def _parameters(self) -> list[str]:
        parameters: list[str] = []
        self._advance()
        while not self._at(")"):
            place = self.token.start
            parameters.append(self._parameter())
            if parameters[-1] in parameters[:-1]:
                refuse(f"the parameter `{parameters[-1]}` is there twice", place)
            if not self._at(")"):
                self._expect(",", "a parameter is followed by , or )")
        self._advance()
        return parameters

    def _parameter(self) -> str:
        name = str(self.token.value)
        if self.token.kind != "name" or name in NO_NAMES:
            self._unexpected()
        self._advance()
        return name

    def _unary(self) -> Node:
        signs: list[Token] = []
        while self.token.value in PREFIXES and self.token.kind in {"punctuation", "name"}:
            signs.append(self.token)
            self._advance()
        node = self._postfix()
        if signs and self._at("**"):
            refuse("a sign before ** is ambiguous", signs[-1].start, "write (-a) ** b or -(a ** b)")
        for sign in reversed(signs):
            node = Unary(sign.start, self.last_end, str(sign.value), node)
        return node

    def _postfix(self) -> Node:
        start = self.token.start
        node = self._primary()
        optional = False
        while True:
            operator = self.token.value if self.token.kind == "punctuation" else ""
            if operator == "?.":
                optional = True
                node = self._optional(node, start)
            elif operator == ".":
                self._advance()
                node = self._named(node, start, optional=False)
            elif operator == "[":
                node = self._computed(node, start, optional=False)
            elif operator == "(":
                node = self._call(node, start, optional=False)
            elif operator == "`":
                refuse("tagged templates are not part of the language", self.token.start)
            else:
                return Chain(start, self.last_end, node) if optional else node

    def _optional(self, node: Node, start: int) -> Node:
        self._advance()
        if self._at("("):
            return self._call(node, start, optional=True)
        if self._at("["):
            return self._computed(node, start, optional=True)
        return self._named(node, start, optional=True)

    def _named(self, node: Node, start: int, *, optional: bool) -> Node:
        if self.token.kind != "name":
            self._unexpected("a name stands after .")
        key = Literal(self.token.start, self.token.end, self.token.value)
        self._advance()
        return Member(start, self.last_end, node, key, optional)

    def _computed(self, node: Node, start: int, *, optional: bool) -> Node:
        self._advance()
        key = self._expression()
        self._expect("]", "a [ is not closed")
        return Member(start, self.last_end, node, key, optional)

    def _call(self, node: Node, start: int, *, optional: bool) -> Node:
        self._advance()
        arguments = self._list(")", "a ( is not closed")
        return Call(start, self.last_end, node, arguments, optional)

    def _list(self, close: str, problem: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while not self._at(close):
            items.append(self._expression())
            if not self._at(close):
                self._expect(",", problem)
        self._advance()
        return tuple(items)

    def _primary(self) -> Node:
        token = self.token
        if token.kind in {"number", "string"}:
            self._advance()
            return Literal(token.start, token.end, token.value)
        if token.kind == "name":
            return self._word(token)
        if token.kind == "punctuation":
            known = {
                "(": self._group,
                "[": self._array,
                "{": self._object,
                "`": self._template,
                "/": self._pattern,
                "/=": self._pattern,
            }
            reader = known.get(token.value)
            if reader is not None:
                return reader(token.start)
        return self._unexpected()

    def _word(self, token: Token) -> Node:
        if token.value in RESERVED:
            self._unexpected()
        self._advance()
        if token.value in CONSTANTS:
            return Literal(token.start, token.end, CONSTANTS[token.value])
        return Name(token.start, token.end, token.value)

    def _group(self, _start: int) -> Node:
        self._advance()
        node = self._expression()
        self._expect(")", "a ( is not closed")
        return node

    def _array(self, start: int) -> Node:
        self._advance()
        items = self._list("]", "a [ is not closed")
        return Array(start, self.last_end, items)

    def _object(self, start: int) -> Node:
        self._advance()
        keys: list[Node] = []
        values: list[Node] = []
        while not self._at("}"):
            key, value = self._entry()
            keys.append(key)
            values.append(value)
            if not self._at("}"):
                self._expect(",", "a { is not closed")
        self._advance()
        return Object(start, self.last_end, tuple(keys), tuple(values))

    def _entry(self) -> tuple[Node, Node]:
        token = self.token
        if self._at("["):
            self._advance()
            key = self._expression()
            self._expect("]", "a [ is not closed")
        elif token.kind in {"name", "string", "number"}:
            self._advance()
            key = Literal(token.start, token.end, token.value)
            if token.kind == "name" and (self._at(",") or self._at("}")):
                if token.value in NO_NAMES:
                    self._unexpected()
                return key, Name(token.start, token.end, token.value)
        else:
            self._unexpected()
        self._expect(":", "a key is followed by :")
        return key, self._expression()

    def _template(self, start: int) -> Node:
        self.lexer.position = start + 1
        texts: list[str] = []
        parts: list[Node] = []
        while True:
            text, more = self.lexer.template(start)
            texts.append(text)
            if not more:
                break
            self._advance()
            parts.append(self._expression())
            if not self._at("}"):
                self._unexpected("a ${ is closed with }")
            self.lexer.position = self.token.end
        end = self.lexer.position
        self._advance()
        return Template(start, end, tuple(texts), tuple(parts)) if parts else Literal(start, end, texts[0])

    def _pattern(self, start: int) -> Node:
        pattern, flags = self.lexer.pattern(start)
        end = self.lexer.position
        self._advance()
        return Pattern(start, end, pattern, flags)

    def _at(self, punctuation: str) -> bool:
        return self.token.value == punctuation and self.token.kind == "punctuation"

    def _advance(self) -> None:
        self.last_end = self.token.end
        self.token = self.lexer.next()

    def _expect(self, punctuation: str, problem: str) -> None:
        if not self._at(punctuation):
            self._unexpected(f"{problem}: `{punctuation}` is expected here" if self.token.kind == "end" else None)
        self._advance()

    def _unexpected(self, problem: str | None = None) -> NoReturn:
        token = self.token
        word = self.lexer.source[token.start : token.end][:40]
        if token.kind == "end":
            refuse(problem or "the expression ends too early", token.start)
        if token.kind == "punctuation" and word in ASSIGNMENTS:
            refuse(
                f"`{word}` would change something",
                token.start,
                "compare with ===" if word == "=" else "an expression cannot change anything",
            )
        refuse(problem or f"`{word}` does not belong here", token.start, HINTS.get(word))


def _bare_mix(operand: Node, began: int, operator: str) -> bool:
    """An operand of && or || that is ?? without brackets (with them it starts after `began`), or the other way round."""
    return isinstance(operand, Logical) and operand.start == began and ((operand.operator == "??") != (operator == "??"))
