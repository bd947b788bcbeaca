"""`bash`: a shell command in a process group of its own, with values that arrive as data."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from flows.errors import DefinitionError, Problem, StepError
from flows.selector import MISSING
from flows.step import Load, Output, Scope
from flows.steps.checked_text import CheckedText, collected, compile_text
from flows.steps.child import environment, kept, raise_if_failed
from flows.steps.file_place import FilePath, compile_path, find_file
from flows.steps.json_text import BLANKS, envelope_usage, json_text, parse_json, unwrap_envelope
from flows.steps.process import Finished, run_process
from flows.steps.shell_place import Place, places, refusal
from flows.template import as_text
from flows.value import Value, compile_value

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class BashSpec(BaseModel):
    """The `bash` section of a step."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True, frozen=True)

    command: str = Field(min_length=1, description="the command, as text with {{ }} or a $. path")
    timeout: float | None = Field(default=None, ge=0, description="milliseconds; 0 or none: the setting timeout_s")
    parse_json: bool = Field(default=False, alias="parseJson", description="stdout is JSON, perhaps in a code fence")
    parse_envelope: bool = Field(default=False, alias="parseEnvelope", description="stdout is `claude --output-format json`")
    cwd: str | None = Field(default=None, description="the folder to run in, from the flow's folder; none: the flow's folder")
    env: dict[str, Any] = Field(default_factory=dict, description="NAME: text, {json: value} or {shell: value}")

    @field_validator("command")
    @classmethod
    def _is_something(cls, command: str) -> str:
        if not command.strip():
            raise ValueError("command is empty")
        return command


class BashSettings(BaseModel):
    """`[steps.bash]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shell: str = Field(default="bash", description="the program that is given -c and the command: a name on PATH, or a path")
    env: tuple[str, ...] = Field(
        default=("PATH", "HOME", "LANG", "TMPDIR", "USER"), description="names of the daemon's environment that commands see"
    )
    timeout_s: float = Field(default=30.0, gt=0, description="for steps without a timeout of their own")
    grace_s: float = Field(default=5.0, ge=0, description="between SIGTERM and SIGKILL")
    max_output_bytes: int = Field(
        default=10 * 1024 * 1024, gt=0, description="of stdout and of stderr; beyond it the command is killed"
    )
    interpolation: Literal["checked", "verbatim"] = Field(
        default="checked", description="checked: a value that could change the command fails the attempt; verbatim: it is put in"
    )


@dataclass(frozen=True, slots=True)
class Variable:
    """One of the step's environment variables."""

    name: str
    value: Value
    in_file: bool  # {json: …}: the variable is the path of a file that holds the value


@dataclass(frozen=True, slots=True)
class Command:
    """A `bash` section, compiled."""

    text: CheckedText
    places: tuple[Place, ...]  # of the placeholders in `text`, in order
    timeout_s: float | None
    parse: Literal["text", "json", "envelope"]
    cwd: FilePath | None
    env: tuple[Variable, ...]
    references: tuple[tuple[str | int, ...], ...]


class Bash:
    """Runs commands. What a command starts ends with it; `setsid` is how a program leaves."""

    name: ClassVar[str] = "bash"
    section: ClassVar[str] = "bash"
    effects: ClassVar[bool] = True
    container: ClassVar[bool] = False
    Settings: ClassVar[type[BaseModel]] = BashSettings
    Spec: ClassVar[type[BaseModel]] = BashSpec

    def __init__(self, settings: BashSettings) -> None:
        self.settings = settings

    def prepare(self, spec: BashSpec, load: Load) -> Command:
        problems: list[Problem] = []
        text = collected(problems, ("command",), lambda: compile_text(spec.command, lenient=True))
        cwd = None if spec.cwd is None else collected(problems, ("cwd",), lambda: compile_path(spec.cwd or ""))
        env = [_variable(problems, name, raw) for name, raw in spec.env.items() if raw is not None]
        if problems:
            raise DefinitionError(*problems)
        assert text is not None
        found = tuple(places(text.literals))
        if self.settings.interpolation == "checked":
            _warn(text, load)
        variables = tuple(variable for variable in env if variable is not None)
        references = [text.references, cwd.references if cwd else (), *(each.value.references for each in variables)]
        return Command(
            text,
            found,
            spec.timeout / 1000 if spec.timeout else None,
            "envelope" if spec.parse_envelope else "json" if spec.parse_json else "text",
            cwd,
            variables,
            tuple(dict.fromkeys(reference for each in references for reference in each)),
        )

    async def run(self, prepared: Command, scope: Scope) -> Output:
        command = self._command(prepared, scope.names)
        cwd = scope.folder if prepared.cwd is None else find_file(prepared.cwd, scope.names, scope.folder, roots=())
        timeout_s = prepared.timeout_s or self.settings.timeout_s
        folder: Path | None = None
        try:
            if any(variable.in_file for variable in prepared.env):
                folder = await asyncio.to_thread(_new_folder)
            finished = await run_process(
                (self.settings.shell, "-c", "--", command),
                env=await self._environment(prepared, scope, folder),
                cwd=cwd,
                timeout_s=timeout_s,
                grace_s=self.settings.grace_s,
                max_output_bytes=self.settings.max_output_bytes,
            )
        finally:
            if folder is not None:
                rmtree(folder, ignore_errors=True)
        try:
            raise_if_failed(finished, timeout_s, self.settings.max_output_bytes, what="the command")
        except StepError as error:
            if prepared.parse == "envelope":
                error.usage = envelope_usage(finished.stdout)  # a call that failed was paid for all the same
            raise
        return _output(finished, prepared.parse)

    async def close(self) -> None:
        """Nothing is shared between attempts."""

    def _command(self, prepared: Command, names: Mapping[str, Any]) -> str:
        def judge(number: int, _before: str, text: str, pipe: str | None) -> str | None:
            if self.settings.interpolation == "verbatim":
                return None
            return refusal(text, prepared.places[number], pipe)

        return prepared.text.make(names, judge, lambda number: _advice(prepared, number))

    async def _environment(self, prepared: Command, scope: Scope, folder: Path | None) -> dict[str, str]:
        env = environment(self.settings.env, scope)
        for variable in prepared.env:
            made = variable.value.make(scope.names)
            value = None if made is MISSING else made
            if variable.in_file and folder is not None:
                file = folder / f"{variable.name}.json"
                await asyncio.to_thread(_write_private, file, json_text(value))
                env[variable.name] = str(file)
            else:
                env[variable.name] = as_text(value)
        return env


def _variable(problems: list[Problem], name: str, raw: Any) -> Variable | None:
    if not _NAME.match(name):
        problems.append(Problem(("env", name), f"«{name[:60]}» is no name of an environment variable", "letters, digits and _"))
        return None
    form = next(iter(raw)) if isinstance(raw, dict) and len(raw) == 1 else None
    inner = raw[form] if form in ("json", "shell") else raw
    path = ("env", name, form) if form in ("json", "shell") else ("env", name)
    value = collected(problems, path, lambda: compile_value(inner, lenient=True))
    return None if value is None else Variable(name, value, in_file=form == "json")


def _warn(text: CheckedText, load: Load) -> None:
    """Each place where a stranger's text can fail the attempt, for `validate`."""
    if text.whole is not None:
        load.warn(
            ("command",), f"the whole command is the value of {text.source}", "write the command here, its values as pipes or env"
        )
    for number, placeholder in enumerate(text.placeholders):
        if not placeholder.pipes:
            hint = f"write {_quoted(text, number)}, or pass it through env"
            load.warn(("command",), f"{placeholder.source} is put into a command as it is", hint)


def _quoted(text: CheckedText, number: int) -> str:
    inside = text.shown(number).removeprefix("{{").removesuffix("}}").partition("|")[0].strip()
    return f"{{{{{inside.removeprefix('q ')} | shell}}}}"


def _advice(prepared: Command, number: int) -> str:
    if prepared.text.whole is not None:
        return "write the command in the flow, and pass values by {{… | shell}} or env"
    pipe = _quoted(prepared.text, number)
    if prepared.places[number].quote == "none":
        return f"write {pipe}"
    return f"write {pipe} outside of the command's own quotes, or pass it through env"


def _new_folder() -> Path:
    return Path(mkdtemp(prefix="camshaft-"))


def _write_private(file: Path, text: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
        opened.write(text)


def _output(finished: Finished, parse: Literal["text", "json", "envelope"]) -> Output:
    try:
        stdout = finished.stdout.decode()
    except UnicodeDecodeError as error:
        said = f"stdout is not UTF-8: byte {error.start} is 0x{finished.stdout[error.start]:02x}"
        raise StepError(f"{said}; pass it through base64", code="OUTPUT_ENCODING", output=kept(finished)) from error
    text = stdout.strip(BLANKS)
    response = {"stdout": text, "stderr": finished.stderr.decode("utf-8", "replace").strip(BLANKS), "exitCode": finished.status}
    if finished.leftovers:
        response["leftovers"] = True  # something it started still held its output, and was killed
    try:
        if parse == "envelope":
            value, usage = unwrap_envelope(stdout)
            return Output(value, response, usage)
        return Output(parse_json(stdout, what="stdout") if parse == "json" else text, response)
    except StepError as error:
        error.output = kept(finished)
        raise
