"""Logs: one line of JSON each, ours and libraries', whatever is in it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys

import pytest

from daemon.log_lines import KEPT_BYTES, Lines

SCRIPT = """
import logging, structlog, warnings
from daemon.log import set_up_logs
set_up_logs({level!r}, {form!r})
log = structlog.get_logger()
{code}
"""


def told(code: str, *, level: str = "info", form: str = "auto") -> list[str]:
    script = SCRIPT.format(code=code, level=level, form=form)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_a_line_is_json_where_no_terminal_is():
    (line,) = told("log.info('run.completed', run='run_1', duration_ms=3)")

    said = json.loads(line)
    assert (said["event"], said["level"], said["run"], said["duration_ms"]) == ("run.completed", "info", "run_1", 3)
    assert said["timestamp"].endswith("Z")


def test_lines_below_the_level_are_not_written():
    assert told("log.info('run.completed')", level="warning") == []


def test_a_library_is_told_in_the_same_form():
    (line,) = told("logging.getLogger('asyncio').error('slow %s', 'loop')")

    said = json.loads(line)
    assert (said["event"], said["logger"], said["said"]) == ("library.logged", "asyncio", "slow loop")


def test_a_librarys_broken_line_is_told_all_the_same():
    (line,) = told("logging.getLogger('x').error('a %d', 'b')")

    assert json.loads(line)["said"] == "a %d"


def test_a_failure_is_one_line_with_its_traceback():
    (line,) = told("try:\n    1 / 0\nexcept ZeroDivisionError:\n    log.exception('admin.request_failed')")

    assert "ZeroDivisionError" in json.loads(line)["exception"]


def test_what_json_cannot_hold_is_told_all_the_same():
    lines = told("log.info('a.b', text='\\ud800', number=2**70, thing=object())")

    said = json.loads(lines[0])
    assert (said["text"], said["number"]) == ("\ud800", 2**70)


def test_the_console_has_one_line_for_people():
    (line,) = told("log.warning('run.failed', run='run_1')", form="console")

    assert "run.failed" in line
    assert "run=run_1" in line


class Reader:
    """A pipe whose reading end is ours."""

    def __init__(self):
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)

    def read(self):
        said = b""
        while True:
            try:
                said += os.read(self.reading, 65536)
            except BlockingIOError:
                return said

    def close(self):
        os.close(self.reading)
        os.close(self.writing)


@pytest.fixture
def reader():
    reader = Reader()
    yield reader
    reader.close()


def test_lines_that_nobody_reads_are_kept_up_to_a_bound_and_what_was_dropped_is_told_once_it_is_read(reader):
    lines = Lines(reader.writing)
    count = 3 * KEPT_BYTES // 1000
    for number in range(count):
        lines.warning(b'{"n": %d, "x": "%s"}' % (number, b"x" * 980))

    said = b""
    while more := reader.read():
        said += more
        lines.flush()
    lines.warning('{"n": "last ü"}')
    said += reader.read()

    told = [json.loads(line) for line in said.splitlines()]
    numbers = [line["n"] for line in told if isinstance(line.get("n"), int)]
    dropped = sum(line["count"] for line in told if line.get("event") == "log.dropped")
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= KEPT_BYTES // 1001
    assert len(numbers) + dropped == count
    assert told[-1] == {"n": "last ü"}


async def test_what_a_slow_reader_left_is_written_without_another_line(reader):
    lines = Lines(reader.writing)
    for number in range(200):
        lines.info(b'{"n": %d, "x": "%s"}' % (number, b"x" * 980))

    said = b""
    async with asyncio.timeout(30):
        while said.count(b"\n") < 200:
            await asyncio.sleep(0.01)
            said += reader.read()

    assert [json.loads(line)["n"] for line in said.splitlines()] == list(range(200))
