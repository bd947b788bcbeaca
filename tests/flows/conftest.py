"""What several files of these tests set up."""

from __future__ import annotations

import pytest
import pytest_asyncio

from flows.connectors.database import Databases


@pytest.fixture
def lib(request, tmp_path):
    """Writes a module of the flow, in the language of the tests: as their MODULE, where it is given no name."""

    def write(text, name=None):
        name = name or request.module.MODULE
        file = tmp_path / "lib" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return f"lib/{name}"

    return write


@pytest_asyncio.fixture
async def databases():
    made = Databases()
    yield made
    await made.close()
