"""/metrics of a real daemon: what happened, in a form that Prometheus reads, and who may ask."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
YES, NO = {"source": "email", "company": "Acme", "email": "a@b.c"}, {"source": "web"}


def token(daemon) -> dict[str, str]:
    return {"Authorization": f"Bearer {(daemon.home / 'state/admin.token').read_text().strip()}"}


async def scrape(client, daemon):
    async with client.get(f"{daemon.admin}/metrics", headers=token(daemon)) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        families = list(text_string_to_metric_families(await answer.text()))
    values = {(one.name, *sorted(one.labels.items())): one.value for family in families for one in family.samples}
    return families, values


async def test_what_happened_is_counted(daemon, client, run):
    for body in (YES, YES, NO):
        async with client.post(f"{daemon.hooks}/deal-created", json=body) as answer:
            assert answer.status in {200, 202}
    async with client.post(f"{daemon.hooks}/nowhere", json={}) as answer:
        assert answer.status == 404
    assert (await asyncio.to_thread(run, "reload", home=daemon.home)).returncode == 0
    await asyncio.to_thread(run, "flow", "execute", "deal-process", "-i", "companyName=Acme", home=daemon.home)
    await daemon.all_ended()

    _, values = await scrape(client, daemon)

    def value(name, **labels):
        return values[name, *sorted(labels.items())]

    assert value("camshaft_events_total", source="webhook") == 3
    assert value("camshaft_verdicts_total", trigger="auto-process-deal", verdict="dispatched") == 2
    assert value("camshaft_verdicts_total", trigger="auto-process-deal", verdict="filter_false") == 1
    assert value("camshaft_runs_total", flow="deal-process", status="completed") == 3
    assert value("camshaft_run_duration_seconds_count", flow="deal-process") == 3
    assert value("camshaft_attempts_total", kind="transform", status="success") == 3
    assert (
        value("camshaft_http_requests_total", **{"class": "2xx"}),
        value("camshaft_http_requests_total", **{"class": "4xx"}),
    ) == (3, 1)
    assert value("camshaft_runs_queued") == value("camshaft_runs_running") == value("camshaft_store_failing") == 0
    assert value("camshaft_store_operations_total") >= value("camshaft_store_commits_total") > 0
    assert value("camshaft_definitions", noun="flow") == 1
    assert value("camshaft_reloads_total", result="ok") >= 1
    assert value("process_resident_memory_bytes") > 1_000_000


async def test_every_metric_stands_in_the_table_of_the_documents_and_the_other_way_round(daemon, client):
    document = (ROOT / "docs/operations.md").read_text()
    part = re.search(r"^### Prometheus\n(.*?)(?=^##)", document, re.MULTILINE | re.DOTALL)[1]
    said = {(name, kind) for name, kind in re.findall(r"^\| `(camshaft_\w+)(?:\{[^}]*\})?` \| (\w+) \|", part, re.MULTILINE)}

    families, _ = await scrape(client, daemon)

    exposed = set()
    for family in families:
        if family.name.startswith("camshaft_"):
            name = family.name + ("_total" if family.type == "counter" else "")
            exposed.add((name, family.type))
    assert said == exposed


async def test_names_and_labels_are_as_prometheus_would_have_them(daemon, client):
    families, _ = await scrape(client, daemon)

    for family in families:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", family.name)
        assert family.documentation.endswith(".")
        assert not re.search(r"(milli|micro|nano)seconds|_ms\b|_kb\b", family.name)


async def test_only_who_has_the_token_may_ask_unless_it_is_opened_to_this_machine(home, daemon_of, client, write):
    daemon = await daemon_of(home)
    async with client.get(f"{daemon.admin}/metrics") as refused:
        closed = refused.status
    socket = aiohttp.UnixConnector(str(home / "state/admin.sock"))
    async with aiohttp.ClientSession(connector=socket) as local, local.get("http://localhost/metrics") as answer:
        by_socket = answer.status
    await daemon.stop()
    write(home, "camshaft.toml", "[http]\nopen_metrics = true\n")
    daemon = await daemon_of(home)
    async with client.get(f"{daemon.admin}/metrics") as answer:
        opened = answer.status
    async with client.get(f"{daemon.admin}/v1/status") as answer:
        others = answer.status
    async with client.get(f"{daemon.admin}/metrics", headers={"Host": "rebound.example"}) as answer:
        rebound = answer.status

    assert (closed, by_socket, opened, others, rebound) == (401, 200, 200, 401, 401)
