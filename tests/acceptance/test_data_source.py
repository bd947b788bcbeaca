"""A source in a real daemon: the specification's own, with its credentials from the settings, and what a crash leaves of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.flows.google import EMAIL, Google, key_pair, service_account
from tests.flows.servers import serving

pytestmark = pytest.mark.long

SOURCE = json.loads((Path(__file__).parents[1] / "definitions" / "example-workflow.json").read_text())["nodes"][0]
CUSTOMERS = [["customer_name", "product"], ["Ada", "wool"], ["Bea", "silk"]]
ONCE = "[ -e again ] || { touch again; sleep 60; }; echo {{$.steps.source_1.output[1].product | shell}}"
FLOWS = {
    "letters": {
        "nodes": [SOURCE, {"id": "letter", "type": "transform", "config": {"map": "`Dear ${item.customer_name}, buy ${item.product}`"}}],
        "edges": [{"source": "source_1", "target": "letter"}],
    },
    "slow": {
        "steps": [
            {"id": "source_1", "type": "data_source", "dataSource": SOURCE["config"]},
            {"id": "wait", "type": "bash", "bash": {"command": ONCE}},
        ]
    },
}  # fmt: skip


@pytest.fixture
async def google():
    made = Google({"abc-123": {"Customers": [list(row) for row in CUSTOMERS]}})
    async with serving(made) as (url, _):
        made.url = url
        yield made


@pytest.fixture
async def serve(home, write, daemon_of, google):
    for key, flow in FLOWS.items():
        write(home, f"flows/{key}.json", flow)
        trigger = {"key": key, "trigger": {"type": "webhook", "path": f"/{key}"}, "flow": key}
        write(home, f"triggers/{key}.json", trigger)
    with (home / "camshaft.toml").open("a") as file:
        file.write(f'\n[connectors.google_sheets]\nbase_url = "{google.url}"\nsecret = "SHEETS_KEY"\n')
    env = {"SHEETS_KEY": service_account(google.url)}
    return lambda: daemon_of(home, env=env)


async def ended(daemon):
    return await daemon.until("SELECT status, output FROM runs WHERE finished_at IS NOT NULL")


async def test_the_source_of_the_specification_reads_with_the_key_that_the_settings_name(serve, client):
    daemon = await serve()

    async with client.post(f"{daemon.hooks}/letters", json={}) as answer:
        accepted = answer.status
    ((status, output),) = await ended(daemon)

    assert (accepted, status, json.loads(output)) == (202, "completed", ["Dear Ada, buy wool", "Dear Bea, buy silk"])
    written = daemon.log.read_text() + str(daemon.rows("SELECT * FROM attempts"))
    assert not any(secret in written for secret in (key_pair()[0][40:80], "ya29", EMAIL))


async def test_a_run_that_goes_on_after_a_crash_acts_on_the_rows_that_it_read(serve, client, google, home):
    daemon = await serve()
    async with client.post(f"{daemon.hooks}/slow", json={}):
        pass
    await daemon.until("SELECT 1 FROM attempts WHERE step = 'source_1' AND status = 'success'")
    async with asyncio.timeout(30):
        while not (home / "flows/again").exists():
            await asyncio.sleep(0.02)
    google.sheets["abc-123"]["Customers"][2] = ["Bea", "changed"]

    await daemon.kill()
    daemon.clear()
    daemon = await serve()
    ((status, output),) = await ended(daemon)

    assert (status, json.loads(output), len(google.asked)) == ("completed", "silk", 1)
