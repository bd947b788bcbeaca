"""A secret's name becomes its value; values never enter a definition, a log or a row."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daemon.errors import SecretMissing

MAX_SECRET_BYTES = 1024 * 1024  # systemd's own limit for a credential
FORMS = ("env", "file", "credential", "name")
_NAME = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9_.@:-]{0,254}", re.ASCII
)  # a file's name in the credentials directory: no way out of it


class Credentials:
    """Where secrets come from: the environment, files, and the directory systemd fills (LoadCredential=).

    Nothing is kept: a rotated file is seen at the next use.
    """

    def __init__(self, home: Path, environment: Mapping[str, str] | None = None) -> None:
        self._home = home
        self._environment = os.environ if environment is None else environment

    def resolve(self, ref: Mapping[str, Any] | str) -> bytes:
        """The value of {"env": NAME}, {"file": path}, {"credential": NAME} or {"name": NAME}; a text is a name.

        One trailing newline is taken off. Raises SecretMissing where nothing is found, and where it is empty.
        """
        form, name = _form_of(ref)
        if form == "env":
            return self._from_environment(name)
        if form == "file":
            return _read(self._home / Path(name).expanduser(), f"the secret's file {name}")
        if form == "credential":
            return self._from_directory(name)
        return self._by_name(name)

    def secret(self, name: str) -> str:
        """The same for steps, as text. Raises SecretMissing."""
        try:
            return self.resolve({"name": name}).decode()
        except UnicodeDecodeError:
            # The cause would carry the value into a traceback.
            raise SecretMissing(f"the secret «{name}» is not UTF-8 text") from None

    def _from_environment(self, name: str) -> bytes:
        value = self._environment.get(name)
        if value is None:
            raise SecretMissing(f"the environment has no variable {name}", f"start the daemon with {name} set")
        return _filled(os.fsencode(value), f"the variable {name}")

    def _from_directory(self, name: str) -> bytes:
        folder = self._environment.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise SecretMissing(
                f"there is no credential «{name}»: CREDENTIALS_DIRECTORY is not set", f"LoadCredential={name}:PATH in the unit"
            )
        if not _NAME.fullmatch(name):
            raise SecretMissing(f"«{name}» is no name of a credential", "letters, digits and . _ @ : -")
        return _read(Path(folder) / name, f"the credential «{name}»")

    def _by_name(self, name: str) -> bytes:
        folder = self._environment.get("CREDENTIALS_DIRECTORY")
        if folder and _NAME.fullmatch(name) and (Path(folder) / name).is_file():
            return self._from_directory(name)
        variables = dict.fromkeys((name, re.sub(r"\W", "_", name, flags=re.ASCII).upper()))
        for variable in variables:
            if variable in self._environment:
                return self._from_environment(variable)
        raise SecretMissing(
            f"there is no secret «{name}»", f"as a systemd credential, or in the environment as {' or '.join(variables)}"
        )


def _form_of(ref: Mapping[str, Any] | str) -> tuple[str, str]:
    if isinstance(ref, str):
        return "name", ref
    if len(ref) == 1:
        ((form, name),) = ref.items()
        if form in FORMS and isinstance(name, str) and name:
            return form, name
    raise SecretMissing(f"a secret is named by one of {', '.join(FORMS)}", '{"env": "NAME"}')


def _read(file: Path, what: str) -> bytes:
    try:
        with file.open("rb") as opened:
            value = opened.read(MAX_SECRET_BYTES + 1)
    except FileNotFoundError:
        raise SecretMissing(f"{what} is not there") from None
    except OSError as error:
        raise SecretMissing(f"{what} cannot be read: {error.strerror}") from error
    if len(value) > MAX_SECRET_BYTES:
        raise SecretMissing(f"{what} is larger than {MAX_SECRET_BYTES} bytes")
    return _filled(value, what)


def _filled(value: bytes, what: str) -> bytes:
    value = value.removesuffix(b"\r\n" if value.endswith(b"\r\n") else b"\n")
    if not value:
        raise SecretMissing(f"{what} is empty")
    return value
