"""The real wrk as a crowd of senders: what it counts as answered is what the database holds."""

from __future__ import annotations

import asyncio
import re
import shutil

import pytest

pytestmark = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed: apt install wrk")

POST = """
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
local number = 0
request = function()
  number = number + 1
  return wrk.format(nil, nil, nil, string.format('{"source": "email", "company": "c%d", "email": "a@b.c"}', number))
end
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("answered %d\\nfailed %d\\n", summary.requests,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


async def wrk(url: str, script) -> dict[str, int]:
    """Two seconds of 32 connections, to their end: what was answered, and what was refused or lost."""
    command = ["wrk", "-t", "2", "-c", "32", "-d", "2s", "-s", str(script), url]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    return {name: int(count) for name, count in re.findall(r"^(answered|failed) (\d+)$", said.decode(), re.MULTILINE)}


async def test_all_that_a_crowd_was_answered_is_kept_and_has_run(daemon, tmp_path):
    (tmp_path / "post.lua").write_text(POST)

    counted = await wrk(f"{daemon.hooks}/deal-created", tmp_path / "post.lua")
    await daemon.all_ended()

    ((events,),) = daemon.rows("SELECT count(*) FROM events")
    assert counted["failed"] == 0
    assert counted["answered"] > 100
    assert counted["answered"] <= events <= counted["answered"] + 32  # the last ones were on their way when wrk hung up
    assert daemon.rows("SELECT status, count(*) FROM runs GROUP BY status") == [("completed", events)]
