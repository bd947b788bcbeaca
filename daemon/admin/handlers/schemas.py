"""Schemas: the published ones, of what a home holds."""

from __future__ import annotations

import asyncio
from importlib import import_module

from daemon.admin.route import Answer, Asked, Reply, Route
from daemon.admin.schema import OBJECT


async def show_schema(asked: Asked) -> Reply:
    published = await asyncio.to_thread(import_module, "daemon.published")  # with every kind and source: only who asks needs it
    return Reply(await asyncio.to_thread(published.published, asked.key))


ROUTES = (
    Route(
        "GET",
        "/v1/schemas/{name}",
        "the JSON Schema of a trigger, a flow or the settings",
        show_schema,
        {200: Answer("the schema, draft 2020-12", OBJECT)},
        refuses=("NOT_FOUND",),
    ),
)
