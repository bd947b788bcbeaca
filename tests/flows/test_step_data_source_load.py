"""`data_source`: what is refused at load, what a flow is known to read, and how it is tried again and rehearsed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flows.dialects import load_flow
from flows.errors import DefinitionError
from flows.executor import World, execute
from flows.rehearsal import Plan, rehearse
from flows.steps import make_kinds
from flows.summary import needs
from tests.flows.reading import refused
from tests.flows.servers import json_answer, serving


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"sourceType": "databse"}, "sourceType: «databse» is no type of sources (did you mean «database»?)"),
        ({"sourceType": "csv"}, "sourceType: «csv» is no type of sources (did you mean «file»?)"),
        ({"sourceType": "ftp"}, "sourceType: «ftp» is no type of sources (known are "),
        ({"sourceType": "{{$.input.x}}"}, "sourceType: «{{$.input.x}}» is no type of sources (known are "),
    ],
)
def test_an_unknown_type_of_source_is_told_the_near_one(section, said):
    assert refused(section)[0].startswith(said)


@pytest.mark.parametrize(
    ("transform", "said"),
    [
        ({"filter": "item.a ==="}, "transform.filter: "),
        ({"filter": "nobody.a"}, "transform.filter: "),
        ({"map": {"a": "item.("}}, "transform.map.a: "),
        ({"limit": 0}, "transform.limit: limit is 0, and must be at least 1"),
        ({"limt": 1}, "transform.limt: limt is not known here (did you mean «limit»?)"),
        ({"expression": "data"}, "transform.expression: the transform of a source has filter, map and limit"),
        ([], "transform: this is a list, and must be an object"),
    ],
)
def test_a_transform_that_makes_no_sense_is_refused_at_load(transform, said):
    problems = refused({"sourceType": "file", "sourceId": "r.csv", "transform": transform})

    assert problems[0].startswith(said), problems


def flow(definition, folder=Path("/flows/x")):
    return load_flow(definition, key="k", folder=folder, kinds=make_kinds())


@pytest.mark.parametrize("name", ["data_source", "data-source"])
async def test_a_source_stands_in_steps_and_in_nodes_under_both_its_names(name, tmp_path):
    (tmp_path / "r.csv").write_text("a\n1\n2\n")
    section = {"sourceType": "file", "sourceId": "r.csv"}
    steps = flow({"steps": [{"id": "a", "type": name, "dataSource": section}]}, tmp_path)
    nodes = flow({"nodes": [{"id": "a", "type": name, "config": section}], "edges": []}, tmp_path)
    world = World(make_kinds(), None, None)

    ended = [await execute(each, {}, run_id="run_1", world=world, record=lambda _attempt: None) for each in (steps, nodes)]

    assert [(each.status, each.output) for each in ended] == [("completed", [{"a": "1"}, {"a": "2"}])] * 2


def test_what_a_flow_reads_and_whose_secrets_it_needs_is_known():
    asked = {"sourceType": "database", "query": {"sql": "SELECT 1", "secret": {"env": "SHOP"}}}

    said = needs(flow({"steps": [{"id": "a", "type": "data_source", "dataSource": asked}]}))

    assert (said["sources"], said["secrets"]) == (["database"], ["SHOP"])


def test_references_in_a_query_and_in_a_transform_are_checked():
    asked = {"sql": "SELECT :a", "params": {"a": "$.steps.nobody.output"}}
    section = {"sourceType": "database", "query": asked, "transform": {"filter": "steps.noone.output > 1"}}

    with pytest.raises(DefinitionError) as raised:
        flow({"steps": [{"id": "a", "type": "data_source", "dataSource": section}]})

    assert [str(problem) for problem in raised.value.problems] == [
        "steps[0].dataSource.query.params.a: there is no step «nobody»",
        "steps[0].dataSource.transform.filter: there is no step «noone»",
    ]


@pytest.mark.parametrize(
    ("statuses", "ended", "asked"),
    [([503, 429, 200], "completed", 3), ([503, 503, 503, 200], "failed", 3), ([403, 200], "failed", 1)],
)
async def test_a_source_is_tried_again_by_the_class_of_its_error(statuses, ended, asked, tmp_path):
    left = list(statuses)

    async def answer(request):
        status = left.pop(0)
        return json_answer([1], status=status, **({"Retry-After": "0"} if status == 429 else {}))

    policy = {"maxAttempts": 3, "initialDelay": 1, "maxDelay": 2}
    async with serving(answer) as (url, seen):
        node = {"id": "a", "type": "data_source", "config": {"sourceType": "api", "sourceId": url}}
        kinds = make_kinds()
        made = load_flow({"nodes": [node], "settings": {"retryPolicy": policy}}, key="k", folder=tmp_path, kinds=kinds)
        run = await execute(made, {}, run_id="run_1", world=World(kinds, None, None), record=lambda _attempt: None)
        await kinds["data_source"].close()

    assert (run.status, len(seen)) == (ended, asked)


async def test_a_rehearsal_asks_nobody_and_gives_a_list():
    section = {"sourceType": "api", "sourceId": "http://127.0.0.1:9/"}
    count = {"id": "n", "type": "transform", "transform": {"expression": "$.steps.a.output.length"}}
    made = flow({"steps": [{"id": "a", "type": "data_source", "dataSource": section}, count]})

    done = await rehearse(
        made, {}, Plan(mock_effects=True), run_id="run_1", world=World(make_kinds(), None, None), told=lambda _attempt: None
    )

    assert (done.ended.status, done.ended.output) == ("completed", 0)


async def test_loading_a_flow_imports_no_driver_and_no_client():
    script = (
        "import sys; from pathlib import Path; from flows.dialects import load_flow; from flows.steps import make_kinds;"
        "sections = [{'sourceType': 'database', 'query': {'sql': 'SELECT 1'}}, {'sourceType': 'api', 'sourceId': 'http://x/'},"
        " {'sourceType': 'google_sheets', 'sourceId': 'a', 'query': {'sheet': 'b'}}, {'sourceType': 'file', 'sourceId': 'a.csv'},"
        " {'sourceType': 'airtable', 'sourceId': 'a', 'query': {'table': 'b'}}];"
        "steps = [{'id': f's{n}', 'type': 'data_source', 'dataSource': each} for n, each in enumerate(sections)];"
        "load_flow({'key': 'k', 'steps': steps}, key=None, folder=Path(), kinds=make_kinds());"
        "print(*({'psycopg', 'aiohttp', 'jwt', 'cryptography'} & sys.modules.keys()))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""
