"""The command line: which commands there are, and how every failure becomes one line and an exit status.

0 done · 1 failed · 2 usage · 3 definition refused · 4 not found · 5 daemon not reachable · 6 an expectation is not met · 7 run failed · 130 interrupted
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from io import TextIOWrapper
from itertools import pairwise

from cyclopts import App, CycloptsError

from daemon.cli.exits import BROKEN_PIPE, INTERRUPTED, REFUSED, USAGE
from daemon.errors import BadRequest, DaemonError, OutputFailed, output_told
from flows.errors import DefinitionError

# Loading a command makes a hundred thousand objects that stay: to collect among them 190 times took an eighth of a start.
gc.set_threshold(100_000, 50, 100)

# A command's file is imported when the command is used: `help` stands here so that the list of commands needs none of them.
COMMANDS = (
    ("serve", "daemon.cli.serve:serve", "Run the daemon for a home until SIGTERM or Ctrl-C."),
    ("init", "daemon.cli.init:init", "Make a small working home in a folder."),
    ("validate", "daemon.cli.validate:validate", "Check definitions without running anything."),
    ("status", "daemon.cli.status:status", "Say what the daemon of a home does right now."),
    ("doctor", "daemon.cli.doctor:doctor", "Find what keeps a home from being served well."),
    ("reload", "daemon.cli.reload:reload", "Have the daemon read its definitions again."),
    ("trigger", "daemon.cli.trigger:app", "Add, list, show, test, fire, explain, switch, edit and remove triggers."),
    ("flow", "daemon.cli.flow:app", "List, show, draw and execute flows."),
    ("run", "daemon.cli.run:app", "List, show, watch, answer, stop and repeat runs."),
    ("approval", "daemon.cli.approval:app", "List what runs ask of people."),
    ("event", "daemon.cli.event:app", "List, show, explain and send events."),
    ("schedule", "daemon.cli.schedule:app", "Show when a cron text fires."),
    ("config", "daemon.cli.config:app", "Show the settings of a home, and where each came from."),
    ("systemd", "daemon.cli.systemd:app", "Install camshaft as a service of systemd, or remove it."),
    ("completion", "daemon.cli.completion:app", "Print a script that completes commands, options and keys in a shell."),
    ("schema", "daemon.cli.schema:schema", "Print the JSON Schema of triggers, flows or settings, for editors."),
    ("eval", "daemon.cli.evaluate:evaluate", "Evaluate an expression, a path or a template against data."),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    given = _home_last([_as_utf8(word) for word in (sys.argv[1:] if arguments is None else arguments)])
    try:
        _open_streams()
        _known(given)
        status = _application()(given)
        with output_told():
            sys.stdout.flush()
    except BrokenPipeError:
        _give_up_output()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if isinstance(error, OutputFailed):
            _give_up_output()
        if os.environ.get("CAMSHAFT_DEBUG"):
            raise
        return _told(error)
    return status if isinstance(status, int) else 0


def _told(error: Exception) -> int:
    """Say what went wrong, one line for each thing; the exit status."""
    if isinstance(error, CycloptsError):
        _say(f"{' '.join(str(error).split())} (camshaft --help)")
        return USAGE
    if isinstance(error, DefinitionError):
        for problem in error.problems:
            _say(str(problem))
        return REFUSED
    if isinstance(error, DaemonError):
        _say(str(error))
        return error.exit_status
    if isinstance(error, UnicodeEncodeError) and any("\udc80" <= mark <= "\udcff" for mark in str(error.object)):
        _say(f"an argument is not UTF-8 text: {str(error.object)[:100]!a}")
        return USAGE
    if isinstance(error, OSError):
        _say(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return 1
    said = " ".join(str(error).split())
    _say(f"a defect of camshaft: {type(error).__name__}: {said} (CAMSHAFT_DEBUG=1 shows where; please report it)")
    return 1


def _give_up_output() -> None:
    """The interpreter flushes once more at its end: to nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _as_utf8(word: str) -> str:
    """An argument as it was meant where the locale is not UTF-8; what is no UTF-8 stays as it came."""
    try:
        return os.fsencode(word).decode()
    except UnicodeError:
        return word


def _open_streams() -> None:
    """A command may be started without standard streams; no file of ours may then take their numbers, nor a write fail."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:  # it stays: that is its use
        os.set_inheritable(number, True)
    os.close(number)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8")  # noqa: SIM115 - as long as the process
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115 - as above
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115 - as above
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.encoding in {"ascii", "ANSI_X3.4-1968", "us-ascii", "646"}:
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # a locale that says nothing; JSON is UTF-8


def _application() -> App:
    application = App(
        name="camshaft",
        help="When this happens, run that: webhooks, schedules and files start flows, and every event says what it did.",
        version=_version,
        result_action="return_value",
        print_error=False,
        exit_on_error=False,
        suppress_keyboard_interrupt=False,
        help_format="plaintext",
    )
    for name, place, summary in COMMANDS:
        application.command(place, name=name, help=summary)
    return application


def _known(arguments: list[str]) -> None:
    """Raise for a home without a name, and for a word that is no command: the parser would import every command to say so."""
    if "--home=" in arguments or ("--home", "") in pairwise(
        arguments
    ):  # a variable that is not set: the current folder is not meant
        raise BadRequest("--home is empty", "name the home's folder")
    names = [name for name, _, _ in COMMANDS]
    if arguments and not arguments[0].startswith("-") and arguments[0] not in names:
        near = get_close_matches(arguments[0], names, n=1)
        raise BadRequest(f"there is no command «{arguments[0]}»", f"did you mean «{near[0]}»?" if near else "camshaft --help")


def _version() -> str:
    from importlib.metadata import version  # 20 ms, and only `--version` asks

    return version("camshaft")


def _home_last(arguments: list[str]) -> list[str]:
    """`camshaft --home DIR trigger list` means `camshaft trigger list --home DIR`."""
    taken = 2 if arguments[:1] == ["--home"] else 1 if arguments and arguments[0].startswith("--home=") else 0
    front, rest = arguments[:taken], arguments[taken:]
    if not rest:
        return arguments
    end = rest.index("--") if "--" in rest else len(rest)
    return [*rest[:end], *front, *rest[end:]]


def _say(text: str) -> None:
    from daemon.cli.output import say  # for a failure alone: `--help` and `--version` need none of it

    say(text)
