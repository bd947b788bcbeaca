"""The process itself: is it there, is it ready, what does it do."""

from __future__ import annotations

from aiohttp import web

from daemon.admin.route import Answer, Asked, Reply, Route
from daemon.admin.schema import FLAG, INSTANT, NUMBER, TEXT, WHOLE, by_name, listed, maybe, record, ref, said, words
from daemon.errors import Unreachable

SCHEMAS = {
    "Readiness": record(
        "Whether webhooks are taken and runs go on.",
        {"ready": FLAG, "checks": by_name(FLAG, "each part: is it well")},
    ),
    "Reloaded": record(
        "What a reload changed, and what it left out.",
        {
            "triggers": ref("ReloadedKeys"),
            "flows": ref("ReloadedKeys"),
            "problems": listed(ref("Problem"), "with --keep-going: why a file's last good version stays in force, or none"),
            "warnings": listed(ref("Problem")),
        },
    ),
    "ReloadedKeys": record(
        "Keys, by what became of them.", {"added": listed(TEXT), "changed": listed(TEXT), "removed": listed(TEXT)}
    ),
    "Status": record(
        "What the daemon does right now.",
        {
            "home": TEXT,
            "version": TEXT,
            "pid": WHOLE,
            "uptimeS": NUMBER,
            "triggers": WHOLE,
            "flows": WHOLE,
            "problems": listed(TEXT, "definitions that are left out, and warnings"),
            "startedAt": INSTANT,
            "listeners": by_name(TEXT, "hooks, admin (the socket), adminTcp: what listens where"),
            "sources": listed(
                record("", {"source": TEXT, "triggers": WHOLE, "state": words(("open", "opening"))}), "those that triggers use"
            ),
            "runs": by_name(WHOLE, "those that have not ended, by their status as it is on disk"),
            "oldestQueuedAt": said(maybe(INSTANT), "since when the run has waited that has waited longest"),
            "next": listed(record("", {"trigger": TEXT, "at": INSTANT}), "the next slots of schedules"),
            "overdue": listed(TEXT, "schedules whose slot should have been dealt with"),
            "lastReload": maybe(record("", {"at": INSTANT, "result": words(("ok", "refused", "failed"))})),
            "disk": maybe(record("where the daemon writes", {"folder": TEXT, "freeBytes": WHOLE})),
            "queued": said(WHOLE, "runs that wait for a worker"),
            "running": WHOLE,
            "atRest": said(WHOLE, "runs that wait or are paused, and take no place"),
            "paused": listed(TEXT, "what is held back: run:…, flow:…, * for all"),
            "upToDate": said(FLAG, "false while what is on disk is refused, and the set before it is in force"),
            "storeFailing": said(FLAG, "true while nothing can be made durable"),
        },
    ),
}


async def reload(asked: Asked) -> Reply:
    return Reply(await asked.operations.reload())


async def health(_: Asked) -> Reply:
    return Reply({"ok": True})


async def readiness(asked: Asked) -> Reply:
    checks = dict(await asked.behind.ready())
    ready = all(checks.values())
    return Reply({"ready": ready, "checks": checks}, 200 if ready else 503)


async def status(asked: Asked) -> Reply:
    return Reply(await asked.operations.status())


async def metrics(asked: Asked) -> Reply | web.StreamResponse:
    if asked.behind.measures is None:
        raise Unreachable("nothing is measured here")
    text = await asked.behind.measures.text()
    headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Cache-Control": "no-store"}
    return web.Response(body=text, headers=headers)


ROUTES = (
    Route(
        "GET",
        "/healthz",
        "the process answers",
        health,
        {200: Answer("it does", record("", {"ok": FLAG}))},
        public=True,
    ),
    Route(
        "GET",
        "/readyz",
        "webhooks are taken and runs go on; 503 while not",
        readiness,
        {200: Answer("ready", ref("Readiness")), 503: Answer("not ready", ref("Readiness"))},
        public=True,
    ),
    Route(
        "POST",
        "/v1/reload",
        "read the home again and put it in force, whole or not at all",
        reload,
        {200: Answer("it is in force", ref("Reloaded"))},
        refuses=("DEFINITION", "HOME", "CONFLICT", "UNAVAILABLE"),
    ),
    Route(
        "GET",
        "/metrics",
        "counters and gauges in the text format of Prometheus",
        metrics,
        {200: Answer("the text", TEXT, media="text/plain")},
        refuses=("UNREACHABLE",),
        opened=True,
    ),
    Route("GET", "/v1/status", "what the daemon does right now", status, {200: Answer("its state", ref("Status"))}),
)
