"""What goes on over a reload: runs, suspensions, senders that are under way, and what people wrote into a file."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.asking import PATIENCE_S, Asking, deal, hook

pytestmark = pytest.mark.long


async def test_a_run_goes_on_with_the_flow_and_the_sub_flow_it_began_with(home, daemon_of, client, write, run_json):
    gate = home.parent / "gate"

    def flows(text: str):
        wait = {"id": "wait", "type": "bash", "bash": {"command": f"until [ -e {gate} ]; do sleep 0.05; done"}}
        say = {"id": "say", "type": "transform", "transform": {"expression": f"'{text}'"}}
        write(home, "flows/inner.json", {"steps": [say]})
        call = {"id": "call", "type": "flow", "flow": {"key": "inner"}}
        own = {"id": "own", "type": "transform", "transform": {"expression": f"'{text} ' + $.steps.call.output.say.output"}}
        write(home, "flows/outer.json", {"steps": [wait, call, own]})

    flows("old")
    daemon = await daemon_of(home)
    run_id = json.loads((await asyncio.to_thread(execute, home, "outer")).stdout)["run"]
    await daemon.until("SELECT 1 FROM attempts WHERE run = ? AND step = 'wait'", run_id)
    flows("new")
    await Asking(daemon, client).logged("definitions.reloaded")
    await daemon.kill()
    flows("newer")
    daemon = await daemon_of(home)
    gate.touch()
    await daemon.until("SELECT 1 FROM runs WHERE id = ? AND status = 'completed'", run_id)

    assert run_json("run", "show", run_id, home=home)["output"] == "old old"


def execute(home: Path, flow: str):
    from tests.acceptance.conftest import CAMSHAFT

    return subprocess.run(
        [CAMSHAFT, "flow", "execute", flow, "--detach", "-o", "json", "--home", home],
        capture_output=True,
        check=True,
        timeout=PATIENCE_S,
    )


async def test_who_may_send_is_judged_by_the_triggers_that_decide_also_for_a_slow_body(asking):
    """A request that began before its hook asked for a token must not slip through afterwards."""
    home = asking.daemon.home
    host, _, port = asking.daemon.hooks.removeprefix("http://").removesuffix("/hooks").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = b'{"company": "Acme", "source": "email", "email": "a@b.example"}'
    head = (
        f"POST /hooks/deal-created HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body[:10])
    await writer.drain()
    (home / "token").write_text("s3cret")
    section = {"type": "webhook", "path": "/deal-created", "auth": {"type": "bearer", "secret": {"file": str(home / "token")}}}

    (home / "triggers/auto-process-deal.json").write_text(deal(home, trigger=section, description="guarded"))
    await asking.described("guarded")
    writer.write(body[10:])

    assert (await reader.readline()).split()[1] == b"401"
    assert asking.daemon.rows("SELECT count(*) FROM runs") == [(0,)]
    writer.close()


async def test_a_suspended_trigger_stays_so_over_a_restart_and_an_edit_until_its_time_is_over(
    home, started, write, run, run_json
):
    write(home, "triggers/tick.json", {"key": "tick", "trigger": {"type": "schedule", "cron": "* * * * *"}, "flow": "deal-process",
                                       "inputMapping": {"companyName": "x"}})  # fmt: skip
    assert run("trigger", "suspend", "auto-process-deal", "--reason", "the CRM is down", home=home).returncode == 0
    asking = await started(home)

    assert await asking.post("/deal-created") == 200
    await asking.daemon.kill()
    asking = await started(home)
    (home / "triggers/auto-process-deal.json").write_text(deal(home, description="edited"))
    await asking.described("edited")
    assert await asking.post("/deal-created") == 200
    verdicts = asking.daemon.rows('SELECT verdict, reason FROM verdicts WHERE "trigger" = ?', "auto-process-deal")
    assert verdicts == [("suspended", "suspended (the CRM is down)")] * 2
    listed = run("trigger", "list", home=home).stdout
    assert "suspended (the CRM is down)" in listed

    assert run("trigger", "suspend", "auto-process-deal", "--for", "1s", home=home).returncode == 0
    (line,) = await asking.logged("trigger.resumed")
    assert line["trigger"] == "auto-process-deal"
    assert await asking.post("/deal-created") == 202


async def test_a_trigger_is_edited_in_an_editor_and_nothing_that_was_written_is_lost(home, run):
    file = home / "triggers/auto-process-deal.json"
    before = file.read_text()
    editor = home.parent / "editor"
    editor.write_text('#!/bin/sh\nn=$(cat "$0.n" 2>/dev/null || echo 0); echo $((n + 1)) > "$0.n"\n'
                      '[ "$n" = 0 ] && sed -i "s/deal-process/deal-proces/" "$1" || sed -i "s/deal-proces\\"/deal-process\\"/; s/created/changed/" "$1"\n')  # fmt: skip
    editor.chmod(0o755)

    assert "terminal" in run("trigger", "edit", "auto-process-deal", home=home).stderr
    gave_up = on_a_terminal("n\n", "trigger", "edit", "auto-process-deal", home=home, editor=editor)
    assert "there is no flow «deal-proces»" in gave_up
    assert file.read_text() == before
    kept = Path(gave_up.partition("is kept in ")[2].split()[0])
    assert kept.read_text() == before.replace("deal-process", "deal-proces")
    kept.unlink()

    Path(f"{editor}.n").unlink()
    done = on_a_terminal("\n", "trigger", "edit", "auto-process-deal", home=home, editor=editor)
    assert "edit again?" in done
    assert "auto-process-deal: enabled" in done
    assert file.read_text() == before.replace("created", "changed")


def on_a_terminal(typed: str, *arguments, home: Path, editor: Path) -> str:
    """A command on a terminal of its own: what it said there."""
    import pty

    from tests.acceptance.conftest import CAMSHAFT

    ours, theirs = pty.openpty()
    environment = {**os.environ, "VISUAL": str(editor)}
    with subprocess.Popen(
        [CAMSHAFT, *arguments, "--home", home],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
    ) as command:
        os.close(theirs)
        os.write(ours, typed.encode())
        said = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            said += part
        command.wait(PATIENCE_S)
    os.close(ours)
    return said.decode()


async def test_a_suspension_outlives_the_file_of_its_trigger(daemon, client, run):
    file = daemon.home / "triggers" / "auto-process-deal.json"
    text = file.read_text()
    commands = [["trigger", "suspend", "auto-process-deal"], ["reload"], ["reload"], ["trigger", "enable", "auto-process-deal"]]

    statuses = []
    for command, change in zip(commands, [file.unlink, lambda: file.write_text(text), None, None], strict=True):
        done = await asyncio.to_thread(run, *command, home=daemon.home)
        assert done.returncode == 0, done.stderr
        async with client.post(
            f"{daemon.hooks}/deal-created", json={"source": "email", "company": "Acme", "email": "a@b.c"}
        ) as answer:
            statuses.append((answer.status, (await answer.json()).get("verdicts")))
        if change is not None:
            change()

    suspended, dispatched = [
        (status, {"auto-process-deal": verdict}) for status, verdict in ((200, "suspended"), (202, "dispatched"))
    ]
    assert statuses == [suspended, (404, None), suspended, dispatched]


@pytest.mark.parametrize("good", [True, False], ids=["good", "broken"])
async def test_an_edit_beside_a_command_that_is_refused_is_dealt_with_all_the_same(home, started, write, good):
    """The command has read the home for itself: what else it saw there was in force for nobody, and told to nobody."""
    file = write(home, "triggers/other.json", hook("other", "/other"))
    asking = await started(home)
    file.write_text(json.dumps(hook("other", "/other", description="first")))
    await asking.described("first", "other")

    file.write_text(json.dumps(hook("other", "/other", description="second")) if good else "{")
    status, said = await asking.get("/v1/triggers", "POST", json=hook("auto-process-deal", "/deal-created"))

    assert (status, said["error"]["code"]) == (409, "CONFLICT")
    if good:
        await asking.described("second", "other")
    else:
        await asking.logged("definitions.kept")
        assert len(await asking.logged("definition.refused")) == 1
