"""A definition loaded, or refused, with every kind of step there is."""

from pathlib import Path

import pytest

from flows.dialects import load_flow
from flows.errors import DefinitionError
from flows.steps import make_kinds

KINDS = make_kinds()


def load(definition, key="from-file"):
    return load_flow(definition, key=key, folder=Path("/flows/x"), kinds=KINDS)


def refused(definition, key="from-file"):
    """What was wrong with it, in order."""
    with pytest.raises(DefinitionError) as caught:
        load(definition, key)
    return [str(problem) for problem in caught.value.problems]
