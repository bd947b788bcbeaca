"""The workflow specification's example under a real daemon: from a webhook, by a sheet, to a row in PostgreSQL."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from tests.flows.google import Google, service_account
from tests.flows.servers import serving

EXAMPLE = json.loads((Path(__file__).parents[1] / "definitions" / "example-workflow.json").read_text())
LETTER = "`Dear ${data[0].customer_name}, buy ${data[0].product}. `.repeat(input.times)"
WRITTEN = f"({{customer: data[0].customer_name, body: {LETTER}}})"


def with_letters():
    """The example with the node that it names and does not have, and letters, which are objects, made by a transform."""
    nodes = {node["id"]: dict(node) for node in EXAMPLE["nodes"]}
    nodes["prompt_1"] |= {"type": "transform", "config": {"expression": WRITTEN}}
    nodes["condition_1"]["config"] = {**nodes["condition_1"]["config"], "condition": "output.body.length > 100"}
    nodes["prompt_2"] = {"id": "prompt_2", "type": "transform", "config": {"expression": "'too short'"}}
    return {**EXAMPLE, "nodes": list(nodes.values())}


@pytest.fixture
def rows_of(home, write, daemon_of, client, users_postgresql):
    """rows_of(flow, table, times) → what is in the table when a webhook has run the flow under a daemon of its own."""

    async def run(flow, table, times):
        with psycopg.connect(users_postgresql, autocommit=True) as connection:
            connection.execute(f"CREATE TABLE generated_emails ({table})")
        trigger = {"type": "webhook", "path": "/example"}
        write(home, "flows/example.json", flow)
        write(
            home,
            "triggers/example.json",
            {"key": "example", "trigger": trigger, "flow": "example", "inputMapping": {"times": "$.body.times"}},
        )
        async with serving(Google({"abc-123": {"Customers": [["customer_name", "product"], ["Ada", "wool"]]}})) as (url, _):
            write(home, "camshaft.toml", f'[connectors.google_sheets]\nbase_url = "{url}"\nsecret = "SHEETS_KEY"\n')
            daemon = await daemon_of(home, env={"SHEETS_KEY": service_account(url), "DATABASE_URL": users_postgresql})
            async with client.post(f"{daemon.hooks}/example", json={"times": times}) as answer:
                assert answer.status == 202
            ((status, error),) = await daemon.until("SELECT status, error FROM runs WHERE finished_at IS NOT NULL")

        assert (status, error) == ("completed", None)
        with psycopg.connect(users_postgresql) as connection:
            return connection.execute("SELECT * FROM generated_emails").fetchall()

    return run


@pytest.mark.parametrize(("times", "rows"), [(6, 1), (1, 0)])
async def test_the_example_of_the_specification_goes_from_a_webhook_to_a_row_in_postgresql(rows_of, times, rows):
    stored = await rows_of(with_letters(), "customer TEXT, body TEXT", times)

    assert stored == [("Ada", "Dear Ada, buy wool. " * times)] * rows
