"""`python`: a function of the flow's own module, in a fresh child process."""

from __future__ import annotations

import ast
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

from flows.errors import DefinitionError, StepError
from flows.script.engine import Reference
from flows.selector import MISSING
from flows.step import Load, Output, Scope
from flows.steps.child import environment, kept, raise_if_failed
from flows.steps.json_text import json_text
from flows.steps.module_file import check_there, find_module, read_module
from flows.steps.process import Finished, run_process
from flows.suggest import did_you_mean
from flows.value import Value, compile_value

CHILD = Path(__file__).with_name("python_child.py")


class PythonSpec(BaseModel):
    """The `python` section of a step."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    module: str = Field(min_length=1, description="a file of the flow: lib/score.py")
    function: str = Field(default="run", description="its name at the top of the module; it may be async")
    input: Any = Field(default=None, description="the function's one argument; neither input nor args: `$`")
    args: dict[str, Any] | list[Any] | None = Field(default=None, description="its arguments: by name, or in order")
    timeout: float | None = Field(default=None, ge=0, description="milliseconds; 0 or none: the setting timeout_s")

    @model_validator(mode="after")
    def _has_one(self) -> PythonSpec:
        if self.input is not None and self.args is not None:
            raise ValueError("write one of input and args")
        return self


class PythonSettings(BaseModel):
    """`[steps.python]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    python: str | None = Field(
        default=None, description="the interpreter: a name on PATH, or a path; without it the one that camshaft runs on"
    )
    env: tuple[str, ...] = Field(
        default=("PATH", "HOME", "LANG", "TMPDIR", "USER"), description="names of the daemon's environment that functions see"
    )
    timeout_s: float = Field(default=30.0, gt=0, description="for steps without a timeout of their own")
    grace_s: float = Field(default=5.0, ge=0, description="between SIGTERM and SIGKILL")
    max_output_bytes: int = Field(
        default=10 * 1024 * 1024, gt=0, description="of the result as JSON, and of what is printed; beyond it the child is killed"
    )
    memory_bytes: int | None = Field(
        default=None, ge=64 * 1024 * 1024, description="of address space; without it there is no limit"
    )


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a module, found at load, and what it will be given."""

    file: Path
    written: str
    name: str
    arguments: Value | None  # of an object, a list, or a list of one; None: `$`
    timeout_s: float | None
    references: tuple[Reference, ...]
    engine: str = "python"


class Python:
    name: ClassVar[str] = "python"
    section: ClassVar[str] = "python"
    effects: ClassVar[bool] = True
    container: ClassVar[bool] = False
    Settings: ClassVar[type[BaseModel]] = PythonSettings
    Spec: ClassVar[type[BaseModel]] = PythonSpec

    def __init__(self, settings: PythonSettings | None = None) -> None:
        self.settings = settings or PythonSettings()

    def prepare(self, spec: PythonSpec, load: Load) -> Function:
        file = find_module(load.folder, spec.module, (".py",))
        text = read_module(file, spec.module)
        python = self.settings.python
        if python is not None and shutil.which(python) is None:
            load.warn(
                ("module",), f"{python} is not on PATH: the step will fail with BINARY_MISSING", "see [steps.python] python"
            )
        try:
            _check_function(text, spec)
        except DefinitionError as error:
            if python is None:
                raise
            load.warn(("module",), str(error), f"unless {python} is another version of Python than this")
        arguments = _arguments(spec)
        timeout_s = spec.timeout / 1000 if spec.timeout else None
        references: tuple[Reference, ...] = (("$",),) if arguments is None else arguments.references
        return Function(file, spec.module, spec.function, arguments, timeout_s, references)

    async def run(self, prepared: Function, scope: Scope) -> Output:
        check_there(prepared.file, prepared.written)
        settings = self.settings
        timeout_s = prepared.timeout_s or settings.timeout_s
        finished = await run_process(
            (
                settings.python or sys.executable,
                *("-I", "-B"),  # nothing of the daemon's environment or folder decides what is imported; nothing is left behind
                *(str(CHILD), str(prepared.file.resolve()), prepared.name, str(settings.memory_bytes or 0)),
            ),
            env=environment(settings.env, scope),
            cwd=scope.folder,
            timeout_s=timeout_s,
            grace_s=settings.grace_s,
            max_output_bytes=settings.max_output_bytes,
            stdin=_input(prepared, scope),
        )
        _raise_what_it_raised(finished, prepared)
        raise_if_failed(finished, timeout_s, settings.max_output_bytes, what="the function")
        return _output(finished)

    async def close(self) -> None:
        """Nothing is shared between attempts."""


def _check_function(text: str, spec: PythonSpec) -> None:
    """The module is read and not run. Raises DefinitionError."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        place = f"{spec.module}:{error.lineno}:{error.offset}" if error.lineno else spec.module
        raise DefinitionError.at(("module",), f"{place}: {error.msg}", code="PYTHON_SYNTAX") from error
    except (ValueError, RecursionError, MemoryError) as error:  # a NUL; brackets without end
        raise DefinitionError.at(("module",), f"{spec.module} cannot be read: {error}", code="PYTHON_SYNTAX") from error
    names = set(_top_names(tree.body))
    if spec.function not in names and "*" not in names:
        hint = did_you_mean(spec.function, names) or f"its names are {', '.join(sorted(names)) or 'none'}"
        raise DefinitionError.at(("function",), f"{spec.module} has no «{spec.function}»", hint, code="PYTHON_FUNCTION")


def _top_names(body: list[ast.stmt]) -> Iterator[str]:
    """What a module's own statements bind; * for what cannot be told."""
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from ((alias.asname or alias.name).split(".")[0] for alias in aliases)
            case _:
                for inner in ast.walk(statement):
                    if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                        yield inner.id
                    elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                        yield inner.name
                    elif isinstance(inner, ast.alias):
                        yield (inner.asname or inner.name).split(".")[0]


def _arguments(spec: PythonSpec) -> Value | None:
    field, written = ("args", spec.args) if spec.args is not None else ("input", spec.input)
    if written is None:
        return None
    try:
        return compile_value(written if field == "args" else [written])
    except DefinitionError as error:
        raise DefinitionError(*(_without_index(error, field))) from None


def _without_index(error: DefinitionError, field: str) -> Iterator[Any]:
    """The one argument is handed over in a list, of which the definition knows nothing."""
    for problem in error.problems:
        yield replace(problem, path=(field, *(problem.path[1:] if field == "input" else problem.path)))


def _input(prepared: Function, scope: Scope) -> bytes:
    given = [scope.names["$"]] if prepared.arguments is None else prepared.arguments.make(scope.names)
    if given is MISSING:
        given = []
    try:
        return json_text({"args": given} if isinstance(given, list) else {"kwargs": given}).encode()
    except RecursionError as error:
        raise StepError("the data are nested too deeply for a function", code="SCRIPT_INPUT", retryable=False) from error


def _raise_what_it_raised(finished: Finished, prepared: Function) -> None:
    """The child tells an exception on its result channel, with status 1."""
    if finished.end != "exited" or finished.status != 1 or not finished.stdout.startswith(b'{"raised":'):
        return
    try:
        raised = json.loads(finished.stdout)["raised"]
    except ValueError:
        return
    output = kept(finished) | {"stdout": "", "traceback": raised["traceback"]}
    raise StepError(f"{prepared.written}: {raised['message']}", code=raised["code"], output=output)


def _output(finished: Finished) -> Output:
    try:
        value = orjson.loads(finished.stdout)
    except orjson.JSONDecodeError:
        try:
            value = json.loads(finished.stdout)  # half characters, integers beyond 64 bits
        except (ValueError, RecursionError) as error:
            said = f"the function's result cannot be read: {error}"
            raise StepError(said, code="PYTHON_RESULT", output=kept(finished)) from error
    printed = finished.stderr.decode("utf-8", "replace").strip()
    return Output(value, {"result": value, "printed": printed} if printed else None)
