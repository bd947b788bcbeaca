"""Airtable on loopback, for the tests: records a page at a time, and five requests a second to a base."""

from __future__ import annotations

import time
from urllib.parse import unquote

from aiohttp import web

from flows.connectors.sources.airtable import AirtableSettings
from tests.flows.servers import json_answer


class Airtable:
    """`tables`: base → table → records. `allowed` requests a second to one base, then 429 until `wait_s` have passed."""

    def __init__(self, tables, token, *, allowed=5):
        self.tables = tables
        self.token = token
        self.allowed = allowed
        self.asked = []  # (path, query as pairs)
        self.times = []
        self.answers = {}  # the number of the request → what is answered in place

    def settings(self, url, **changed):
        return AirtableSettings(base_url=url, **changed)

    async def __call__(self, request):
        self.asked.append((unquote(request.raw_path.partition("?")[0]), list(request.query.items())))
        self.times.append(time.monotonic())
        if len(self.asked) in self.answers:
            return self.answers[len(self.asked)]
        if len([at for at in self.times if at > self.times[-1] - 1.0]) > self.allowed:
            return refusal(429, "RATE_LIMIT_REACHED", "Rate limit exceeded. Please try again later")
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return refusal(401, "AUTHENTICATION_REQUIRED", f"Authentication required: {request.headers.get('Authorization')}")
        _, version, base, table = request.raw_path.partition("?")[0].split("/", 3)
        records = self.tables.get(base, {}).get(unquote(table))
        if version != "v0" or records is None:
            return json_answer({"error": "NOT_FOUND"}, status=404)
        start = int(request.query.get("offset", "itr/0").rpartition("/")[2])
        size = int(request.query["pageSize"])
        page = {"records": records[start : start + size]}
        if start + size < len(records):
            page["offset"] = f"itr/{start + size}"
        return json_answer(page)


def record(number, **fields):
    return {"id": f"rec{number}", "createdTime": "2026-11-28T08:00:00.000Z", "fields": fields}


def refusal(status, kind, message):
    return web.json_response({"error": {"type": kind, "message": message}}, status=status)
