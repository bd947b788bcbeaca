"""A `bash` step, and pids that its commands tell."""

from __future__ import annotations

import os
from typing import Any

import pytest
import pytest_asyncio

from flows.step import Output
from flows.steps.bash import Bash, BashSettings, BashSpec
from tests.flows.step_bash.commands import Told, make_load, make_scope


@pytest.fixture
def bash(tmp_path):
    async def run(section: dict[str, Any] | str, dollar: Any = None, **settings: Any) -> Output:
        kind = Bash(BashSettings(**{"grace_s": 0.2, **settings}))
        spec = BashSpec.model_validate({"command": section} if isinstance(section, str) else section)
        prepared = kind.prepare(spec, make_load(tmp_path))
        return await kind.run(prepared, make_scope(tmp_path, dollar))

    return run


@pytest_asyncio.fixture
async def told(tmp_path):
    fifo = Told(tmp_path)
    yield fifo
    os.close(fifo.number)
