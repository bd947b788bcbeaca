"""`flow execute` without a daemon: inputs, results, and how it exits."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from tests.daemon.cli.installed import CAMSHAFT, bash, flow_file, process, step


def test_a_file_is_executed_with_its_sub_flows_beside_it_and_without_a_home(tmp_path):
    flow_file(tmp_path, "inner.json", steps=[step("a", "$.input.x + 1")])
    file = flow_file(
        tmp_path,
        "outer.json",
        steps=[{"id": "in", "type": "flow", "flow": {"key": "inner", "inputs": {"x": "$.input.x"}}}],
        inputs={"x": {"type": "number"}},
    )

    done = process("flow", "execute", file, "-i", "x=41", "-o", "json", HOME=str(tmp_path))

    said = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, b"")
    assert list(said) == ["run", "status", "steps", "inputs", "output", "error", "_metrics"]
    assert (said["status"], said["inputs"], list(said["steps"])) == ("completed", {"x": 41}, ["in", "in/a"])
    assert said["steps"]["in/a"]["output"] == 42


def test_relative_paths_of_a_file_start_beside_it(tmp_path):
    file = flow_file(tmp_path / "deep", steps=[bash("here", "pwd")])

    done = process("flow", "execute", file, "-o", "json", HOME=str(tmp_path))

    assert json.loads(done.stdout)["output"] == str(tmp_path / "deep")


def test_a_run_that_failed_exits_7_with_its_result(tmp_path):
    file = flow_file(tmp_path, steps=[step("a", "1"), bash("b", "echo no >&2; exit 3")])

    done = process("flow", "execute", file, "-o", "json", "--metrics", HOME=str(tmp_path))

    said = json.loads(done.stdout)
    assert (done.returncode, said["status"], said["steps"]["b"]["status"]) == (7, "failed", "failed")
    assert said["steps"]["b"]["errorCode"]
    assert set(said["_stepTimings"]) == {"a", "b"}


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["gone.json"], 3),
        (["bad.json"], 3),
        (["f.json"], 3),
        (["f.json", "-i", "x"], 2),
        (["f.json", "-i", "x:={"], 2),
        (["f.json", "-i", "x=abc"], 3),
        (["f.json", "--input", "gone.json"], 1),
        (["f.json", "-i", "x=1", "--detach"], 2),
        (["nokey", "--home", "."], 4),
        (["nokey", "--home", ".", "--detach"], 5),
        (["f.json", "-i", "x=1"], 0),
    ],
)
def test_an_execution_exits_as_documented(run, tmp_path, arguments, status):
    flow_file(tmp_path, inputs={"x": {"type": "number"}}, steps=[step("a", "$.input.x")])
    flow_file(tmp_path, "bad.json", steps=[{"id": "a", "type": "bsh"}])

    done = subprocess.run(
        [CAMSHAFT, "flow", "execute", *arguments],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, "HOME": str(tmp_path)},
    )

    assert done.returncode == status
    assert b"Traceback" not in done.stderr
    assert (done.stdout == b"") == (status != 0)


def test_inputs_come_from_a_file_and_single_ones_are_stronger(tmp_path):
    file = flow_file(
        tmp_path, inputs={"a": {"type": "number"}, "b": {"type": "any"}}, steps=[step("x", "[$.input.a, $.input.b]")]
    )

    done = process(
        "flow",
        "execute",
        file,
        "--input",
        "-",
        "-i",
        "a=2",
        "-i",
        'b:={"c": [1]}',
        "-o",
        "json",
        stdin=b'{"a": 1}',
        HOME=str(tmp_path),
    )

    assert json.loads(done.stdout)["output"] == [2, {"c": [1]}]


def test_interrupting_an_execution_prints_what_was_done_and_exits_130(tmp_path):
    started = tmp_path / "started"
    os.mkfifo(started)
    file = flow_file(tmp_path, steps=[step("a", "1"), bash("b", f"echo > {started}; sleep 60", timeoutMs=90_000)])
    with subprocess.Popen(
        [CAMSHAFT, "flow", "execute", file, "-o", "json"], stdout=subprocess.PIPE, env={**os.environ, "HOME": str(tmp_path)}
    ) as asked:
        started.read_text()

        asked.send_signal(signal.SIGINT)
        told, _ = asked.communicate(timeout=30)

    said = json.loads(told)
    assert (asked.returncode, said["status"]) == (130, "cancelled")
    assert (said["steps"]["a"]["status"], said["steps"]["b"]["status"]) == ("success", "cancelled")


def test_a_result_that_could_not_be_written_is_refused_before_anything_runs(run, tmp_path):
    file = flow_file(tmp_path, steps=[bash("a", f"touch {tmp_path}/ran")])

    no_folder = run("flow", "execute", file, "--output-file", tmp_path / "none" / "out.json")
    folder = run("flow", "execute", file, "--output-file", tmp_path)

    assert no_folder == (2, "", f"camshaft: --output-file {tmp_path}/none/out.json: there is no folder {tmp_path}/none\n")
    assert folder == (2, "", f"camshaft: --output-file {tmp_path}: it is a folder\n")
    assert not (tmp_path / "ran").exists()


def test_a_result_is_written_into_what_is_no_file_and_through_a_link(tmp_path):
    file = flow_file(tmp_path, steps=[step("a", "1")])
    (tmp_path / "link.json").symlink_to("linked.json")

    piped = process("flow", "execute", file, "--output-file", "/dev/stdout", "-o", "jsonl", HOME=str(tmp_path))
    linked = process("flow", "execute", file, "--output-file", str(tmp_path / "link.json"), HOME=str(tmp_path))

    decoder = json.JSONDecoder()
    whole, end = decoder.raw_decode(piped.stdout.decode())
    said = json.loads(piped.stdout[end:])
    assert (piped.returncode, whole["output"], said["outputFile"]) == (0, 1, "/dev/stdout")
    assert (linked.returncode, (tmp_path / "link.json").is_symlink()) == (0, True)
    assert json.loads((tmp_path / "linked.json").read_text())["output"] == 1
