"""The engine over quickjs-ng: texts are checked in this process, which runs none of them; scripts run in child processes.

A thread would not do. The binding lets the other threads run, but some of the engine's loops (`new Array(4e9).join('x')`) never
look at its clock, and nothing can end a thread.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

from flows.depth import MAX_HANDED_DEPTH, deeper_than
from flows.errors import ExpressionError, StepError
from flows.expression import UNDEFINED, to_json
from flows.script.children import Answer, Children
from flows.script.engine import Form, Limits, Mistake, Script
from flows.script.zones import zones_of

MAX_SOURCE = 256 * 1024  # characters: a script that is longer is a module
CHECK_S = 2.0  # the parser takes milliseconds for the longest source
CHECK_BYTES = 128 * 1024 * 1024
STACK_BYTES = 256 * 1024
SHOWN_CHARACTERS = 120  # of the line in which a script failed

WRAPPERS: dict[Form, tuple[str, str]] = {
    "expression": ("(function ($) { return (\n", "\n) })"),
    "condition": (
        "(function ($) { try { return !!(\n",
        "\n) } catch (thrown) { if (thrown instanceof TypeError) return false; throw thrown } })",
    ),
    "body": ("(async function ($, require) {\n", "\n})"),
}
# Each form is read between two pairs of brackets: a text that closes one of them itself, to go on outside, fails in the other.
PROBES: dict[Form, tuple[tuple[str, str], tuple[str, str]]] = {
    "expression": (("(", ")"), ("[", "]")),
    "condition": (("(", ")"), ("[", "]")),
    "body": (("(async ($, require) => {", "})"), ("0 ? async ($, require) => {", "} : 0")),
}
_PLACE = re.compile(r"<input>:(\d+):(\d+)")
_LONG_NUMBER = re.compile(rb"\d{16}")
_SURROGATE = re.compile("[\ud800-\udfff]")


class QuickJs:
    """One engine, and the children it keeps."""

    def __init__(self, most_children: int) -> None:
        self._children = Children(most_children)

    def check(self, source: str, form: Form) -> Mistake | None:
        if len(source) > MAX_SOURCE:
            return Mistake(f"the script is longer than {MAX_SOURCE:,} characters", MAX_SOURCE)
        wrong = _SURROGATE.search(source) or re.search("\0", source)
        if wrong:
            return Mistake("half a character (a lone surrogate), or a NUL, cannot stand in a script", wrong.start())
        if form == "module":
            return _parse(re.sub(r"\A#!", "//", source), "", "", is_module=True)
        first, second = PROBES[form]
        found = _parse(source, *first)
        if found is not None:
            return found
        found = _parse(source, *second)
        return None if found is None else Mistake("it closes a bracket that it did not open", found.offset)

    async def evaluate(self, script: Script, names: Mapping[str, Any], limits: Limits) -> Any:
        before, after = WRAPPERS[script.form]
        request = {
            "text": before + script.source + after,
            "modules": script.requires,
            "zones": zones_of(script.zones) if script.words else None,
            "timeout_s": limits.timeout_s,
            "memory_bytes": limits.memory_bytes,
            "output_bytes": limits.output_bytes,
        }
        answer = await self._children.ask(request, _encoded(_sent(script, names)), within_s=limits.timeout_s)
        if answer.told["code"] is not None:
            raise _failure(script, answer)
        return _decoded(answer.body)

    async def close(self) -> None:
        await self._children.close()


def _parse(source: str, before: str, after: str, *, is_module: bool = False) -> Mistake | None:
    """Only read: the text stands behind a throw, which is as far as running comes. What it imports is not there to be found."""
    import _quickjs

    context = _quickjs.Context()
    context.set_memory_limit(CHECK_BYTES)
    context.set_max_stack_size(STACK_BYTES)
    context.set_time_limit(CHECK_S)
    text = f"throw 0; {before}\n{source}\n{after}"
    try:
        (context.module if is_module else context.eval)(text)
    except _quickjs.StackOverflow:
        return Mistake("the script is nested too deeply")
    except _quickjs.JSException as error:
        return _mistake(str(error), source)
    return None


def _mistake(said: str, source: str) -> Mistake | None:
    name, _, rest = said.partition(": ")
    if name != "SyntaxError":
        return Mistake(f"the script cannot be read: {said.strip()[:200]}") if name.startswith("InternalError") else None
    message = rest.partition("\n")[0]
    place = _PLACE.search(said)
    offset = None if place is None else _offset(source, int(place[1]) - 1, int(place[2]))
    if offset == len(source):
        message = f"the script ends too early ({message})"
    return Mistake(message, offset)


def _offset(source: str, line: int, column: int) -> int:
    """Where a line and a column of the engine, both from 1, stand in the source; its end where they are beyond it."""
    lines = source.split("\n")
    if line > len(lines):
        return len(source)
    before = sum(len(each) + 1 for each in lines[: line - 1])
    return min(before + max(column - 1, 0), len(source))


def _sent(script: Script, names: Mapping[str, Any]) -> dict[str, Any]:
    """Of the names, what the script can reach: the outputs of forty steps need not travel for one of them."""
    reads = script.reads
    root = names["$"]
    sent = {name: root[name] for name in ("input", "steps", "loop", "env") if reads.roots is None or name in reads.roots}
    if "steps" in sent and reads.steps is not None:
        sent["steps"] = {name: root["steps"][name] for name in reads.steps if name in root["steps"]}
    data = {name: names[name] for name in ("data", "output") if reads.data and names.get(name, UNDEFINED) is not UNDEFINED}
    return {"$": sent, **data}


def _encoded(names: dict[str, Any]) -> bytes:
    """As JSON. What JSON has no number for is null, as everywhere."""
    try:
        return orjson.dumps(names)
    except TypeError:  # large integers, half characters, undefined inside, a deep value
        pass
    if deeper_than(names, MAX_HANDED_DEPTH):
        raise StepError("the data are nested too deeply for a script", code="SCRIPT_INPUT", retryable=False)
    try:
        return json.dumps(to_json(names), separators=(",", ":")).encode("ascii")
    except ExpressionError as error:
        raise StepError(f"the data are too large for a script: {error}", code="SCRIPT_INPUT", retryable=False) from error


def _decoded(body: bytes) -> Any:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = _decoded_slowly(body)
    try:
        return to_json(value) if _LONG_NUMBER.search(body) else value  # whole numbers beyond 2^53 are floats, as everywhere
    except ExpressionError as error:
        raise StepError(f"the script's value cannot be kept: {error}", code="SCRIPT_OUTPUT", retryable=False) from error


def _decoded_slowly(body: bytes) -> Any:
    """With half characters."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise StepError(f"the script's value cannot be kept: {error}", code="SCRIPT_OUTPUT", retryable=False) from error
    if deeper_than(value, MAX_HANDED_DEPTH):
        said = f"the script's value cannot be kept: it is nested more than {MAX_HANDED_DEPTH} deep"
        raise StepError(said, code="SCRIPT_OUTPUT", retryable=False)
    return value


def _failure(script: Script, answer: Answer) -> StepError:
    told = answer.told
    where = place = ""
    if told.get("line") is not None:
        lines = script.source.split("\n")
        line = min(int(told["line"]), len(lines))
        text = lines[line - 1].strip()
        place = f"line {line}:{told['column']}: "
        where = f": {text[:SHOWN_CHARACTERS]}{'…' if len(text) > SHOWN_CHARACTERS else ''}" if text else ""
    said = told.get("said")
    return StepError(
        f"{place}{told['message']}{where}",
        code=told["code"],
        retryable=told["code"] in {"SCRIPT_TIMEOUT", "SCRIPT_CRASHED"},  # the others come out the same each time
        output={"console": said} if said else None,
    )
