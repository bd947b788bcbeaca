"""The name of an event in a step's section: checked at load where it is written there, and at run where it is made."""

from __future__ import annotations

from typing import Any

from flows.emission import NAME_RULE, check_event_name
from flows.errors import DefinitionError, StepError
from flows.suggest import shown
from flows.value import Value, compile_value


def compiled_name(text: str) -> Value:
    """Raises DefinitionError."""
    value = compile_value(text)
    if value.constant:
        check_event_name(value.make({}))
    return value


def made_name(value: Any) -> str:
    """Of an event whose name is made at run. What a stranger sent becomes no name by accident. Raises StepError."""
    try:
        return check_event_name(value if isinstance(value, str) else "")
    except DefinitionError:
        said = f"the name of an event is {NAME_RULE}; this is {shown(value)}"
        raise StepError(said, code="EVENT_NAME", retryable=False) from None
