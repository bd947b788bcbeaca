"""The tables of the grammar: limits, strengths of operators, reserved words, and what is said about each mistake."""

from __future__ import annotations

import re
from typing import Final

MAX_SOURCE: Final = 10_000  # characters: a filter of a thousand comparisons
MAX_NESTING: Final = 100  # brackets in brackets; three frames of the parser each, and Python allows 1,000
MAX_DEPTH: Final = 200  # nodes below nodes; up to two frames of an evaluation each

LEVELS: Final = {
    **dict.fromkeys(["??"], 1),
    **dict.fromkeys(["||"], 2),
    **dict.fromkeys(["&&"], 3),
    **dict.fromkeys(["|"], 4),
    **dict.fromkeys(["^"], 5),
    **dict.fromkeys(["&"], 6),
    **dict.fromkeys(["==", "!=", "===", "!=="], 7),
    **dict.fromkeys(["<", ">", "<=", ">=", "in"], 8),
    **dict.fromkeys(["<<", ">>", ">>>"], 9),
    **dict.fromkeys(["+", "-"], 10),
    **dict.fromkeys(["*", "/", "%"], 11),
    **dict.fromkeys(["**"], 12),
}
LOGICAL: Final = frozenset({"&&", "||", "??"})
PREFIXES: Final = frozenset({"!", "-", "+", "~", "typeof", "void"})
CONSTANTS: Final = {"true": True, "false": False, "null": None}
RESERVED: Final = frozenset(
    [
        "await",
        "break",
        "case",
        "catch",
        "class",
        "const",
        "continue",
        "debugger",
        "default",
        "delete",
        "do",
        "else",
        "enum",
        "export",
        "extends",
        "finally",
        "for",
        "function",
        "if",
        "implements",
        "import",
        "in",
        "instanceof",
        "interface",
        "let",
        "new",
        "package",
        "private",
        "protected",
        "public",
        "return",
        "static",
        "super",
        "switch",
        "this",
        "throw",
        "try",
        "typeof",
        "var",
        "void",
        "while",
        "with",
        "yield",
    ]
)
NO_NAMES: Final = RESERVED | CONSTANTS.keys()
ASSIGNMENTS: Final = frozenset(
    {"=", "+=", "-=", "*=", "/=", "%=", "**=", "<<=", ">>=", ">>>=", "&=", "|=", "^=", "&&=", "||=", "??=", "++", "--"}
)
HINTS: Final = {
    "and": "write &&",
    "or": "write ||",
    "not": "write !",
    "is": "write ===",
    "if": "write test ? then : otherwise",
    "function": "write x => …",
    "new": "nothing can be made with new; literals are [ ], { }, /…/",
    "this": "paths begin with $",
    "instanceof": "write typeof x === '…' or Array.isArray(x)",
    "delete": "an expression cannot change anything",
    ";": "it is one expression, without ;",
    ",": "only one value is given",
    "=>": "an arrow function is written x => … or (x, y) => …, as an argument",
    "...": "spread is not part of the language; use concat()",
    "=": "compare with ===",
    "@": None,
}
_IDENTIFIER: Final = r"[A-Za-z_$\u0080-\uffff][\w$]*"
ARROW: Final = re.compile(rf"\(\s*(?:{_IDENTIFIER}\s*(?:,\s*{_IDENTIFIER}\s*)*(?:,\s*)?)?\)[ \t]*=>")
ARROW_AHEAD: Final = re.compile(r"[ \t]{0,198}=>")  # behind the one parameter of an arrow function; nobody writes more blanks
