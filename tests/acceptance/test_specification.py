"""The workflow specification's example under a real daemon: from a webhook, by a sheet, to a row in PostgreSQL."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from tests.flows.google import Google, service_account
from tests.flows.servers import serving

EXAMPLE = json.loads((Path(__file__).parents[1] / "definitions" / "example-workflow.json").read_text())
WRITTEN = (
    "({customer: data[0].customer_name, body: `Dear ${data[0].customer_name}, buy ${data[0].product}. `.repeat(input.times)})"
)


def completed():
    """The example with the node that it names and does not have, and what models would write made by transforms."""
    nodes = {node["id"]: dict(node) for node in EXAMPLE["nodes"]}
    nodes["prompt_1"] |= {"type": "transform", "config": {"expression": WRITTEN}}
    nodes["condition_1"]["config"] = {**nodes["condition_1"]["config"], "condition": "output.body.length > 100"}
    nodes["output_1"]["config"] = {**nodes["output_1"]["config"], "data": "$.steps.prompt_1.output"}
    nodes["prompt_2"] = {"id": "prompt_2", "type": "transform", "config": {"expression": "'too short'"}}
    return {**EXAMPLE, "nodes": list(nodes.values())}


@pytest.mark.parametrize(("times", "rows"), [(6, 1), (1, 0)])
async def test_the_example_of_the_specification_goes_from_a_webhook_to_a_row_in_postgresql(
    home, write, daemon_of, client, postgresql, times, rows
):
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute("CREATE TABLE generated_emails (id SERIAL PRIMARY KEY, customer TEXT, body TEXT)")
    write(home, "flows/example.json", completed())
    write(
        home,
        "triggers/example.json",
        {
            "key": "example",
            "trigger": {"type": "webhook", "path": "/example"},
            "flow": "example",
            "inputMapping": {"times": "$.body.times"},
        },
    )
    async with serving(Google({"abc-123": {"Customers": [["customer_name", "product"], ["Ada", "wool"]]}})) as (url, _):
        write(home, "camshaft.toml", f'[connectors.google_sheets]\nbase_url = "{url}"\nsecret = "SHEETS_KEY"\n')
        daemon = await daemon_of(home, env={"SHEETS_KEY": service_account(url), "DATABASE_URL": postgresql})
        async with client.post(f"{daemon.hooks}/example", json={"times": times}) as answer:
            accepted = answer.status
        ((status, error),) = await daemon.until("SELECT status, error FROM runs WHERE finished_at IS NOT NULL")

    with psycopg.connect(postgresql) as connection:
        stored = connection.execute("SELECT customer, body FROM generated_emails").fetchall()
    assert (accepted, status, error) == (202, "completed", None)
    assert stored == [("Ada", "Dear Ada, buy wool. " * times)] * rows
