"""`camshaft systemd`: units for this environment and a home, put where systemd finds them, and taken away again."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from daemon.cli.options import Home, Output, likely_home
from daemon.cli.output import show_value, write
from daemon.errors import BadRequest, Conflict, HomeError
from daemon.units import STATE_HOME, Place, render, sealed, untouched

app = App(name="systemd", help="Install camshaft as a service of systemd, or remove it.")

NAMES = ("camshaft.service", "camshaft.socket")
OfUser = Annotated[bool, Parameter(name="--user", negative="", help="A service of this user, not of the system.")]
Root = Annotated[Path | None, Parameter(help="Work below this folder in place of /: for packages and tests.")]
Force = Annotated[bool, Parameter(negative="", help="Also where a unit was changed by hand since.")]


@app.command
def install(  # noqa: PLR0913 - each is an option
    *,
    of_user: OfUser = False,
    home: Home = None,
    socket: Annotated[
        bool, Parameter(help="systemd listens for webhooks, so that nobody is refused over a restart; or the daemon itself.")
    ] = True,
    listen: Annotated[str | None, Parameter(help="HOST:PORT of the socket; else [http] listen of the home.")] = None,
    run_as: Annotated[str | None, Parameter(help="Of a system service: the user it runs as; else the home's owner.")] = None,
    dry_run: Annotated[bool, Parameter(negative="", help="Print the units and write nothing.")] = False,
    force: Force = False,
    destdir: Root = None,
    output: Output = "table",
) -> None:
    """Write the units for this environment's camshaft and a home, and say what to do next.

    A system service without --home serves /var/lib/camshaft as a user that systemd makes for it.
    """
    folder = likely_home(home) if of_user or home is not None else STATE_HOME
    place = _place(folder, of_user=of_user, socket=socket, listen=listen, run_as=run_as)
    units = {_folder(of_user=of_user, root=destdir) / name: sealed(text) for name, text in render(place, of_user=of_user).items()}
    if dry_run:
        for path, text in units.items():
            write(f"# {path}\n{text}")
        return
    states = _written(units, force=force)
    told = {
        "units": [{"path": str(path), "state": state} for path, state in states.items()],
        "next": _next(place, of_user=of_user),
    }
    _show(told, output)


@app.command
def uninstall(*, of_user: OfUser = False, force: Force = False, destdir: Root = None, output: Output = "table") -> None:
    """Remove the units that `install` wrote, and say what to do next. The home stays as it is."""
    found = [path for name in NAMES if (path := _folder(of_user=of_user, root=destdir) / name).exists()]
    for path in found:
        if not force and not untouched(path.read_text(encoding="utf-8", errors="replace")):
            raise Conflict(f"{path} was changed by hand", "remove it yourself, or take --force")
    for path in found:
        path.unlink()
    ask = _systemctl(of_user=of_user)
    names = " ".join(reversed(NAMES))
    told = {
        "units": [{"path": str(path), "state": "removed"} for path in found],
        "next": [f"{ask} disable --now {names}", f"{ask} daemon-reload"] if found else [],
    }
    _show(told, output)


def _place(home: Path, *, of_user: bool, socket: bool, listen: str | None, run_as: str | None) -> Place:
    """What the units are filled in with. Raises BadRequest, HomeError, and DefinitionError of a home's settings."""
    if run_as is not None and of_user:
        raise BadRequest("--run-as is for a service of the system", "a user's service runs as that user")
    if not home.is_dir() and home != STATE_HOME:
        raise HomeError(f"there is no home at {home}", f"make one: camshaft init {home}")
    user = None
    if not of_user and (home != STATE_HOME or run_as is not None):
        user = run_as or home.owner()
        if user == "root" and run_as is None:
            raise BadRequest(
                f"{home} belongs to root, and flows would run as root", "--run-as USER, and chown the home to that user"
            )
    reads = dict.fromkeys(Path(prefix) for prefix in (sys.prefix, sys.base_prefix))
    return Place(_executable(), home, _listen(home, listen), socket=socket, user=user, reads=tuple(reads))


def _listen(home: Path, given: str | None) -> str:
    from daemon.config import read_address, read_config  # pydantic: not for the other command here

    if given is not None:
        try:
            address = read_address(given)
        except ValueError as error:
            raise BadRequest(f"--listen: {error}") from None
    else:
        address = read_config(home).http.listen if home.is_dir() else read_address(8700)
    if address.port == 0:
        raise BadRequest("a socket unit needs a port", "--listen 127.0.0.1:8700, or --no-socket")
    if address.host == "localhost":
        return f"127.0.0.1:{address.port}"  # systemd takes addresses alone
    return str(address)


def _executable() -> Path:
    """The installed command of this environment."""
    beside = Path(sys.executable).parent / "camshaft"
    if beside.is_file():
        return beside
    found = shutil.which("camshaft")
    if found is None:
        raise HomeError("this environment has no command «camshaft»", "install camshaft into it: pip install camshaft")
    return Path(found).absolute()


def _folder(*, of_user: bool, root: Path | None) -> Path:
    if of_user:
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"
    else:
        folder = Path("/etc/systemd/system")
    return folder if root is None else root.absolute() / folder.relative_to("/")


def _written(units: dict[Path, str], *, force: bool) -> dict[Path, str]:
    """Each unit's state afterwards. All or none: raises Conflict before anything is written."""
    states = {}
    for path, text in units.items():
        old = path.read_text(encoding="utf-8", errors="replace") if path.exists() else None
        if old is not None and old != text and not force and not untouched(old):
            raise Conflict(f"{path} is there, and is not as camshaft wrote it", "compare with --dry-run; --force replaces it")
        states[path] = "unchanged" if old == text else "replaced" if old is not None else "written"
    for path, text in units.items():
        if states[path] == "unchanged":
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_text(text, encoding="utf-8")
        fresh.chmod(0o644)
        fresh.replace(path)
    return states


def _next(place: Place, *, of_user: bool) -> list[str]:
    ask = _systemctl(of_user=of_user)
    names = "camshaft.socket camshaft.service" if place.socket else "camshaft.service"
    first = [] if (place.home / "camshaft.toml").exists() else [f"camshaft init {place.home}"]
    linger = ["loginctl enable-linger"] if of_user else []  # else it ends when the user logs out
    log = "journalctl --user -u camshaft -f" if of_user else "journalctl -u camshaft -f"
    return [*first, f"{ask} daemon-reload", f"{ask} enable --now {names}", *linger, log]


def _systemctl(*, of_user: bool) -> str:
    return "systemctl --user" if of_user else "systemctl"


def _show(told: dict[str, Any], output: Any) -> None:
    if output != "table":
        show_value(told, output)
        return
    for unit in told["units"]:
        write(f"{unit['state']} {unit['path']}")
    if not told["units"]:
        write("nothing is installed here")
    if told["next"]:
        write("next:")
    for line in told["next"]:
        write(f"  {line}")
