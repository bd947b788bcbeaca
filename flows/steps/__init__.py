"""The kinds of steps: one file and one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flows.connectors.settings import CONNECTORS
from flows.steps.action import ActionKind
from flows.steps.approval import Approval
from flows.steps.bash import Bash
from flows.steps.code_ import Code
from flows.steps.condition import Condition
from flows.steps.data_source import DataSource
from flows.steps.emit import EmitKind
from flows.steps.file_read import FileRead
from flows.steps.file_write import FileWrite
from flows.steps.flow import SubFlow
from flows.steps.http_request import Http
from flows.steps.loop import Loop
from flows.steps.output import OutputKind
from flows.steps.paginate import Paginate
from flows.steps.parallel import Parallel
from flows.steps.prompt import Prompt
from flows.steps.python import Python
from flows.steps.transform import Transform
from flows.steps.wait import WaitStep
from flows.steps.wait_for_event import WaitForEvent
from flows.steps.while_ import While

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from flows.step import StepKind

STEP_KINDS: dict[str, Any] = {  # name → class; each is made with its Settings
    ActionKind.name: ActionKind,
    Approval.name: Approval,
    Bash.name: Bash,
    Code.name: Code,
    Condition.name: Condition,
    DataSource.name: DataSource,
    EmitKind.name: EmitKind,
    FileRead.name: FileRead,
    FileWrite.name: FileWrite,
    SubFlow.name: SubFlow,
    Http.name: Http,
    Loop.name: Loop,
    OutputKind.name: OutputKind,
    Paginate.name: Paginate,
    Parallel.name: Parallel,
    Prompt.name: Prompt,
    Python.name: Python,
    Transform.name: Transform,
    WaitStep.name: WaitStep,
    WaitForEvent.name: WaitForEvent,
    While.name: While,
}

SETTINGS_OF = {  # kinds that have no section [steps.…] of their own in the config, but another kind's, or those of connectors
    Paginate.name: ActionKind.name,
    DataSource.name: CONNECTORS,
    OutputKind.name: CONNECTORS,
}


def make_kinds(settings: Mapping[str, BaseModel] | None = None) -> dict[str, StepKind]:
    """One instance of each kind. `settings` by kind name, from the config; a kind that is not in it gets its defaults."""
    given = settings or {}
    return {name: kind(given.get(SETTINGS_OF.get(name, name)) or kind.Settings()) for name, kind in STEP_KINDS.items()}
