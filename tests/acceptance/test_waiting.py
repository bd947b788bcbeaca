"""A run that waits, through `kill -9`: nothing recorded runs again, and it goes on when its time has come."""

from __future__ import annotations

import pytest

LATER = {
    "key": "later",
    "steps": [
        {"id": "before", "type": "file-write", "fileWrite": {"path": "../notes.txt", "content": "before ", "append": True}},
        {"id": "wait", "type": "wait", "wait": {"for": "3s"}},
        {"id": "after", "type": "file-write", "fileWrite": {"path": "../notes.txt", "content": "after", "append": True}},
    ],
}


@pytest.fixture
def home_that_waits(home, write):
    write(home, "flows/later.json", LATER)
    return home


async def test_a_waiting_run_survives_a_kill_and_goes_on_when_its_time_has_come(home_that_waits, daemon_of, run_json):
    home = home_that_waits
    daemon = await daemon_of(home)
    started = run_json("flow", "execute", "later", "--detach", home=home)["run"]
    await daemon.until("SELECT 1 FROM runs WHERE id = ? AND status = 'waiting'", started)
    (due,) = daemon.rows("SELECT due_at FROM waits")
    waiting = run_json("run", "show", started, home=home)

    await daemon.kill()
    daemon = await daemon_of(home)
    found = daemon.rows("SELECT due_at FROM waits")
    await daemon.all_ended()
    ended = run_json("run", "show", started, home=home)

    assert (waiting["status"], list(waiting["steps"])) == ("waiting", ["before"])
    assert found == [due]
    assert ended["status"] == "completed"
    assert {name: step["attempts"] for name, step in ended["steps"].items()} == {"before": 1, "wait": 1, "after": 1}
    assert (home / "notes.txt").read_text() == "before after"
    assert [run["run"] for run in run_json("run", "list", "--status", "completed", home=home)] == [started]
