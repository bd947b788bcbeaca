"""Signatures: what is let in, what is refused, and that no header whatever makes them raise."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.errors import DefinitionError
from triggers.signatures import SIGNATURES
from triggers.sources.webhook_spec import prepare

KEY = b"It's a Secret to Everybody"
BODY = b"Hello, World!"
# GitHub's own published example of X-Hub-Signature-256
GITHUB = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
NOW = 1_800_000_000.0


def auth(**section):
    return prepare({"path": "/a", "auth": {"secret": {"env": "X"}, **section}}).auth


def verify(spec, headers, body=BODY, secrets=(KEY,), now=NOW):
    return SIGNATURES[spec.type].verify(spec, secrets, headers, body, now)


def digest(algorithm="sha256", body=BODY, key=KEY):
    return hmac.new(key, body, algorithm).digest()


def test_githubs_published_example_fits():
    spec = auth(type="hmac", header="X-Hub-Signature-256")

    assert verify(spec, {"x-hub-signature-256": GITHUB}) is None


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("prefix", [None, "", "v1="])
def test_every_form_of_a_digest_is_taken(algorithm, encoding, prefix):
    spec = auth(type="hmac", algorithm=algorithm, encoding=encoding, prefix=prefix)
    raw = digest(algorithm)
    text = raw.hex() if encoding == "hex" else base64.b64encode(raw).decode()

    assert verify(spec, {"x-signature": (prefix or "") + text}) is None


def test_without_a_prefix_the_name_of_the_algorithm_may_stand_before_the_digest():
    spec = auth(type="hmac")

    assert verify(spec, {"x-signature": digest().hex()}) is None
    assert verify(spec, {"x-signature": "sha256=" + digest().hex().upper()}) is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " ",
        "sha256=",
        "sha256",
        "sha256=" + digest().hex()[:-2],
        "sha256=" + digest().hex()[:-1],
        "sha256=" + digest().hex() + "00",
        "sha256=sha256=" + digest().hex(),
        "sha1=" + digest("sha1").hex(),
        "sha1=" + digest().hex(),
        digest("sha1").hex(),
        digest("sha512").hex(),
        digest().hex() + ", " + digest().hex(),
        " ".join(digest().hex()),
        "é" * 64,
        "\udcff" * 64,
        "٣" * 64,
        base64.b64encode(digest()).decode(),
        "0" * 64,
    ],
)
def test_what_is_not_the_digest_is_refused_with_a_reason(value):
    spec = auth(type="hmac")

    reason = verify(spec, {} if value is None else {"x-signature": value})

    assert reason is not None
    assert digest().hex() not in reason


def test_a_wrong_secret_an_empty_one_and_none_are_refused():
    spec = auth(type="hmac")
    headers = {"x-signature": digest().hex()}

    assert verify(spec, headers, secrets=(b"other",)) is not None
    assert verify(spec, {"x-signature": digest(key=b"").hex()}, secrets=(b"",)) == "its secret is empty"
    assert verify(spec, headers, secrets=()) == "its secret is empty"


def test_any_of_several_secrets_fits_while_one_is_rotated():
    spec = auth(type="hmac", secret=[{"env": "OLD"}, {"env": "NEW"}])

    assert verify(spec, {"x-signature": digest().hex()}, secrets=(b"old", KEY)) is None
    assert verify(spec, {"x-signature": digest().hex()}, secrets=(KEY, b"new")) is None


def test_a_timestamp_is_part_of_what_is_signed_and_its_tolerance_goes_both_ways():
    spec = auth(type="hmac", timestamp={"header": "X-Time", "tolerance": "5m"})

    def at(seconds, signed=None):
        stamp = str(int(seconds))
        raw = digest(body=(signed or stamp).encode() + b"." + BODY)
        return verify(spec, {"x-time": stamp, "x-signature": raw.hex()})

    assert [at(NOW + off) is None for off in (0, 300, -300, 301, -301)] == [True, True, True, False, False]
    assert at(NOW, signed=str(int(NOW) + 1)) is not None


@pytest.mark.parametrize("stamp", ["", "NaN", "inf", "1e9", "-1", "1.5", "١٢٣", "0x10", "1_000", "9" * 400, "\udcff"])
def test_what_is_no_time_is_refused(stamp):
    spec = auth(type="hmac", timestamp={"header": "X-Time"})

    raw = digest(body=stamp.encode("utf-8", "surrogateescape") + b"." + BODY)

    assert "x-time" in verify(spec, {"x-time": stamp, "x-signature": raw.hex()})


def test_the_signed_text_can_be_put_together_otherwise():
    spec = auth(type="hmac", timestamp={"header": "X-Time"}, signed="v0:{timestamp}:{body}")
    stamp = str(int(NOW))

    raw = digest(body=f"v0:{stamp}:".encode() + BODY)

    assert verify(spec, {"x-time": stamp, "x-signature": raw.hex()}) is None


def test_a_body_that_looks_like_a_placeholder_changes_nothing():
    spec = auth(type="hmac", timestamp={"header": "X-Time"}, signed="{body}|{timestamp}")
    body, stamp = b"{timestamp}{body}", str(int(NOW))

    raw = digest(body=body + b"|" + stamp.encode())

    assert verify(spec, {"x-time": stamp, "x-signature": raw.hex()}, body=body) is None


@pytest.mark.parametrize("value", ["Bearer tok", "bearer tok", "BEARER  tok ", "Bearer\ttok"])
def test_a_bearer_token_fits_whatever_the_case_of_its_scheme(value):
    expected = None if "\t" not in value else "the header authorization does not begin with Bearer"

    assert verify(auth(type="bearer"), {"authorization": value}, secrets=(b"tok",)) == expected


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "tok",
        "Bearer",
        "Bearer ",
        "Basic tok",
        "Bearer to",
        "Bearer tokk",
        "Bearer tok tok",
        "Bearer é",
        "Bearer \udcff",
    ],
)
def test_what_is_not_the_token_is_refused(value):
    assert verify(auth(type="bearer"), {} if value is None else {"authorization": value}, secrets=(b"tok",)) is not None


def test_a_token_may_stand_alone_in_a_header_of_its_own():
    spec = auth(type="bearer", header="X-Gitlab-Token")

    assert verify(spec, {"x-gitlab-token": "tok"}, secrets=(b"tok",)) is None
    assert SIGNATURES["bearer"].headers(spec) == {"x-gitlab-token"}


def test_a_token_of_any_bytes_is_compared_as_bytes():
    assert verify(auth(type="bearer"), {"authorization": "Bearer \udcff\udcfe"}, secrets=(b"\xff\xfe",)) is None
    assert verify(auth(type="bearer"), {"authorization": "Bearer käse"}, secrets=("käse".encode(),)) is None


def test_an_empty_secret_lets_nobody_in():
    assert verify(auth(type="bearer"), {"authorization": "Bearer x"}, secrets=(b"",)) == "its secret is empty"
    assert verify(auth(type="bearer", header="x-token"), {"x-token": ""}, secrets=(b"",)) is not None


HEADER = st.one_of(
    st.text(max_size=80),
    st.binary(max_size=80).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    st.binary(max_size=80).map(lambda raw: raw.decode("latin-1")),
    st.text("0123456789abcdef", min_size=60, max_size=66),
    st.sampled_from(["sha256=", "Bearer ", "Bearer", GITHUB]),
)
SPECS = [
    auth(type="hmac"),
    auth(type="hmac", encoding="base64", algorithm="sha1", prefix="v1,"),
    auth(type="hmac", timestamp={"header": "x-time"}),
    auth(type="bearer", header="x-signature"),
    auth(type="bearer", header="x-signature", scheme="Token"),
]


@settings(max_examples=200)
@given(st.sampled_from(SPECS), HEADER, HEADER, st.binary(max_size=50))
def test_no_header_whatever_raises_or_is_let_in(spec, value, stamp, body):
    reason = verify(spec, {"x-signature": value, "x-time": stamp}, body=body, secrets=(b"a secret nobody draws",))

    assert isinstance(reason, str)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("token", "auth is an object"),
        ({}, "auth has no type"),
        ({"type": "hmack", "secret": {"env": "X"}}, "did you mean «hmac»"),
        ({"type": 5}, "no auth type"),
        ({"type": ["github"]}, "no auth type"),
        ({"type": "hmac"}, "secret is missing"),
        ({"type": "hmac", "secret": "s3cr3t"}, "never holds a secret"),
        ({"type": "hmac", "secret": {"fille": "X"}}, "did you mean «file»"),
        ({"type": "hmac", "secret": {"evn": "X"}}, "known are credential, env, file, name"),
        ({"type": "hmac", "secret": {}}, "give one of"),
        ({"type": "hmac", "secret": []}, "secret is empty"),
        ({"type": "hmac", "secret": {"env": "X", "file": "y"}}, "give one of"),
        ({"type": "hmac", "secret": {"env": ""}}, "env is empty"),
        ({"type": "hmac", "secret": {"env": "X"}, "algorithm": "md5"}, "allowed are"),
        ({"type": "hmac", "secret": {"env": "X"}, "algoritm": "sha1"}, "did you mean «algorithm»"),
        ({"type": "hmac", "secret": {"env": "X"}, "header": "a b"}, "header is «a b»"),
        ({"type": "hmac", "secret": {"env": "X"}, "signed": "{timestamp}{body}"}, "`timestamp` is given"),
        ({"type": "hmac", "secret": {"env": "X"}, "signed": "x"}, "{body} once"),
        ({"type": "hmac", "secret": {"env": "X"}, "timestamp": {"header": "t", "tolerance": "5"}}, "no unit"),
    ],
)
def test_a_wrong_auth_section_is_refused_at_load(section, said):
    with pytest.raises(DefinitionError) as caught:
        prepare({"path": "/a", "auth": section})

    assert said in str(caught.value)
    assert caught.value.problems[0].path[0] == "auth"


def test_a_problem_inside_a_secret_is_placed_where_it_is_written():
    with pytest.raises(DefinitionError) as caught:
        prepare({"path": "/a", "auth": {"type": "hmac", "secret": {"evn": "X"}}})

    assert ("auth", "secret", "evn") in [problem.path for problem in caught.value.problems]


def test_the_digest_of_an_empty_body_is_checked_like_any_other():
    spec = auth(type="hmac")

    assert verify(spec, {"x-signature": hmac.new(KEY, b"", hashlib.sha256).hexdigest()}, body=b"") is None
    assert verify(spec, {"x-signature": ""}, body=b"") is not None
