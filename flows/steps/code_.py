"""`code`: JavaScript. Inline `source` in the engine, or a `module` of the flow in a node process."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from flows.document.places import line_and_column
from flows.errors import DefinitionError, StepError
from flows.script.engine import Engine, Form, Mistake, Reference, Script
from flows.script.quickjs import QuickJs
from flows.script.scan import absent_names, scan
from flows.script.settings import ScriptSettings
from flows.step import Load, Output, Scope
from flows.steps.child import environment, kept, raise_if_failed
from flows.steps.json_text import BLANKS, json_text, parse_json, strip_fences
from flows.steps.module_file import check_there, find_module, read_module
from flows.steps.process import Finished, run_process

SUFFIXES = (".mjs", ".js", ".cjs")
CHECK_S = 10.0  # node takes a tenth of a second to read a module


class CodeSpec(BaseModel):
    """The `code` section of a step."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    source: str | None = Field(default=None, description="the body of an async function of `$`; what it returns is the output")
    module: str | None = Field(default=None, description="a file of the flow, run by node: `$` on stdin, JSON on stdout")

    @model_validator(mode="after")
    def _has_one(self) -> CodeSpec:
        if (self.source is None) == (self.module is None):
            raise ValueError("write one of source and module")
        return self


class CodeSettings(ScriptSettings):
    """`[steps.code]`."""

    node: str = Field(default="node", description="the program that runs modules: a name on PATH, or a path")
    env: tuple[str, ...] = Field(
        default=("PATH", "HOME", "LANG", "TMPDIR", "USER"), description="names of the daemon's environment that modules see"
    )
    module_timeout_s: float = Field(default=300.0, gt=0, description="for one module; `timeoutMs` of the step may end it before")
    grace_s: float = Field(default=5.0, ge=0, description="between SIGTERM and SIGKILL")


@dataclass(frozen=True, slots=True)
class Module:
    """A module, found and read at load."""

    file: Path
    written: str
    references: tuple[Reference, ...]
    lines: Mapping[Reference, str]  # where each is made: lib/score.mjs:3:7
    engine: str = "node"


class Code:
    name: ClassVar[str] = "code"
    section: ClassVar[str] = "code"
    effects: ClassVar[bool] = True  # a module may do anything
    container: ClassVar[bool] = False
    Settings: ClassVar[type[BaseModel]] = CodeSettings
    Spec: ClassVar[type[BaseModel]] = CodeSpec

    def __init__(self, settings: CodeSettings | None = None) -> None:
        self.settings = settings or CodeSettings()
        self._engine: Engine = QuickJs(self.settings.processes)

    def prepare(self, spec: CodeSpec, load: Load) -> Script | Module:
        return self._script(spec.source, load) if spec.source is not None else self._module(str(spec.module), load)

    def _script(self, source: str, load: Load) -> Script:
        mistake = self._engine.check(source, "body")
        if mistake is not None:
            raise DefinitionError.at(("source",), mistake.problem, code="SCRIPT_SYNTAX", offset=mistake.offset)
        for name in absent_names(source):
            load.warn(("source",), f"`{name}` is not there in inline code", "write a module: it has all of node")
        return scan(source, form="body")

    def _module(self, written: str, load: Load) -> Module:
        file = find_module(load.folder, written, SUFFIXES)
        text = read_module(file, written)
        node = shutil.which(self.settings.node)
        if node is None:
            load.warn(
                ("module",), f"{self.settings.node} is not on PATH: the step will fail with BINARY_MISSING", "install Node.js"
            )
        for mistake in _mistakes(self._engine, file, text, node):
            place = written if mistake.offset is None else _line(written, text, mistake.offset)
            raise DefinitionError.at(("module",), f"{place}: {mistake.problem}", code="SCRIPT_SYNTAX")
        offsets = scan(text, form="module").offsets
        return Module(file, written, tuple(offsets), {each: _line(written, text, offset) for each, offset in offsets.items()})

    async def run(self, prepared: Script | Module, scope: Scope) -> Output:
        if isinstance(prepared, Script):
            return Output(await self._engine.evaluate(prepared, scope.names, self.settings.limits()))
        check_there(prepared.file, prepared.written)
        settings = self.settings
        finished = await run_process(
            (settings.node, str(prepared.file.resolve())),
            env=environment(settings.env, scope),
            cwd=scope.folder,
            timeout_s=settings.module_timeout_s,
            grace_s=settings.grace_s,
            max_output_bytes=settings.max_output_bytes,
            stdin=_input(scope),
        )
        raise_if_failed(finished, settings.module_timeout_s, settings.max_output_bytes, what="the module")
        return Output(_value(finished))

    async def close(self) -> None:
        await self._engine.close()


def _line(written: str, text: str, offset: int) -> str:
    line, column = line_and_column(text, offset)
    return f"{written}:{line}:{column}"


def _mistakes(engine: Engine, file: Path, text: str, node: str | None) -> Iterator[Mistake]:
    """At most one. The engine reads as node does but for what is newest: where it finds a mistake, node has the last word."""
    forms: dict[str, tuple[Form, ...]] = {".mjs": ("module",), ".cjs": ("body",)}
    found = [engine.check(text, form) for form in forms.get(file.suffix, ("module", "body"))]
    if None in found:
        return
    said = None if node is None else _node_says(node, file)
    if said == "":
        return
    first = found[0]
    assert first is not None
    yield first


def _node_says(node: str, file: Path) -> str:
    """What `node --check` complains of; nothing: it is well. It reads the file and runs nothing."""
    try:
        done = subprocess.run([node, "--check", str(file)], capture_output=True, timeout=CHECK_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "node could not be asked"
    return "" if done.returncode == 0 else done.stderr.decode("utf-8", "replace")


def _input(scope: Scope) -> bytes:
    try:
        return json_text(scope.names["$"]).encode()
    except RecursionError as error:
        raise StepError("the data are nested too deeply for a module", code="SCRIPT_INPUT", retryable=False) from error


def _value(finished: Finished) -> Any:
    """The JSON that was printed; nothing printed is null."""
    try:
        text = finished.stdout.decode()
    except UnicodeDecodeError as error:
        said = f"stdout is not UTF-8: byte {error.start} is 0x{finished.stdout[error.start]:02x}"
        raise StepError(said, code="OUTPUT_ENCODING", output=kept(finished)) from error
    if not text.strip(BLANKS):
        return None
    try:
        return parse_json(text, what="stdout")
    except StepError as error:
        if "\\ud" in text and (found := _with_halves(text)) is not None:
            return found
        error.output = kept(finished)
        raise


def _with_halves(text: str) -> Any:
    """JSON in which half a character is escaped, as JSON.stringify writes it. None: it is no JSON."""
    try:
        return json.loads(strip_fences(text))
    except (ValueError, RecursionError):
        return None
