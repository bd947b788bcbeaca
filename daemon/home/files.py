"""Writing a home: one trigger at a time, whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from daemon.errors import Conflict, HomeError, NotFound
from daemon.home.definitions import Definitions
from flows.errors import DefinitionError

FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", re.ASCII)


def write_trigger(home: Path, definition: Mapping[str, Any], *, key: str, overwrite: bool = False) -> Path:
    """Write triggers/<key>.json whole or not at all. Raises Conflict where the file is there and is not to be replaced."""
    if not FILE_NAME.fullmatch(key):
        raise DefinitionError.at(
            ("key",), f"«{key}» cannot be a file's name", "letters, digits and . _ -, from a letter or digit on"
        )
    folder = home / "triggers"
    file = folder / f"{key}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=f".{key}.", suffix=".part")
    except OSError as error:
        raise HomeError(f"cannot write to {folder}: {error.strerror}", "the home must be writable to add a trigger") from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as part:
            json.dump(definition, part, indent=2, ensure_ascii=not _writable_as_it_is(definition))
            part.write("\n")
            part.flush()
            os.fchmod(part.fileno(), 0o644)
            os.fsync(part.fileno())
        _put(Path(name), file, overwrite=overwrite)
    except OSError as error:
        raise HomeError(f"cannot write {file}: {error.strerror}") from error
    finally:
        Path(name).unlink(missing_ok=True)
    sync_folder(folder)
    return file


def remove_trigger(definitions: Definitions, key: str) -> Path:
    """Remove the file that defines the trigger, also where the definition is refused. Raises NotFound."""
    for file, loaded in definitions.files.items():
        if loaded.key == key and file.parent.name == "triggers":
            try:
                file.unlink()
            except FileNotFoundError:
                break
            except OSError as error:
                raise HomeError(f"cannot remove {file}: {error.strerror}") from error
            sync_folder(file.parent)
            return file
    raise NotFound(f"there is no trigger «{key}»", "camshaft trigger list")


def read_text(file: Path) -> str:
    """A definition's text with its line ends. Raises HomeError; Conflict where it is not there: it may be written anew just now."""
    try:
        return file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise HomeError(f"{file} is not UTF-8", "save it as UTF-8") from error
    except FileNotFoundError as error:
        raise Conflict(f"{file} is not there at this moment", "try again") from error
    except OSError as error:
        raise HomeError(f"cannot read {file}: {error.strerror}") from error


def replace_text(file: Path, before: str, after: str) -> None:
    """Put another text into a file, whole or not at all; a link stays one, and the file keeps its mode and owner.

    Raises Conflict where the file does not hold `before`, HomeError.
    """
    real = Path(os.path.realpath(file))
    name = ""
    try:
        status = real.stat()
        descriptor, name = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.", suffix=".part")
        with os.fdopen(descriptor, "wb") as part:
            part.write(after.encode())
            part.flush()
            os.fchmod(part.fileno(), status.st_mode & 0o7777)
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                with suppress(PermissionError):
                    os.fchown(part.fileno(), status.st_uid, status.st_gid)
            os.fsync(part.fileno())
        if real.read_bytes() != before.encode():
            raise Conflict(f"{file} was changed meanwhile", "try again")
        Path(name).replace(real)
    except OSError as error:
        raise HomeError(f"cannot write {file}: {error.strerror}") from error
    finally:
        if name:
            Path(name).unlink(missing_ok=True)
    sync_folder(real.parent)


def sync_folder(folder: Path) -> None:
    """A rename is on disk when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put(part: Path, file: Path, *, overwrite: bool) -> None:
    if overwrite:
        part.replace(file)
        return
    try:
        os.link(part, file)  # unlike a rename it never writes over a file that came in between
    except FileExistsError as error:
        raise Conflict(f"{file} is there already", "remove it first, or add with --replace") from error
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}:  # a file system without links
            raise
        if file.exists():
            raise Conflict(f"{file} is there already", "remove it first, or add with --replace") from error
        part.replace(file)


def _writable_as_it_is(definition: Any) -> bool:
    """False where a lone surrogate stands in it: it is then written as its escape."""
    try:
        json.dumps(definition, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
