"""`camshaft serve`: run the daemon for a home."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import structlog
from cyclopts import Parameter

from daemon.cli.options import Home, find_home
from daemon.config import read_address, read_config
from daemon.errors import BadRequest, DaemonError
from daemon.log import set_up_logs
from daemon.service import serve as serve_home
from daemon.store.errors import StoreError
from flows.errors import DefinitionError
from triggers.source import SourceError, Unavailable

log = structlog.get_logger()


def serve(
    *,
    listen: Annotated[str | None, Parameter(help="HOST:PORT for webhooks; port 0 takes a free one, which is printed.")] = None,
    admin: Annotated[
        str | None, Parameter(help="HOST:PORT for the admin API over TCP, with a token; always on the Unix socket.")
    ] = None,
    concurrency: Annotated[int | None, Parameter(help="How many runs go on at once.")] = None,
    drain: Annotated[float | None, Parameter(help="Seconds that runs may go on after SIGTERM.")] = None,
    log_level: Literal["debug", "info", "warning", "error"] | None = None,
    log_format: Literal["auto", "console", "json"] | None = None,
    keep_going: Annotated[
        bool, Parameter(negative="", help="Serve what loads, also where some definitions are refused.")
    ] = False,
    home: Home = None,
) -> int:
    """Run the daemon for a home until SIGTERM or Ctrl-C; then it drains and exits 0.

    What a flag does not say stands in the environment (CAMSHAFT_HTTP__LISTEN) or in camshaft.toml. Exit 3: definitions are
    refused, and all of their problems are listed.
    """
    flags: dict[str, dict[str, Any]] = {}
    for section, name, value in (
        ("http", "listen", listen),
        ("http", "admin", admin),
        ("worker", "concurrency", concurrency),
        ("worker", "drain_s", drain),
        ("log", "level", log_level),
        ("log", "format", log_format),
    ):
        if value is not None:
            flags.setdefault(section, {})[name] = value
    for name, value in (("--listen", listen), ("--admin", admin)):
        try:
            read_address(value or 0)
        except ValueError as error:
            raise BadRequest(f"{name}: {error}") from None
    config = read_config(find_home(home), flags)
    set_up_logs(config.log.level, config.log.format)
    try:
        return serve_home(config, keep_going=keep_going)
    except StoreError as error:
        raise DaemonError(str(error), error.hint) from error
    except (SourceError, Unavailable) as error:
        raise DaemonError(str(error)) from error
    except (DaemonError, DefinitionError, OSError):
        raise
    except Exception:  # a defect: its traceback belongs into the log, where an operator looks
        log.exception("service.failed")
        return 1
