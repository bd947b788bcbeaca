"""The signatures of GitHub, Slack, Stripe and Standard Webhooks: what is let in, and that nothing else is, whatever the headers hold."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.connectors.destinations.webhook import key_of, signature
from flows.errors import DefinitionError
from triggers.signatures import SIGNATURES
from triggers.sources.webhook_spec import prepare

NOW = 1_800_000_000.0
BODY = b'{"a": 1}'
KEY = b"0123456789abcdef01234567"
WHSEC = b"whsec_" + base64.b64encode(KEY)


def auth(**section):
    return prepare({"path": "/a", "auth": {"secret": {"env": "X"}, **section}}).auth


def verify(spec, headers, body=BODY, secrets=(KEY,), now=NOW):
    return SIGNATURES[spec.type].verify(spec, secrets, headers, body, now)


def digest(content, key=KEY):
    return hmac.new(key, content, hashlib.sha256).digest()


def stripe(stamp=int(NOW), body=BODY, key=KEY, signed=None):
    return f"t={stamp},v1={digest(f'{signed or stamp}.'.encode() + body, key).hex()}"


def slack(stamp=int(NOW), body=BODY, key=KEY, signed=None):
    text = f"v0={digest(f'v0:{signed or stamp}:'.encode() + body, key).hex()}"
    return {"x-slack-request-timestamp": str(stamp), "x-slack-signature": text}


def standard(stamp=int(NOW), body=BODY, key=KEY, message="msg_1", signed=None, prefix="webhook", version="v1"):
    text = base64.b64encode(digest(f"{message}.{signed or stamp}.".encode() + body, key)).decode()
    return {f"{prefix}-id": message, f"{prefix}-timestamp": str(stamp), f"{prefix}-signature": f"{version},{text}"}


# -- what is let in


def test_the_published_example_of_github_fits():
    value = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

    reason = verify(auth(type="github"), {"x-hub-signature-256": value}, b"Hello, World!", (b"It's a Secret to Everybody",))

    assert reason is None


def test_the_published_example_of_slack_fits():
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
        b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
        b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    headers = {
        "x-slack-request-timestamp": "1531420618",
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }

    reason = verify(auth(type="slack"), headers, body, (b"8f742231b10e8888abcd99yyyzzz85a5",), 1531420618)

    assert reason is None


def test_the_published_example_of_standard_webhooks_fits():
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    secret = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    reason = verify(auth(type="standard_webhooks"), headers, b'{"test": 2432232314}', (secret,), 1614265330)

    assert reason is None


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=64), st.integers(0, 10**11))
def test_what_our_own_webhooks_sign_is_let_in(body, key, sent_at):
    secret = f"whsec_{base64.b64encode(key).decode()}"
    headers = {"webhook-id": "msg_a", "webhook-timestamp": str(sent_at)}

    headers["webhook-signature"] = signature(key_of(secret, "K"), "msg_a", sent_at, body)

    assert verify(auth(type="standard-webhooks"), headers, body, (secret.encode(),), sent_at) is None


def test_a_key_of_standard_webhooks_is_base64_with_or_without_its_prefix_and_stripe_s_is_used_whole():
    assert verify(auth(type="standard_webhooks"), standard(), secrets=(WHSEC,)) is None
    assert verify(auth(type="standard_webhooks"), standard(), secrets=(WHSEC.removeprefix(b"whsec_") + b"\n",)) is None
    assert verify(auth(type="standard_webhooks"), standard(key=WHSEC), secrets=(WHSEC,)) is not None
    assert verify(auth(type="stripe"), {"stripe-signature": stripe(key=WHSEC)}, secrets=(WHSEC,)) is None
    assert verify(auth(type="stripe"), {"stripe-signature": stripe()}, secrets=(WHSEC,)) is not None


def test_one_of_several_digests_fits_while_a_sender_rotates_its_secret():
    old, new = standard(key=b"other")["webhook-signature"], standard()["webhook-signature"]
    stripes = f"{stripe(key=b'old')},v1={digest(b'%d.' % NOW + BODY).hex()},v0=x,v1=zz"

    for value in (f"{old} {new}", f"v1a,xx {new} v2,yy", f"{old}, {new}"):
        assert verify(auth(type="standard_webhooks"), {**standard(), "webhook-signature": value}, secrets=(WHSEC,)) is None
    assert verify(auth(type="stripe"), {"stripe-signature": stripes}) is None


def test_one_of_several_secrets_fits_while_a_receiver_rotates_them():
    assert verify(auth(type="stripe"), {"stripe-signature": stripe()}, secrets=(b"old", KEY)) is None
    assert verify(auth(type="slack"), slack(), secrets=(KEY, b"new")) is None
    assert verify(auth(type="standard_webhooks"), standard(), secrets=(b"no base64!", WHSEC)) is None


def test_of_several_times_the_one_that_was_signed_is_judged():
    spec = auth(type="stripe")
    old = int(NOW) - 1000

    fresh = verify(spec, {"stripe-signature": f"t={old},{stripe()}"})
    replayed = verify(spec, {"stripe-signature": f"t={int(NOW)},{stripe(old)}"})

    assert fresh is None
    assert replayed is not None


def test_headers_with_a_sender_s_own_prefix_are_read():
    spec = auth(type="standard_webhooks", prefix="svix")

    assert verify(spec, standard(prefix="svix"), secrets=(WHSEC,)) is None
    assert verify(spec, standard(), secrets=(WHSEC,)) == "the header svix-signature is missing"
    assert SIGNATURES["standard_webhooks"].headers(spec) == {"svix-signature"}


# -- what is refused


TIMED = [
    (auth(type="stripe"), lambda stamp: {"stripe-signature": stripe(stamp)}, KEY),
    (auth(type="slack"), slack, KEY),
    (auth(type="standard_webhooks"), standard, WHSEC),
]


@pytest.mark.parametrize(("spec", "made", "secret"), TIMED, ids=["stripe", "slack", "standard_webhooks"])
def test_the_tolerance_goes_both_ways_and_can_be_set(spec, made, secret):
    inside = [verify(spec, made(int(NOW) + off), secrets=(secret,)) is None for off in (0, 300, -300, 301, -301)]
    wide = spec.model_copy(update={"tolerance": 1000.0})

    assert inside == [True, True, True, False, False]
    assert verify(wide, made(int(NOW) - 900), secrets=(secret,)) is None


@pytest.mark.parametrize(("spec", "made", "secret"), TIMED, ids=["stripe", "slack", "standard_webhooks"])
@pytest.mark.parametrize("stamp", ["", "NaN", "inf", "1e9", "-1", "1.8e9", "1800000000.0", "٣", " 1800000000 5", "0x6b49d200"])
def test_what_is_no_time_in_whole_seconds_is_refused(spec, made, secret, stamp):
    assert verify(spec, made(stamp), secrets=(secret,)) is not None


GOOD = {
    "github": ({"x-hub-signature-256": f"sha256={digest(BODY).hex()}"}, KEY),
    "slack": (slack(), KEY),
    "standard_webhooks": (standard(), WHSEC),
    "stripe": ({"stripe-signature": stripe()}, KEY),
}


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_request_is_let_in_and_none_with_anything_of_it_changed(kind):
    headers, secret = GOOD[kind]
    spec = auth(type=kind)

    assert verify(spec, headers, secrets=(secret,)) is None
    assert verify(spec, headers, BODY + b" ", (secret,)) is not None
    assert verify(spec, headers, secrets=(base64.b64encode(b"another"),)) is not None
    assert verify(spec, headers, secrets=(b"",)) is not None
    assert verify(spec, headers, secrets=()) is not None
    for name in headers:
        less = {each: value for each, value in headers.items() if each != name}
        assert verify(spec, less, secrets=(secret,)) is not None
        assert verify(spec, {**headers, name: ""}, secrets=(secret,)) is not None
        for changed in (headers[name][:-1], headers[name][:-2], headers[name] + "0", headers[name][1:], "x" + headers[name]):
            assert verify(spec, {**headers, name: changed}, secrets=(secret,)) is not None, (name, changed)


@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        ("github", {"x-hub-signature-256": digest(BODY).hex()}),
        ("github", {"x-hub-signature-256": f"sha1={digest(BODY).hex()}"}),
        ("github", {"x-hub-signature": f"sha256={digest(BODY).hex()}"}),
        ("slack", {**slack(), "x-slack-signature": slack()["x-slack-signature"].removeprefix("v0=")}),
        ("stripe", {"stripe-signature": stripe().replace("v1=", "v0=")}),
        ("stripe", {"stripe-signature": stripe().replace("t=", "T=")}),
        ("standard_webhooks", standard(version="v2")),
        ("standard_webhooks", {**standard(), "webhook-id": "msg_2"}),
        ("standard_webhooks", standard(signed=int(NOW) + 1)),
    ],
)
def test_another_scheme_or_header_proves_nothing(kind, headers):
    secret = WHSEC if kind == "standard_webhooks" else KEY

    assert verify(auth(type=kind), headers, secrets=(secret,)) is not None


@pytest.mark.parametrize("kind", GOOD)
def test_the_headers_that_carry_the_proof_are_never_stored(kind):
    proof = SIGNATURES[kind].headers(auth(type=kind))

    assert proof <= {*GOOD[kind][0], "x-hub-signature"}
    assert any("signature" in name for name in proof)


HEADER = st.one_of(
    st.text(max_size=80),
    st.binary(max_size=80).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    st.sampled_from(
        ["v1,", "v0=", "t=1800000000,v1=", "t=1800000000", "sha256=", "1800000000", "v1,AAAA", "v1,=", "t=,v1=,", "v1, v1,"]
    ),
    st.text("0123456789abcdefABCDEF", min_size=62, max_size=66).flatmap(
        lambda text: st.sampled_from([f"v0={text}", f"sha256={text}", f"t=1800000000,v1={text}", f"v1,{text}"])
    ),
)


@settings(max_examples=300)
@given(st.sampled_from(sorted(GOOD)), HEADER, HEADER, HEADER, st.binary(max_size=50), st.binary(max_size=40))
def test_no_header_whatever_raises_or_is_let_in(kind, value, stamp, message, body, secret):
    names = {"x-hub-signature-256", "x-slack-signature", "stripe-signature", "webhook-signature"}
    headers = dict.fromkeys(names, value) | {
        "webhook-id": message,
        "webhook-timestamp": stamp,
        "x-slack-request-timestamp": stamp,
    }

    reason = verify(auth(type=kind), headers, body, (secret, b"a secret nobody draws"))

    assert isinstance(reason, str)
    assert "a secret nobody draws" not in reason


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"type": "stripe"}, "secret is missing"),
        ({"type": "stripe", "secret": "whsec_x"}, "never holds a secret"),
        ({"type": "slack", "secret": {"env": "X"}, "tolerance": "0s"}, "tolerance"),
        ({"type": "standard_webhooks", "secret": {"env": "X"}, "prefx": "svix"}, "did you mean «prefix»"),
        ({"type": "standard_webhook", "secret": {"env": "X"}}, "did you mean «standard_webhooks»"),
        ({"type": "github", "secret": {"env": "X"}, "header": "x"}, "header is not known here"),
    ],
)
def test_a_wrong_section_is_refused_at_load(section, said):
    with pytest.raises(DefinitionError) as caught:
        prepare({"path": "/a", "auth": section})

    assert said in str(caught.value)
