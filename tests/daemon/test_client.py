"""A command finds its daemon: a busy one is waited for, one that starts or stops is told from one that is not there."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from daemon.cli import client as client_module
from daemon.cli.client import Client, NoDaemon, Silent
from daemon.cli.home_access import ask
from daemon.errors import Unreachable
from daemon.holder import held_by
from daemon.store.home_lock import hold_home


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/v1/runs/run_1?wait=30":
            return  # the connection ends, as that of a daemon that was killed
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"answered": true}')

    def address_string(self):
        return "somebody"

    def log_message(self, *_):
        pass


class _Server(ThreadingHTTPServer):
    address_family = socket.AF_UNIX
    request_queue_size = 1

    def server_bind(self):
        self.socket.bind(self.server_address)


@contextmanager
def listening(home):
    """A server at the home's socket, whose queue holds two, and which takes nobody before it is told to."""
    (home / "state").mkdir(exist_ok=True)
    server = _Server(str(home / "state/admin.sock"), _Answers)
    working = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    try:
        yield working
    finally:
        if working.ident is not None:
            server.shutdown()
            working.join()
        server.server_close()


@contextmanager
def full_queue(home):
    """As many connections as wait to be taken, and none more."""
    waiting = []
    try:
        while True:
            one = socket.socket(socket.AF_UNIX)
            waiting.append(one)
            one.setblocking(False)
            try:
                one.connect(str(home / "state/admin.sock"))
            except BlockingIOError:
                break
        yield
    finally:
        for one in waiting:
            one.close()


def test_a_daemon_that_takes_nobody_for_a_moment_is_waited_for(tmp_path):
    with listening(tmp_path) as working, full_queue(tmp_path):
        threading.Timer(0.3, working.start).start()

        answer = Client(tmp_path).ask("GET", "/v1/status")

    assert answer == {"answered": True}


def test_a_daemon_that_takes_nobody_does_not_answer_and_is_not_absent(tmp_path, monkeypatch):
    monkeypatch.setattr(client_module, "CONNECT_S", 1)

    with listening(tmp_path), full_queue(tmp_path), pytest.raises(Unreachable, match="does not answer") as refused:
        Client(tmp_path).ask("GET", "/v1/status")

    assert not isinstance(refused.value, NoDaemon)


def test_who_waits_for_a_run_whose_daemon_goes_is_told_how_to_go_on(tmp_path):
    with listening(tmp_path) as working:
        working.start()

        with pytest.raises(Unreachable, match=r"broke off.*the run goes on with its daemon: camshaft run watch run_1"):
            Client(tmp_path).run_ended("run_1")


def test_a_home_that_nobody_holds_has_no_daemon(tmp_path):
    with hold_home(tmp_path / "state/lock"):
        pass

    with pytest.raises(NoDaemon, match=f"no daemon runs for this home .camshaft serve --home {tmp_path}"):
        Client(tmp_path).ask("GET", "/v1/status")


def test_a_daemon_that_does_not_listen_is_named(tmp_path):
    with hold_home(tmp_path / "state/lock"), pytest.raises(Silent, match=f"process {os.getpid()} holds"):
        Client(tmp_path, patience_s=0).ask("GET", "/v1/status")


def test_a_daemon_that_starts_is_waited_for(tmp_path):
    with hold_home(tmp_path / "state/lock"):
        opened = threading.Event()
        done = threading.Event()

        def open_later():
            with listening(tmp_path) as working:
                working.start()
                opened.set()
                done.wait(30)

        starting = threading.Timer(0.2, open_later)
        starting.start()
        try:
            answer = Client(tmp_path).ask("GET", "/v1/status")
        finally:
            done.set()
            starting.join()

    assert (answer, opened.is_set()) == ({"answered": True}, True)


def test_while_a_daemon_starts_or_stops_what_is_written_is_read_and_nothing_is_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(client_module, "CONNECT_S", 0)
    (tmp_path / "camshaft.toml").touch()

    async def alone(operations):
        return sorted(operations.definitions.current.flows)

    with hold_home(tmp_path / "state/lock"):
        read = ask(tmp_path, "GET", "/v1/flows", alone)
        with pytest.raises(Silent):
            ask(tmp_path, "POST", "/v1/flows", alone)

    assert read == []


def test_to_look_who_holds_a_home_keeps_no_daemon_from_starting(tmp_path):
    lock = tmp_path / "state/lock"
    with hold_home(lock):
        pass
    stop = threading.Event()

    def look():
        while not stop.is_set():
            held_by(lock)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(200):
            with hold_home(lock):
                pass
    finally:
        stop.set()
        looking.join()

    assert held_by(lock) is None
