"""Which names look like secrets, and that no stranger's name costs more than a name does."""

from time import process_time

import pytest

from triggers.redaction import REDACTED, _known, cleaned, looks_secret


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "Proxy-Authorisation", "X-API-Key", "apikey", "private_key", "signing-key", "auth-key", "auth", "pin"),
        *("password", "passwd", "db_passphrase", "client_secret", "csrf-token", "Set-Cookie", "x-hub-signature", "credentials"),
        *("Ocp-Apim-Subscription-Key", "x-functions-key", "x-master-key", "sharedKey", "passcode", "X-JWT-Assertion"),
        *("sessionid", "session-id", "$.body.user.token", "a" * 200 + ".token"),
    ],
)
def test_a_name_that_looks_like_a_secret_is_one(name):
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name", ["", "author", "monkey", "key", "x-request-id", "content-type", "session", "opinion", "a" * 16_000]
)
def test_a_name_like_any_other_is_none(name):
    assert not looks_secret(name)


def test_a_hundred_huge_names_are_read_quickly_and_not_kept():
    names = [f"{number}-" + "session" * 2300 for number in range(100)]
    kept = _known.cache_info().currsize

    began = process_time()
    found = [name for name in names if looks_secret(name)]
    took_s = process_time() - began

    assert found == []
    assert took_s < 1
    assert _known.cache_info().currsize == kept


def test_a_copy_for_people_is_small_and_without_secrets():
    value = {"token": "t", "deep": {"a": {"b": {"c": 1}}}, "long": "x" * 300, "many": list(range(50)), "n": 1.5}

    shown = cleaned(value)

    assert shown == {
        "token": REDACTED,
        "deep": {"a": {"b": "…"}},
        "long": "x" * 200 + "…",
        "many": list(range(20)),
        "n": 1.5,
    }
