"""The program of a python step's child: imports the module, calls the function with what stdin holds, tells its result.

It is run as a file, perhaps by another version of Python, with nothing of ours to import. Standard output is the result's alone:
what the function prints goes to standard error.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import math
import os
import sys
import traceback
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

MAX_FRAMES = 20
MAX_MESSAGE = 1000


def main() -> int:
    file, function, memory_bytes = sys.argv[1], sys.argv[2], int(sys.argv[3])
    channel = os.dup(1)
    os.dup2(2, 1)
    given = json.loads(sys.stdin.buffer.read())
    with open(os.devnull) as nothing:  # noqa: PTH123 - every millisecond of imports is paid by each attempt
        os.dup2(nothing.fileno(), 0)
    if memory_bytes:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    status = 1
    try:
        text, status = encoded(call(file, function, given)), 0
    except SystemExit as error:
        text = raised("PYTHON_ERROR", f"it called sys.exit({error.code!r})", error, file)
    except Unfit as error:
        text = raised("PYTHON_RESULT", f"the result of {function}() is no JSON: {error}", error, file)
    except BaseException as error:  # noqa: BLE001 - a stranger's code: whatever it raises is told
        text = raised("PYTHON_ERROR", said_of(error, file), error, file)
    tell(channel, text)
    return status


class Unfit(Exception):  # noqa: N818 - what a result is
    """A result that JSON cannot hold."""


def call(file: str, function: str, given: dict[str, Any]) -> object:
    sys.path.insert(0, os.path.dirname(file))  # noqa: PTH120 - as above
    spec = spec_from_file_location("camshaft_step", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickles look there
    spec.loader.exec_module(module)
    result = getattr(module, function)(*given.get("args", []), **given.get("kwargs", {}))
    return asyncio.run(finished(result)) if inspect.isawaitable(result) else result


async def finished(result: Any) -> object:
    return await result


def encoded(value: object) -> bytes:
    """Raises Unfit."""
    try:
        fit = plain(value)
        text = json.dumps(fit, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        try:
            return text.encode()
        except UnicodeEncodeError:  # half a character
            return json.dumps(fit, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Unfit(str(error)) from None


def plain(value: object) -> object:
    """NaN and infinities are null, as everywhere. Raises RecursionError."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def said_of(error: BaseException, file: str) -> str:
    """The exception, and where in the module it came from. No values but those of its own message."""
    where = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    place = f" (line {where[-1].lineno}, in {where[-1].name})" if where else ""
    message = "".join(traceback.format_exception_only(type(error), error)).strip()
    return f"{message[:MAX_MESSAGE]}{place}"


def raised(code: str, message: str, error: BaseException, file: str) -> bytes:
    frames = traceback.extract_tb(error.__traceback__)
    first = next((number for number, frame in enumerate(frames) if frame.filename == file), len(frames))
    lines = traceback.format_list(frames[first:][-MAX_FRAMES:])
    told = {"code": code, "message": message, "traceback": "".join(lines).rstrip()}
    return b'{"raised": ' + json.dumps(told).encode() + b"}"


def tell(channel: int, text: bytes) -> None:
    left = memoryview(text)
    while left:
        left = left[os.write(channel, left) :]


if __name__ == "__main__":
    sys.exit(main())
