"""What holds for every command: exit statuses, projections, colours, streams that are closed, locales, and failures in one line."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
CAMSHAFT = Path(sys.executable).parent / "camshaft"
FAILING = {"key": "deal-process", "steps": [{"id": "a", "type": "bash", "bash": {"command": "exit 1"}}]}


def bash(script, home, **environment):
    """A script in which $C is the command, with the home in CAMSHAFT_HOME."""
    known = {**os.environ, "C": str(CAMSHAFT), "CAMSHAFT_HOME": str(home), **environment}
    return subprocess.run(["bash", "-c", script], capture_output=True, timeout=120, env=known, check=False)


# -- exit statuses


def interrupted(home, write):
    write(home, "flows/slow.json", {"steps": [{"id": "a", "type": "bash", "bash": {"command": "echo $PPID > ../pid; sleep 60"}}]})
    command = subprocess.Popen(
        [CAMSHAFT, "flow", "execute", "slow", "--home", home], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while not (home / "pid").exists() or not (home / "pid").read_text().strip():
        assert command.poll() is None
    command.send_signal(signal.SIGINT)
    command.communicate(timeout=30)
    return command.returncode


def of_a_stranger(home):
    """The status of a command whose home's socket is answered by something else."""
    (home / "state").mkdir()
    with socket.socket(socket.AF_UNIX) as stranger:
        folder = os.open(home / "state", os.O_PATH)
        stranger.bind(f"/proc/self/fd/{folder}/admin.sock")
        os.close(folder)
        stranger.listen()
        command = subprocess.Popen([CAMSHAFT, "trigger", "list", "--home", home], stderr=subprocess.PIPE)
        connection, _ = stranger.accept()
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n<a>")
        connection.close()
        command.communicate(timeout=30)
    return command.returncode


def failed_run(home, write):
    write(home, "flows/deal-process.json", FAILING)
    return bash("$C flow execute deal-process", home).returncode


EXITS = {
    0: lambda home, write: bash("$C trigger list", home).returncode,
    1: lambda home, write: bash("$C trigger list --home /nowhere", home).returncode,
    2: lambda home, write: bash("$C trigger list --nonsense", home).returncode,
    3: lambda home, write: bash("$C trigger add - <<< '{}'", home).returncode,
    4: lambda home, write: bash("$C trigger show nobody", home).returncode,
    5: lambda home, write: of_a_stranger(home),
    6: lambda home, write: bash("$C trigger test auto-process-deal --body '{}' --expect-fires", home).returncode,
    7: failed_run,
    130: interrupted,
    141: lambda home, write: bash("$C schedule next '* * * * *' -n 10000 | head -1; exit ${PIPESTATUS[0]}", home).returncode,
}


@pytest.mark.parametrize("status", EXITS)
def test_every_exit_status_is_that_of_a_real_command(home, write, status):
    assert EXITS[status](home, write) == status


def test_the_documents_list_just_these_statuses():
    table = (ROOT / "docs" / "cli.md").read_text().partition("## Every command")[2].partition("\n## ")[0]

    assert {int(status) for status in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)} == set(EXITS)


# -- forms and fields


def test_every_form_says_the_same(home):
    told = {form: bash(f"$C trigger list -o {form}", home).stdout.decode() for form in ("json", "yaml", "jsonl")}

    assert json.loads(told["json"]) == yaml.safe_load(told["yaml"]) == [json.loads(line) for line in told["jsonl"].splitlines()]


def test_fields_are_chosen_and_ordered_in_every_form(home):
    lists = bash("$C trigger list --fields flow,key; $C trigger list --fields flow,key -o jsonl", home).stdout.decode()
    shown = bash("$C flow show deal-process --fields definition.inputs.companyName.type,key -o json", home).stdout

    assert [line.split() for line in lists.splitlines()] == [
        ["FLOW", "KEY"],
        ["deal-process", "auto-process-deal"],
        ['{"flow":"deal-process","key":"auto-process-deal"}'],
    ]
    assert list(json.loads(shown).items()) == [("definition.inputs.companyName.type", "string"), ("key", "deal-process")]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("dialekt", "there is no field «dialekt» (did you mean «dialect»?)"),
        ("zzz", "there is no field «zzz» (known are key,"),
        ("key,,flow", "--fields takes names"),
        ("definition.inputz", "there is no field «definition.inputz» (did you mean «inputs»?)"),
    ],
)
def test_an_unknown_field_is_refused_with_the_known_ones(home, fields, said):
    done = bash(f"$C flow show deal-process --fields {fields}", home)

    assert (done.returncode, done.stdout) == (2, b"")
    assert said in done.stderr.decode()


# -- config


def test_each_setting_is_shown_with_its_value_and_where_it_came_from(home, write, tmp_path):
    write(home, "camshaft.toml", "[worker]\n\nconcurrency = 3\n[steps.bash]\nshell = 'sh'\n")
    (tmp_path / "CAMSHAFT_WORKER__DRAIN_S").write_text("4\n")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path), "CAMSHAFT_HTTP__PUBLIC_URL": "https://me:s3cret@hooks.example.com"}

    done = bash(
        "$C config show -o json; $C config get worker.concurrency; $C config get http.public_url -o json", home, **environment
    )

    rows, end = json.JSONDecoder().raw_decode(done.stdout.decode())
    origins = {row["key"]: (row["value"], row["origin"]) for row in rows}
    assert origins["worker.concurrency"] == (3, "camshaft.toml:3")
    assert origins["worker.drain_s"] == (4.0, "credential CAMSHAFT_WORKER__DRAIN_S")
    assert origins["steps.bash.shell"] == ("sh", "camshaft.toml:5")
    assert origins["http.public_url"] == ("https://me:***@hooks.example.com", "environment CAMSHAFT_HTTP__PUBLIC_URL")
    assert origins["log.level"] == ("info", "default")
    assert {row["default"] for row in rows if row["key"] == "worker.concurrency"} == {10}
    assert done.stdout.decode()[end:].split() == ["3", '"https://me:***@hooks.example.com"']


def test_a_setting_that_is_not_there_or_is_wrong_is_told_with_its_place(home, write):
    write(home, "camshaft.toml", "[steps.bash]\nshel = 'sh'\n")
    unknown = bash("$C config get http.listn --home $(mktemp -d)", home)
    wrong = bash("$C config show", home)

    assert (unknown.returncode, wrong.returncode) == (4, 3)
    assert "did you mean «http.listen»?" in unknown.stderr.decode()
    assert "camshaft.toml:2 steps.bash.shel" in wrong.stderr.decode()


# -- streams, colours, locales


def test_a_stream_that_is_closed_or_full_is_no_defect(home):
    done = bash(
        "$C eval 1 >&-; echo $?; $C nonsense 2>&-; echo $?; $C eval 1 <&- >&- 2>&-; echo $?; $C eval 1 >/dev/full; echo $?",
        home,
    )

    assert done.stdout.split() == [b"0", b"2", b"0", b"1"]
    assert done.stderr.decode().splitlines() == ["camshaft: the output cannot be written: No space left on device"]


def test_no_file_of_ours_takes_the_number_of_a_standard_stream(home):
    write = "import os, sys; sys.argv = ['camshaft', 'flow', 'list']; from daemon.cli import main; main(); print(os.readlink('/proc/self/fd/0'))"
    done = bash(f'{sys.executable} -c "{write}" <&- 2>&-', home)

    assert done.stdout.splitlines()[-1] == b"/dev/null"


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [
        ({"CLICOLOR_FORCE": "1"}, True),
        ({"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, False),
        ({"CLICOLOR_FORCE": "0"}, False),
        ({"TERM": "xterm"}, False),
    ],
)
def test_colours_are_for_terminals_unless_they_are_asked_for(home, environment, coloured):
    said = {"NO_COLOR": "", "CLICOLOR_FORCE": "", **environment}

    assert (b"\x1b[" in bash("$C trigger list", home, **said).stdout) == coloured


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_a_locale_without_utf_8_neither_fails_nor_loses_a_letter(home, write, locale):
    write(
        home,
        "flows/deal-process.json",
        {"name": "Größe 😀", "steps": [{"id": "a", "type": "transform", "transform": {"expression": "1"}}]},
    )
    done = bash("$C flow list -o json; $C flow show größe", home, **locale)

    assert json.loads(done.stdout)[0]["name"] == "Größe 😀"
    assert done.returncode == 4
    assert b"Traceback" not in done.stderr


def test_an_argument_that_is_no_text_is_a_usage_error(home):
    done = bash(r"$C trigger show $'\xff'", home)

    assert done.returncode == 2
    assert done.stderr.decode() == "camshaft: an argument is not UTF-8 text: '\\udcff'\n"


# -- failures that nobody foresaw


BROKEN = """
import sys
import daemon.cli.trigger as trigger
def fails(*_, **__): raise RuntimeError("a line\\nand another")
trigger.ask = fails
from daemon.cli import main
sys.exit(main(["trigger", "list"]))
"""


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_defect_is_one_line_and_with_camshaft_debug_a_traceback(home, tmp_path, debug):
    script = tmp_path / "broken.py"
    script.write_text(BROKEN)

    done = bash(f"{sys.executable} {script}", home, CAMSHAFT_DEBUG=debug)

    assert (done.returncode, done.stdout) == (1, b"")
    assert (b"Traceback" in done.stderr) == bool(debug)
    if not debug:
        assert (
            done.stderr
            == b"camshaft: a defect of camshaft: RuntimeError: a line and another (CAMSHAFT_DEBUG=1 shows where; please report it)\n"
        )
