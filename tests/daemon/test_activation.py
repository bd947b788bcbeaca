"""The sockets that a service manager hands over: which are taken, and what is refused."""

from __future__ import annotations

import os
import socket
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from daemon.activation import Inherited, inherited
from daemon.errors import HomeError


@contextmanager
def handed(*sockets, names=None):
    """Descriptors in a row, as they come after an exec, and the variables with them: (environment, the first)."""
    first = 200
    for at, one in enumerate(sockets):
        os.dup2(one.fileno(), first + at, inheritable=True)
    environment = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(sockets)), "HOME": "/"}
    if names is not None:
        environment["LISTEN_FDNAMES"] = names
    try:
        yield environment, first
    finally:
        for at in range(len(sockets)):
            with suppress(OSError):  # closed already by who took it
                os.close(first + at)


@contextmanager
def tcp(*, listening=True):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        if listening:
            one.listen()
        yield one


def close(found: Inherited):
    for one in (*found.hooks, *found.admin):
        one.close()


def test_one_socket_without_a_name_is_for_webhooks_and_is_nobody_else_s():
    with tcp() as one, handed(one) as (environment, first):
        found = inherited(environment, first)
        inherits = [os.get_inheritable(taken.fileno()) for taken in found.hooks]
        close(found)

    assert (len(found.hooks), len(found.admin)) == (1, 0)
    assert inherits == [False]
    assert environment == {"HOME": "/"}


def test_sockets_are_told_apart_by_their_names():
    with tcp() as one, tcp() as two, tcp() as three, handed(one, two, three, names="hooks:admin:hooks") as (environment, first):
        found = inherited(environment, first)
        ports = [taken.getsockname()[1] for taken in (*found.hooks, *found.admin)]
        wanted = [taken.getsockname()[1] for taken in (one, three, two)]
        close(found)

    assert ports == wanted


@pytest.mark.parametrize("environment", [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_FDS": "1"}, {"LISTEN_PID": ""}])
def test_sockets_of_another_process_are_left_alone_and_the_variables_are_gone_all_the_same(environment):
    found = inherited(environment)

    assert found == Inherited()
    assert environment == {}


@pytest.mark.parametrize("names", ["website", "hooks:admin", "hooks:", ":"])
def test_a_name_that_says_nothing_to_us_is_refused(names):
    with tcp() as one, handed(one, names=names) as (environment, first), pytest.raises(HomeError, match="FileDescriptorName"):
        inherited(environment, first)


def test_two_sockets_without_names_are_refused():
    with tcp() as one, tcp() as two, handed(one, two) as (environment, first), pytest.raises(HomeError, match="unknown"):
        inherited(environment, first)


def test_what_does_not_listen_is_refused():
    with tcp(listening=False) as one, handed(one) as (environment, first), pytest.raises(HomeError, match="listens"):
        inherited(environment, first)
    with (
        socket.socket(type=socket.SOCK_DGRAM) as one,
        handed(one) as (environment, first),
        pytest.raises(HomeError, match="listens"),
    ):
        inherited(environment, first)
    with tempfile.TemporaryFile() as one, handed(one) as (environment, first), pytest.raises(HomeError, match="no socket"):
        inherited(environment, first)


@pytest.mark.parametrize(("mode", "taken"), [(0o600, True), (0o660, True), (0o666, False)])
def test_an_admin_socket_that_everybody_may_connect_to_is_refused(tmp_path: Path, mode, taken):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "admin"))
        (tmp_path / "admin").chmod(mode)
        one.listen()
        with handed(one, names="admin") as (environment, first):
            if taken:
                close(inherited(environment, first))
            else:
                with pytest.raises(HomeError, match="SocketMode=0600"):
                    inherited(environment, first)
