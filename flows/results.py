"""How a step came out, as $.steps shows it, and why a value is missing, in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from flows.errors import DefinitionError, ExpressionError, MissingPath, SelectorError, StepError, TemplateError
from flows.expression import to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from flows.attempt import Attempt
    from flows.graph import Graph, Step
    from flows.step import Output

Result = dict[
    str, Any
]  # status, output, response, error, errorCode, durationMs, attempts, retries; what is not there is undefined


STEP_IN_PATH = re.compile(r"(?:\A|[^\w$])steps(?:\.(?P<name>[\w$]+)|\[\s*(?P<quote>['\"])(?P<quoted>.*?)(?P=quote)\s*\])")


def succeeded(output: Output, *, duration_ms: int, attempts: int, retries: int) -> Result:
    value = output.value
    return {
        "status": "success",
        "output": value,
        "response": value if output.response is None else output.response,
        "durationMs": duration_ms,
        "attempts": attempts,
        "retries": retries,
    }


def failed(error: StepError, *, duration_ms: int, attempts: int, retries: int) -> Result:
    """No `output`: what a failed step printed is not what a later step asked for. It stands in `partial`."""
    result: Result = {
        "status": "timeout" if error.timed_out else "failed",
        "error": str(error),
        "errorCode": error.code,
        "durationMs": duration_ms,
        "attempts": attempts,
        "retries": retries,
    }
    if error.output is not None:
        result["partial"] = error.output
    return result


def skipped() -> Result:
    return {"status": "skipped"}


def restored(attempts: Sequence[Attempt]) -> Result:
    """The result that the last of these records stands for; `attempts` is not empty and ends with a final one."""
    first, last = attempts[0], attempts[-1]
    if last.status == "skipped":
        return skipped()
    result: Result = {"status": last.status}
    if last.status == "success":
        result["output"] = last.output
        result["response"] = last.output if last.response is None else last.response
    else:
        result["status"] = "timeout" if last.status == "timeout" else "failed"
        result["error"] = last.error
        result["errorCode"] = last.code
        if last.output is not None:
            result["partial"] = last.output
    result["durationMs"] = milliseconds(last.started_at - first.started_at) + (last.duration_ms or 0)
    result["attempts"] = last.number
    result["retries"] = sum(one.status in {"failed", "timeout"} for one in attempts[:-1])
    return result


def borrowed(result: Result, stand_in: Result) -> Result:
    """The result of a failed step with the output of the fallback that stood in for it."""
    return {**result, **{name: stand_in[name] for name in ("output", "response") if name in stand_in}}


def last_output(names: Iterable[str], results: Mapping[str, Result]) -> Any:
    """Of the first of these steps that gave one. None: none of them did."""
    for name in names:
        found = results.get(name)
        if found is not None and "output" in found:
            return found["output"]
    return None


def output_of(graph: Graph, names: Mapping[str, Any], results: Mapping[str, Result]) -> Any:
    """What the whole gave, where it says nothing else what the last step gave. Raises StepError."""
    if graph.output is None:
        return last_output(reversed(graph.index), results)
    try:
        return to_json(graph.output.needed(names))
    except Exception as error:
        reason = as_step_error(error, results)
        raise StepError(f"the flow's output: {reason}", code=reason.code, retryable=False) from error


def answer(value: Any) -> str | None:
    """What a step that names no branch answers to the conditions of its edges: its output, where that is a truth or text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        result = value.get("conditionResult", value.get("result") if "branch" in value else None)  # of either dialect's condition
        return answer(result) if isinstance(result, bool) else None
    return None


def answered(step: Step, attempt: Attempt) -> str | None:
    """What a step answered in a try that went well, as it was recorded: some prepared ones tell by the whole of what they gave."""
    branch_of = getattr(step.prepared, "branch_of", None)
    return answer(attempt.output) if branch_of is None else branch_of(attempt.response)


def milliseconds(seconds: float) -> int:
    """Rounded, and never below nothing: a clock may be set back while a step runs."""
    return max(0, round(seconds * 1000))


def as_step_error(error: Exception, results: Mapping[str, Result], *, retryable: bool = True) -> StepError:
    """What a kind raised, as the failure of an attempt, with the reason why a value was missing."""
    if isinstance(error, StepError):
        return error
    if isinstance(error, MissingPath):
        return StepError(f"{error}{why_missing(error.path, results)}", code=error.code, retryable=False)
    if isinstance(error, (ExpressionError, TemplateError)):
        return StepError(f"{error}{why_missing(str(error), results)}", code=error.code, retryable=False)
    if isinstance(error, SelectorError):
        return StepError(f"{error}{why_missing(error.path, results)}", code="PATH_MISSING", retryable=False)
    if isinstance(error, DefinitionError):
        return StepError(str(error), code="DEFINITION", retryable=False)
    return StepError(f"{type(error).__name__}: {error}", code="UNEXPECTED", retryable=retryable)


def why_missing(path: str, results: Mapping[str, Result]) -> str:
    """`: step «fetch» was skipped`, where the state of the step that `path` names explains it; else nothing."""
    found = STEP_IN_PATH.search(path)
    if found is None:
        return ""
    name = found["name"] or found["quoted"]
    result = results.get(name)
    if result is None:
        return f": step «{name}» has not run"
    if result["status"] == "skipped":
        return f": step «{name}» was skipped"
    if result["status"] == "timeout":
        return f": step «{name}» timed out"
    if result["status"] == "failed":
        return f": step «{name}» failed: {result.get('error')}"
    return ""
