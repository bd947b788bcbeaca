"""The program of the engine's child process: reads scripts with their data, runs each in an engine of its own, answers.

It is run as a file, with nothing of ours to import. It holds no descriptor but the socket to its parent and its own figures, and can
open none: were the engine itself broken out of, there would be nothing to reach. It ends when its parent closes the socket.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import resource
import sys
import time
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

STACK_BYTES = 512 * 1024
LINES_BEFORE = 5000  # the script's lines are numbered from here, and so told from the prelude's
CPU_LEFT_S = 2  # beyond a script's time, for what the engine does not interrupt: then the system ends this process
SPARE_BYTES = 512 * 1024 * 1024  # of address space beside the engine's memory: the interpreter, texts on their way in and out
TIRED_BYTES = 128 * 1024 * 1024  # a child that stays this large after a script gives its memory back by ending
FRAME = re.compile(r"<input>:(\d+):(\d+)")
NO_MEMORY = "it needed more memory than it may have"
OUT_OF_MEMORY = ("out of memory", "string too long", "invalid array buffer length")


class Refused(Exception):  # noqa: N818 - it is what becomes of a script, and never leaves this file
    """A script came to nothing: what the parent is told."""

    def __init__(self, code: str, message: str, **more: Any) -> None:
        self.answer = {"code": code, "message": message, **more}
        super().__init__(message)


def main() -> None:
    engine = load_engine(sys.argv[1])
    preludes = [Path(name).read_text(encoding="utf-8") for name in sys.argv[2:5]]
    time.localtime()  # reads the time zone while files can still be opened
    figures = open_figures()
    restrict()
    os.write(0, b"\n")  # ready: the next script's time begins when it is sent
    waiting = [begun(engine, preludes[0])]
    while (request := receive()) is not None:
        answer, body = respond(waiting.pop(), engine, preludes[1:], *request)
        if answer["code"] == "null":
            answer |= explained_null(request[0], held_bytes(figures, "VmHWM"))
        answer["tired"] = held_bytes(figures, "VmRSS") > TIRED_BYTES
        send(answer, body)
        waiting.append(begun(engine, preludes[0]))  # while nobody waits for it


def begun(engine: Any, prelude: str) -> tuple[Any, Any]:
    """An engine for one script, with its prelude run: most of what a short script would wait for."""
    context = engine.Context()
    context.set_max_stack_size(STACK_BYTES)
    return context, context.eval(prelude)("Coordinated Universal Time" if set(time.tzname) == {"UTC"} else "")


def open_figures() -> int | None:
    try:
        return os.open("/proc/self/status", os.O_RDONLY)
    except OSError:  # a system without them: then nothing is known of what is held
        return None


def held_bytes(figures: int | None, name: str) -> int:
    """What this process holds (VmRSS), or held at most (VmHWM). Not its usage's maximum, which began with the parent's."""
    if figures is None:
        return 0
    found = re.search(rb"%s:\s+(\d+) kB" % name.encode(), os.pread(figures, 8192, 0))
    return int(found[1]) * 1024 if found else 0


def explained_null(request: dict[str, Any], most_bytes: int) -> dict[str, Any]:
    """Where the engine has no memory left for an error it throws null. So may a script, which then has the word."""
    if "null" not in request["text"] or most_bytes > request["memory_bytes"] * 0.8:
        return {"code": "SCRIPT_MEMORY", "message": NO_MEMORY}
    return {"code": "SCRIPT_ERROR", "message": "threw null"}


def load_engine(file: str) -> Any:
    loader = ExtensionFileLoader("_quickjs", file)
    module = module_from_spec(spec_from_loader("_quickjs", loader))  # type: ignore[arg-type]  # a loader always has a spec
    loader.exec_module(module)
    return module


def restrict() -> None:
    """From here on: no more descriptors, no file that could grow, no core dump, no other program."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def respond(
    fresh: tuple[Any, Any], engine: Any, preludes: list[str], request: dict[str, Any], names: bytes
) -> tuple[dict[str, Any], bytes]:
    used_s = time.process_time()
    allow(resource.RLIMIT_CPU, int(used_s + request["timeout_s"]) + CPU_LEFT_S)
    allow(resource.RLIMIT_AS, request["memory_bytes"] + SPARE_BYTES)
    try:
        return {"code": None}, evaluate(fresh, engine, preludes, request, names)
    except Refused as refused:
        return refused.answer, b""
    except MemoryError:
        return {"code": "SCRIPT_MEMORY", "message": NO_MEMORY}, b""


def allow(limit: int, most: int) -> None:
    resource.setrlimit(limit, (most, resource.getrlimit(limit)[1]))


def evaluate(fresh: tuple[Any, Any], engine: Any, preludes: list[str], request: dict[str, Any], names: bytes) -> bytes:
    """`preludes`: what modules and the words of a locale need. The script's value as JSON. Raises Refused."""
    deadline = time.monotonic() + request["timeout_s"]
    context, begin = fresh
    context.set_memory_limit(request["memory_bytes"])
    is_timed = not (request["modules"] and "crypto" in request["text"])  # the binding calls Python only where no clock runs
    if is_timed:
        context.set_time_limit(request["timeout_s"])
    try:
        require = load_modules(context, preludes[0]) if request["modules"] else None
        if request["zones"] is not None:
            context.eval(preludes[1])(context.parse_json(request["zones"]))
        data = context.parse_json(names.decode())
        script = context.eval("\n" * (LINES_BEFORE - 1) + request["text"])  # the text begins with one line of ours
        end = begin(script, data, require, request["output_bytes"])
        while end(0) == "":
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise Refused("SCRIPT_TIMEOUT", "it never came to an end")
            if is_timed:
                context.set_time_limit(left_s)
            if not context.execute_pending_job():
                raise Refused("SCRIPT_ERROR", "it awaits something that never happens")
        return finished(end(0), end(1), request["output_bytes"])
    except (engine.JSException, engine.StackOverflow) as error:
        raise explained(str(error)) from None


def load_modules(context: Any, prelude: str) -> Any:
    context.add_callable("__host", computed)
    return context.eval(prelude)


def computed(operation: str, name: str, data: str, key: str) -> str:
    """What modules.js cannot compute by itself; bytes as hex. "": there is no such hash."""
    if operation == "random":
        return os.urandom(int(data)).hex()
    try:
        if operation == "hmac":
            return hmac.new(bytes.fromhex(key), bytes.fromhex(data), name).hexdigest()
        return hashlib.new(name, bytes.fromhex(data)).hexdigest()
    except (ValueError, TypeError):  # not known, or one whose length has to be given
        return ""


def finished(how: str, told: str, most_bytes: int) -> bytes:
    if how == "thrown":
        thrown = json.loads(told)
        if thrown["message"] == "threw null":
            raise Refused("null", "", said=thrown["said"])
        raise thrown_out(thrown["name"], thrown["message"], thrown["stack"], thrown["said"])
    body = told.encode()
    if how == "large" or len(body) > most_bytes:
        raise Refused("SCRIPT_OUTPUT", f"its value is larger than {most_bytes:,} bytes as JSON")
    return body


def explained(text: str) -> Refused:
    """What the engine said outside of a script's own try: `Name: message`, and a stack."""
    first, _, stack = text.partition("\n")
    name, colon, message = first.partition(": ")
    if first == "null":
        return Refused("null", "")
    return thrown_out(name if colon else "", message if colon else first, stack, [])


def thrown_out(name: str, message: str, stack: str, said: list[str]) -> Refused:
    where = next(((line, column) for line, column in frames(stack) if line > 0), None)
    more: dict[str, Any] = {"said": said}
    if where is not None:
        more |= {"line": where[0], "column": where[1]}
    if name == "InternalError" and message == "interrupted":
        return Refused("SCRIPT_TIMEOUT", "it was still running when its time was over", **more)
    if name == "InternalError" and message in OUT_OF_MEMORY:
        return Refused("SCRIPT_MEMORY", f"{NO_MEMORY} ({message})", **more)
    return Refused("SCRIPT_ERROR", f"{name}: {message}" if name else message, **more)


def frames(stack: str) -> list[tuple[int, int]]:
    return [(int(line) - LINES_BEFORE, int(column)) for line, column in FRAME.findall(stack)]


def receive() -> tuple[dict[str, Any], bytes] | None:
    """The next script and its data. None: the parent has gone."""
    head = read(4)
    if not head:
        return None
    request = json.loads(read(int.from_bytes(head, "big")))
    return request, bytes(read(request["size"]))


def read(size: int) -> bytearray:
    data = bytearray()
    while len(data) < size:
        more = os.read(0, min(size - len(data), 1 << 20))
        if not more:
            return bytearray()
        data += more
    return data


def send(answer: dict[str, Any], body: bytes) -> None:
    answer["size"] = len(body)
    head = json.dumps(answer).encode()
    for part in (len(head).to_bytes(4, "big") + head, body):
        left = memoryview(part)
        while left:
            left = left[os.write(0, left) :]


if __name__ == "__main__":
    main()
