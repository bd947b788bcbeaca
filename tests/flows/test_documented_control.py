"""Control as the One CLI documents it: how steps come out, and what later steps can tell from that."""

import pytest

from flows.dialects import load_flow
from flows.executor import World, execute
from tests.flows.documented import KINDS, calc, run

ON = {"strategy": "continue"}


def shell(step_id, command, *, section=None, **given):
    return {"id": step_id, "type": "bash", "bash": {"command": command, **(section or {})}, **given}


async def test_a_gate_tells_a_timed_out_step_of_a_parallel_from_one_that_gave_nothing(tmp_path):
    both = {
        "id": "fetch",
        "type": "parallel",
        "parallel": {"steps": [shell("slow", "sleep 60", timeoutMs=50, onError=ON), shell("empty", "true")]},
    }

    ended = await run(
        tmp_path,
        both,
        calc("gate", "[$.steps.slow.status, $.steps.slow.errorCode, $.steps.empty.status, $.steps.empty.output]"),
    )

    assert ended.output == ["timeout", "TIMEOUT", "success", ""]
    assert ended.steps["slow"]["durationMs"] >= 50


async def test_the_time_of_a_command_ends_failed_and_that_of_a_step_ends_timeout(tmp_path):
    ended = await run(
        tmp_path,
        shell("own", "sleep 60", section={"timeout": 50}, onError=ON),
        shell("any", "sleep 60", timeoutMs=50, onError=ON),
    )

    assert [(ended.steps[name]["status"], ended.steps[name]["errorCode"]) for name in ("own", "any")] == [
        ("failed", "TIMEOUT"),
        ("timeout", "TIMEOUT"),
    ]


async def test_a_step_that_continues_shows_its_error_and_no_output(tmp_path):
    ended = await run(tmp_path, shell("a", "echo partly; exit 3", onError=ON), calc("b", "[$.steps.a.status, $.steps.a.output]"))

    assert ended.output == ["failed", None]
    assert ended.steps["a"]["errorCode"] == "EXIT_STATUS"
    assert "exit status 3" in ended.steps["a"]["error"]


async def test_how_often_a_step_was_retried_can_be_read(tmp_path):
    again = {"strategy": "retry", "retries": 3, "retryDelayMs": 0}
    count = "n=$(cat tries 2>/dev/null || echo 0); echo $((n+1)) > tries; test $n -ge 2"

    ended = await run(
        tmp_path,
        shell("a", count, onError=again),
        shell("b", "false", onError={**again, "strategy": "continue", "retries": 1}),
        calc("c", "[$.steps.a.status, $.steps.a.retries, $.steps.b.status, $.steps.b.retries]"),
    )

    assert ended.output == ["success", 2, "failed", 1]


async def test_retries_follow_retry_on_and_stop_at_fail_fast_on(tmp_path):
    rule = {"strategy": "retry", "retries": 2, "retryDelayMs": 0, "retryOn": [503, "ETIMEDOUT"], "failFastOn": [404]}

    async def tries(message):
        command = f"echo x >> tries; echo '{message}' >&2; exit 1"
        (tmp_path / "tries").unlink(missing_ok=True)
        await run(tmp_path, shell("a", command, onError=rule))
        return (tmp_path / "tries").read_text().count("x")

    assert await tries("HTTP 503") == 3
    assert await tries("connect etimedout") == 3
    assert await tries("HTTP 404 after 503") == 1
    assert await tries("HTTP 401") == 1


async def test_a_step_opts_out_of_the_flows_default(tmp_path):
    ended = await run(
        tmp_path, shell("inherits", "false"), shell("opts_out", "false", onError={"strategy": "fail"}), defaultOnError=ON
    )

    assert ended.steps["inherits"]["status"] == "failed"
    assert ended.error.startswith("step «opts_out»")


@pytest.mark.parametrize(
    ("before", "why"),
    [
        (calc("up", "({bio: 'x'})", **{"if": "false"}), "step «up» was skipped"),
        (shell("up", "false", onError=ON), "step «up» failed: exit status 1"),
        (shell("up", "sleep 60", timeoutMs=50, onError=ON), "step «up» timed out"),
        (calc("up", "({bio: ''})"), "an empty text"),
        (calc("up", "({bio: []})"), "an empty array"),
        (calc("up", "({bio: null})"), "null"),
    ],
)
async def test_what_a_step_requires_and_why_it_is_missing(tmp_path, before, why):
    needs = shell("needs", "echo never > ran", requires=["$.steps.up.output.bio"], onError=ON)

    ended = await run(tmp_path, before, needs)

    assert ended.steps["needs"]["errorCode"] == "REQUIRES_MISSING"
    assert "$.steps.up.output.bio" in ended.steps["needs"]["error"]
    assert why in ended.steps["needs"]["error"]
    assert not (tmp_path / "ran").exists()


async def test_an_empty_object_is_there(tmp_path):
    assert (await run(tmp_path, calc("up", "({})"), calc("needs", "1", requires=["$.steps.up.output"]))).status == "completed"


async def test_a_file_that_breaks_its_schema_is_branched_on_or_retried_by_its_code(tmp_path):
    (tmp_path / "a.json").write_text('{"mode": "prod"}')
    section = {"path": "a.json", "parseJson": True, "schema": {"mode": {"type": "string", "enum": ["dev"]}}}
    read = {"id": "read", "type": "file-read", "fileRead": section}
    rule = {"strategy": "continue", "retries": 1, "retryDelayMs": 0, "retryOn": ["SCHEMA_VALIDATION"]}

    ended = await run(tmp_path, {**read, "onError": rule}, calc("gate", "$.steps.read.errorCode === 'SCHEMA_VALIDATION'"))

    assert ended.output is True
    assert (ended.steps["read"]["status"], ended.steps["read"]["retries"]) == ("failed", 1)


async def test_a_key_that_is_no_flow_fails_when_it_is_made_at_run(tmp_path):
    ended = await run(tmp_path, {"id": "f", "type": "flow", "flow": {"key": "$.input.which"}}, inputs={"which": "nowhere"})

    assert (ended.code, "there is no flow «nowhere»" in ended.error) == ("FLOW_NOT_FOUND", True)


async def test_a_folder_of_a_sub_flow_is_its_own(tmp_path):
    (tmp_path / "inner").mkdir()
    known = load_flow({"key": "inner", "steps": [shell("a", "pwd")]}, key=None, folder=tmp_path / "inner", kinds=KINDS)
    flow = load_flow(
        {"key": "m", "steps": [{"id": "f", "type": "flow", "flow": {"key": "inner"}}]}, key=None, folder=tmp_path, kinds=KINDS
    )

    ended = await execute(flow, {}, run_id="run_1", world=World(KINDS, {"inner": known}.get, None), record=lambda _attempt: None)

    assert ended.output["a"]["output"] == str(tmp_path / "inner")
