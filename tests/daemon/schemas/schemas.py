"""The schemas as validators, and what the loader says of the same definition."""

from __future__ import annotations

from pathlib import Path

from jsonschema import Draft202012Validator

from daemon.published import MADE, published
from flows.dialects import load_flow
from flows.errors import DefinitionError
from flows.steps import make_kinds
from triggers.load import load_trigger

ROOT = Path(__file__).parents[3]
KINDS = make_kinds()
VALIDATORS = {name: Draft202012Validator(published(name)) for name in MADE}


def wrong(name, definition):
    """What the schema says is wrong; None: nothing."""
    error = next(VALIDATORS[name].iter_errors(definition), None)
    return None if error is None else f"{list(error.absolute_path)}: {error.message[:200]}"


def refusal(name, definition, folder):
    """What the loader says, also where it only warns of a field that does nothing; None: all of it has a meaning."""
    try:
        if name == "trigger":
            load_trigger(definition, key="some-key", file=None)
            return None
        warnings = load_flow(definition, key="some-key", folder=folder, kinds=KINDS).warnings
        return next((warning for warning in warnings if "not known here" in warning.problem), None)
    except DefinitionError as error:
        return error.problems[0]
