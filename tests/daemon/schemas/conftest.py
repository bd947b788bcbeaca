"""A folder with what definitions name."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A flow's folder, with a module of Python."""
    made = tmp_path_factory.mktemp("flow")
    (made / "score.py").write_text("def run(value):\n    return value\n")
    return made
