"""The command line: which commands there are, and how every failure becomes one line and an exit status.

0 done · 1 failed · 2 usage · 3 definition refused · 4 not found · 5 daemon not reachable · 7 run failed · 130 interrupted
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches

from cyclopts import App, CycloptsError

from daemon.errors import BadRequest, DaemonError
from flows.errors import DefinitionError

# Loading a command makes a hundred thousand objects that stay: to collect among them 190 times took an eighth of a start.
gc.set_threshold(100_000, 50, 100)

USAGE, REFUSED, INTERRUPTED = 2, 3, 130
BROKEN_PIPE = 141  # what a shell reports of a program that SIGPIPE ended: whoever read our output has had enough

# A command's file is imported when the command is used: `help` stands here so that the list of commands needs none of them.
COMMANDS = (
    ("serve", "daemon.cli.serve:serve", "Run the daemon for a home until SIGTERM or Ctrl-C."),
    ("init", "daemon.cli.init:init", "Make a small working home in a folder."),
    ("validate", "daemon.cli.validate:validate", "Check definitions without running anything."),
    ("reload", "daemon.cli.reload:reload", "Have the daemon read its definitions again."),
    ("trigger", "daemon.cli.trigger:app", "Add, list, show and remove triggers."),
    ("flow", "daemon.cli.flow:app", "List, show and execute flows."),
    ("run", "daemon.cli.run:app", "List and show runs."),
    ("event", "daemon.cli.event:app", "List, show and explain events."),
    ("schedule", "daemon.cli.schedule:app", "Show when a cron text fires."),
    ("systemd", "daemon.cli.systemd:app", "Install camshaft as a service of systemd, or remove it."),
    ("eval", "daemon.cli.evaluate:evaluate", "Evaluate an expression, a path or a template against data."),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    given = _home_last(list(sys.argv[1:] if arguments is None else arguments))
    try:
        _known(given)
        status = _application()(given)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more at its end
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except (CycloptsError, DefinitionError, DaemonError, OSError) as error:
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
    assert isinstance(error, OSError)
    _say(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    return 1


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
    """Raise for a word that is no command: the parser would import every command to say so."""
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
    print(f"camshaft: {text}".encode("utf-8", "backslashreplace").decode(), file=sys.stderr)
