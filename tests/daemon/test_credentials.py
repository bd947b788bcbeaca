"""Secrets: found by name, never told."""

from __future__ import annotations

import pytest

from daemon.credentials import Credentials
from daemon.errors import SecretMissing


def credentials(tmp_path, **environment):
    folder = tmp_path / "credentials"
    folder.mkdir(exist_ok=True)
    return Credentials(tmp_path, {"CREDENTIALS_DIRECTORY": str(folder), **environment}), folder


def test_a_secret_comes_from_the_environment(tmp_path):
    found, _ = credentials(tmp_path, TOKEN="s3cret")

    assert found.resolve({"env": "TOKEN"}) == b"s3cret"


def test_a_secret_comes_from_a_file_relative_to_the_home(tmp_path):
    (tmp_path / "key.txt").write_bytes(b"s3cret\n")
    found, _ = credentials(tmp_path)

    assert found.resolve({"file": "key.txt"}) == b"s3cret"
    assert found.resolve({"file": str(tmp_path / "key.txt")}) == b"s3cret"


def test_a_secret_comes_from_systemd(tmp_path):
    found, folder = credentials(tmp_path)
    (folder / "deal-secret").write_bytes(b"s3cret")

    assert found.resolve({"credential": "deal-secret"}) == b"s3cret"


def test_a_name_is_a_credential_first_and_then_a_variable(tmp_path):
    found, folder = credentials(tmp_path, DEAL_SECRET="variable")

    assert found.secret("deal-secret") == "variable"
    (folder / "deal-secret").write_bytes(b"credential")
    assert found.secret("deal-secret") == "credential"


@pytest.mark.parametrize(
    ("raw", "value"), [(b"a\n", b"a"), (b"a\r\n", b"a"), (b"a\n\n", b"a\n"), (b"a ", b"a "), (b"\xff\n", b"\xff")]
)
def test_one_newline_at_the_end_is_an_editors_and_everything_else_is_the_secrets(tmp_path, raw, value):
    (tmp_path / "key").write_bytes(raw)
    found, _ = credentials(tmp_path)

    assert found.resolve({"file": "key"}) == value


@pytest.mark.parametrize("raw", [b"", b"\n", b"\r\n"])
def test_an_empty_secret_is_none(tmp_path, raw):
    (tmp_path / "key").write_bytes(raw)
    found, _ = credentials(tmp_path, KEY="")

    for ref in ({"file": "key"}, {"env": "KEY"}):
        with pytest.raises(SecretMissing, match="is empty"):
            found.resolve(ref)


@pytest.mark.parametrize("name", ["../key", "/etc/passwd", "", ".", "..", "a/b", "a\0b"])
def test_a_credentials_name_does_not_lead_out_of_its_folder(tmp_path, name):
    (tmp_path / "key").write_bytes(b"s3cret")
    found, _ = credentials(tmp_path)

    for form in ("credential", "name"):
        with pytest.raises(SecretMissing):
            found.resolve({form: name})


@pytest.mark.parametrize("ref", [{}, {"env": "A", "file": "b"}, {"vault": "x"}, {"env": 5}, {"file": ""}])
def test_another_form_is_refused(tmp_path, ref):
    with pytest.raises(SecretMissing):
        Credentials(tmp_path, {}).resolve(ref)


def test_what_is_missing_is_told_by_name_with_a_way_out(tmp_path):
    with pytest.raises(SecretMissing) as missing:
        Credentials(tmp_path, {}).secret("deal-secret")

    assert "«deal-secret»" in str(missing.value)
    assert "DEAL_SECRET" in str(missing.value)


def test_a_value_is_in_no_error(tmp_path):
    with pytest.raises(SecretMissing) as missing:
        Credentials(tmp_path, {"KEY": "s3cret\udcff"}).secret("KEY")

    assert "s3cret" not in str(missing.value)
    assert missing.value.__cause__ is None


def test_a_rotated_file_is_seen_at_the_next_use(tmp_path):
    key = tmp_path / "key"
    found, _ = credentials(tmp_path)

    key.write_bytes(b"one")
    before = found.resolve({"file": "key"})
    key.write_bytes(b"two")

    assert (before, found.resolve({"file": "key"})) == (b"one", b"two")
