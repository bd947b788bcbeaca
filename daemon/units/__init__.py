"""The units of systemd: templates beside this file, filled in for one executable and one home.

`systemd/` in the repository holds what render() makes of them for the usual places; a test holds the two in step.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from daemon.errors import BadRequest

STATE_HOME = Path("/var/lib/camshaft")  # the home that systemd makes and owns for a user of its own
HOMES = (Path("/home"), Path("/root"), Path("/run/user"))  # what ProtectHome= keeps away
HIDDEN = (*HOMES, Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - and PrivateTmp=
_SEAL = "# As `camshaft systemd install` wrote it; it replaces and removes only what has not been changed since: "


@dataclass(frozen=True, slots=True)
class Place:
    """What a unit is filled in with."""

    executable: Path
    home: Path
    listen: str  # ListenStream= of the socket
    socket: bool = True  # False: the daemon binds its own
    user: str | None = None  # of a system service; None: one that systemd makes, where the home is STATE_HOME
    reads: tuple[Path, ...] = ()  # folders that the executable needs and that ProtectHome= would hide


def render(place: Place, *, of_user: bool = False) -> dict[str, str]:
    """File name → text. Raises BadRequest where a path cannot stand in a unit."""
    units = {"camshaft.service": _user_service(place) if of_user else _system_service(place)}
    if place.socket:
        units["camshaft.socket"] = _filled("camshaft.socket", {"LISTEN": place.listen})
    return units


def _system_service(place: Place) -> str:
    return _filled(
        "camshaft.service",
        {
            **_common(place),
            "IDENTITY": _identity(place),
            "PROTECT_HOME": _protect_home(place),
        },
    )


def _user_service(place: Place) -> str:
    return _filled("camshaft-user.service", {**_common(place), "HOME_LINE": _line(place.home)})


def _common(place: Place) -> dict[str, str]:
    return {
        "CAMSHAFT": _word(place.executable, command=True),
        "HOME": _word(place.home, command=True),
        "SOCKET": "Requires=camshaft.socket\nAfter=camshaft.socket\n" if place.socket else "",
    }


def _identity(place: Place) -> str:
    if place.home == STATE_HOME and place.user is None:
        who = "DynamicUser=yes\nStateDirectory=camshaft\nStateDirectoryMode=0700\n"
    else:
        who = f"User={place.user}\nReadWritePaths={_word(place.home)}\n"
    return f"{who}WorkingDirectory={_line(place.home)}\nEnvironment={_word(f'HOME={place.home}')}\n"


def _protect_home(place: Place) -> str:
    """Homes of people are hidden, but for what lies in them and is needed."""
    needed = [("BindPaths", place.home), *(("BindReadOnlyPaths", path) for path in place.reads)]
    binds = [f"{how}={_word(path)}\n" for how, path in needed if _is_under(path, HIDDEN)]
    inside = any(_is_under(path, HOMES) for _, path in needed)
    return "".join(("ProtectHome=tmpfs\n" if inside else "ProtectHome=yes\n", *binds))


def _is_under(path: Path, folders: tuple[Path, ...]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def _filled(name: str, values: dict[str, str]) -> str:
    template = files(__name__).joinpath(name).read_text(encoding="utf-8")
    return re.sub(r"@([A-Z_]+)@", lambda found: values[found[1]], template)


def _word(text: Path | str, *, command: bool = False) -> str:
    """One word of a line, quoted where it must be. In a command a `$` would begin a variable."""
    said = _line(text).replace("\\", "\\\\").replace('"', '\\"')
    if command:
        said = said.replace("$", "$$")
    return said if re.fullmatch(r"[\w./%$=:@+,-]+", said) else f'"{said}"'


def _line(text: Path | str) -> str:
    """The rest of a line, where only `%` means something."""
    said = str(text)
    if not said.isprintable():
        raise BadRequest(f"{said!r} cannot stand in a unit", "a path without control characters")
    return said.replace("%", "%%")


# ---- the seal


def sealed(text: str) -> str:
    """The text, and in its last line what it was: so that a change is seen."""
    return f"{text}\n{_SEAL}{_digest(text)}\n"


def untouched(written: str) -> bool:
    """It is as sealed() made it."""
    text, found, digest = written.rpartition(f"\n{_SEAL}")
    return bool(found) and digest.strip() == _digest(text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
