"""What can go wrong in flows, in one tree.

FlowsError
├── DefinitionError      a definition is refused at load: a list of Problems, each with where, what and a hint
├── ExpressionError      an expression could not be evaluated
│   └── MissingPath      it walked on from something that is not there: a condition takes it as false
├── SelectorError        a path that must match matched nothing
├── TemplateError        a text with {{ }} could not be made
└── StepError            an attempt of a step failed, with a stable upper-case code
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from flows.usage import Usage


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a definition, and where."""

    path: tuple[str | int, ...]  # from the document's root: ("steps", 2, "bash", "command")
    problem: str  # a sentence without a full stop: what is wrong, naming the value
    hint: str | None = None  # what to do instead
    code: str = "DEFINITION"  # EXPRESSION_SYNTAX, EXPRESSION_NAME, …: stable, for tools
    offset: int | None = None  # 0-based, in characters, inside the string value at `path`; None: the value as a whole
    file: str | None = None
    line: int | None = None  # 1-based, of the value in the file, or of its key
    column: int | None = None  # 1-based
    warning: bool = False  # True: reported, and the definition still loads
    of_key: bool = False  # True: the field's name is wrong, not its value, and stands at line and column

    @property
    def where(self) -> str:
        """`triggers/a.json:4:15 trigger.filter`, as much of it as is known."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return " ".join(part for part in (place, dotted(self.path)) if part)

    def under(self, *prefix: str | int) -> Problem:
        """The same problem, seen from a document that holds this one at `prefix`."""
        return replace(self, path=(*prefix, *self.path))

    def __str__(self) -> str:
        said = f"{self.where}: {self.problem}" if self.where else self.problem
        return f"{said} ({self.hint})" if self.hint else said


def dotted(path: tuple[str | int, ...]) -> str:
    """`steps[2].bash.command`: how people name a place in a document."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


class FlowsError(Exception):
    """The root of what flows raise."""


class DefinitionError(FlowsError):
    """A definition is refused. `problems` is never empty and holds all that were found, not only the first."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))

    @classmethod
    def at(
        cls,
        path: tuple[str | int, ...],
        problem: str,
        hint: str | None = None,
        *,
        code: str = "DEFINITION",
        offset: int | None = None,
    ) -> DefinitionError:
        """The common case: one problem."""
        return cls(Problem(path, problem, hint, code, offset))

    def under(self, *prefix: str | int) -> DefinitionError:
        """The same error, seen from a document that holds this one at `prefix`."""
        return type(self)(*(problem.under(*prefix) for problem in self.problems))


class ExpressionError(FlowsError):
    """An expression could not be evaluated: `code` is EXPRESSION_TYPE or EXPRESSION_LIMIT."""

    def __init__(self, message: str, *, code: str = "EXPRESSION_TYPE", offset: int | None = None) -> None:
        self.code = code
        self.offset = offset  # 0-based, in the source text
        super().__init__(message)


class MissingPath(ExpressionError):  # noqa: N818 - it is a name of what happened, and a condition takes it as an answer
    """A walk on from undefined or null: `$.body.a.b` where `$.body.a` is missing. `path` is what was missing."""

    def __init__(self, message: str, *, path: str, offset: int | None = None) -> None:
        self.path = path
        super().__init__(message, offset=offset)


class SelectorError(FlowsError):
    """A path that must match matched nothing. `path` is its text."""

    def __init__(self, message: str, *, path: str) -> None:
        self.path = path
        super().__init__(message)


class TemplateError(FlowsError):
    """A text with {{ }} could not be made; `code` is e.g. TEMPLATE_MISSING or UNSAFE_INTERPOLATION."""

    def __init__(self, message: str, *, code: str) -> None:
        self.code = code
        super().__init__(message)


class StepError(FlowsError):
    """An attempt of a step failed.

    `code` is stable and upper-case (EXIT_STATUS, HTTP_STATUS, TIMEOUT, …); retry rules name it. `status` is an HTTP
    status where there is one. `output` is what the attempt produced all the same (a command's stdout), kept for people.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int | None = None,
        retryable: bool = True,
        retry_after_s: float | None = None,
        output: Any = None,
        timed_out: bool = False,  # True: the attempt ends as `timeout`, not as `failed`
        usage: Usage | None = None,  # what it used of language models all the same: a failed attempt's tokens count
    ) -> None:
        self.code = code
        self.status = status
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.output = output
        self.timed_out = timed_out
        self.usage = usage
        super().__init__(message)

    def kept(self) -> StepError:
        """The same without the frames it came through: who keeps it would keep them, and they all that they knew."""
        self.__cause__ = self.__context__ = None
        return self.with_traceback(None)

    def of_container(self, message: str, output: Any = None) -> StepError:
        """What the step around the one that failed fails with: all that retry rules go by is the same. Its usage stays where it is."""
        return StepError(message, code=self.code, status=self.status, retry_after_s=self.retry_after_s, output=output)
