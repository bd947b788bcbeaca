"""What every destination keeps to: a rehearsal writes nothing, and a failure has a code and tells no secret."""

from __future__ import annotations

import pytest

from flows.connectors.destinations import DESTINATIONS
from flows.dialects import load_flow
from flows.executor import World, execute
from flows.rehearsal import Plan, rehearse
from flows.steps import make_kinds

SECRET = "s3cr3t"
SECTIONS = {
    "database": {"table": "t", "secret": "S"},
    "email": {"to": "$.input.x", "from": "a@example.com"},
    "file": {"path": "made.csv"},
    "slack": {"secret": "S"},
    "webhook": {"url": "http://127.0.0.1:1/", "secret": "S"},
}
HELD = {
    "database": f"postgresql://u:{SECRET}@127.0.0.1:1/d",
    "slack": f"http://127.0.0.1:1/{SECRET}",
    "webhook": f"{SECRET} is no key!",
}  # fmt: skip
FAILS = {
    "database": "DATABASE_UNREACHABLE",
    "email": "EMAIL_ADDRESS",
    "file": "IS_DIRECTORY",
    "slack": "CONNECT_FAILED",
    "webhook": "SECRET_UNUSABLE",
}


def load(name, folder, kinds):
    output = {"destination": name, "data": {"x": "$.input.x"}, **SECTIONS[name]}
    return load_flow(
        {"key": "f", "steps": [{"id": "w", "type": "output", "output": output}]}, key=None, folder=folder, kinds=kinds
    )


def nobody(name):
    raise AssertionError(f"a rehearsal asked for the secret {name}")


@pytest.mark.parametrize("name", DESTINATIONS)
async def test_a_rehearsal_writes_nothing_and_asks_for_no_secret(name, tmp_path):
    kinds = make_kinds()
    world = World(kinds, None, nobody)

    came = await rehearse(
        load(name, tmp_path, kinds), {"x": 1}, Plan(mock_effects=True), run_id="run_1", world=world, told=lambda _one: None
    )

    assert came.ended.status == "completed"
    assert came.ended.output["_mock"] is True
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", DESTINATIONS)
async def test_a_failure_has_its_code_and_tells_no_secret(name, tmp_path):
    kinds, attempts = make_kinds(), []
    (tmp_path / "made.csv").mkdir()
    world = World(kinds, None, lambda _name: HELD[name])

    ended = await execute(load(name, tmp_path, kinds), {"x": "'; DROP"}, run_id="run_1", world=world, record=attempts.append)
    for kind in kinds.values():
        await kind.close()

    assert (ended.status, ended.code) == ("failed", FAILS[name])
    assert SECRET not in repr((ended, attempts))
