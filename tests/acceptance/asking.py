"""A running daemon asked about what is in force, and definitions to put there."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

PATIENCE_S = 30.0


class Asking:
    """A daemon's admin API and hooks."""

    def __init__(self, daemon, client) -> None:
        self.daemon = daemon
        self.client = client

    async def get(self, path: str, method: str = "GET", **body):
        token = (self.daemon.home / "state/admin.token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        async with self.client.request(method, self.daemon.admin + path, headers=headers, **body) as answer:
            return answer.status, await answer.json()

    async def trigger(self, key: str):
        """The trigger that is in force, or None."""
        status, value = await self.get(f"/v1/triggers/{key}")
        return value if status == 200 else None

    async def status(self):
        return (await self.get("/v1/status"))[1]

    async def problems(self) -> list[str]:
        """What is refused; without the warning that the home of these tests brings along."""
        return [said for said in (await self.status())["problems"] if "founderEmail" not in said]

    async def keys(self) -> list[str]:
        return [one["key"] for one in (await self.get("/v1/triggers"))[1]]

    async def post(self, path: str) -> int:
        async with self.client.post(
            self.daemon.hooks + path, json={"company": "Acme", "source": "email", "email": "a@b.example"}
        ) as answer:
            return answer.status

    async def described(self, description: str, key: str = "auto-process-deal") -> None:
        """Wait until the version with this description is in force."""

        async def is_described():
            found = await self.trigger(key)
            return found is not None and found["description"] == description

        await eventually(is_described)

    async def logged(self, event: str, number: int = 1) -> list[dict]:
        """Wait until the log has so many lines of this event."""
        found: list[dict] = []

        async def is_logged():
            lines = [json.loads(line) for line in self.daemon.log.read_text().splitlines()]
            found[:] = [line for line in lines if line["event"] == event]
            return len(found) >= number

        await eventually(is_logged)
        return found


async def eventually(check) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await check():
            await asyncio.sleep(0.03)


def deal(home: Path, **more) -> str:
    return json.dumps(json.loads((home / "triggers/auto-process-deal.json").read_text()) | more)


def hook(key: str, path: str, **more) -> dict:
    return {"key": key, "trigger": {"type": "webhook", "path": path}, "flow": "deal-process",
            "inputMapping": {"companyName": "$.body.company"}, **more}  # fmt: skip
