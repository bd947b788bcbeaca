"""multipart/form-data: fields, files, boundaries, and everything that is malformed."""

from __future__ import annotations

import io
from contextlib import suppress

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triggers.bodies.content import content_of
from triggers.bodies.multipart import read_multipart
from triggers.bodies.refused import Limits, Refused

TYPE = "multipart/form-data; boundary=XX"


def part(head, data=b"", *, end=b"\r\n"):
    lines = head if isinstance(head, bytes) else head.encode()
    return b"--XX" + end + lines.replace(b"\n", end) + end + end + data + end


def named(name, data=b"v", more=""):
    return part(f'Content-Disposition: form-data; name="{name}"{more}', data)


CLOSE = b"--XX--\r\n"


def read(raw, content_type=TYPE, **limits):
    return read_multipart(raw, content_of(content_type), Limits(**limits))


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (CLOSE, {}),
        (b"--XX--", {}),
        (named("a") + CLOSE, {"a": "v"}),
        (named("a") + b"--XX--", {"a": "v"}),
        (named("a") + b"--XX--\n", {"a": "v"}),
        (b"preamble\r\n" + named("a") + CLOSE + b"epilogue --XX", {"a": "v"}),
        (named("a") + named("b", b"") + named("a", b"w") + CLOSE, {"a": ["v", "w"], "b": ""}),
        (named("a", b"\r\n\r\n--XXY\r\n--X") + CLOSE, {"a": "\r\n\r\n--XXY\r\n--X"}),
        (named("a", b"line\r\n--XX more\r\nline") + CLOSE, {"a": "line\r\n--XX more\r\nline"}),
        (named("a", b"\r\n--XX--z") + CLOSE, {"a": "\r\n--XX--z"}),
        (named("a").replace(b"--XX\r\n", b"--XX  \t\r\n") + b"--XX-- \r\n", {"a": "v"}),
        (part('Content-Disposition: form-data; name="a"', b"v", end=b"\n") + b"--XX--\n", {"a": "v"}),
        (part('content-disposition: FORM-DATA; NAME="a"', b"v") + CLOSE, {"a": "v"}),
        (part("Content-Disposition: form-data; name=a", b"v") + CLOSE, {"a": "v"}),
        (part('Content-Disposition: form-data;\n name="a"', b"v") + CLOSE, {"a": "v"}),
        (named('q\\"uote;x=1') + CLOSE, {'q"uote;x=1': "v"}),
        (named("b%22c%0d%0A%41") + CLOSE, {'b"c\r\n%41': "v"}),
        (named("naïve") + CLOSE, {"naïve": "v"}),
        (named("") + CLOSE, {"": "v"}),
        (named("a", "é".encode()) + CLOSE, {"a": "é"}),
        (
            part('Content-Disposition: form-data; name="a"\nContent-Type: text/plain; charset=latin-1', b"\xe9") + CLOSE,
            {"a": "é"},
        ),
        (
            part('Content-Disposition: form-data; name="a"\nContent-Type: application/json', b'{"b": [1]}') + CLOSE,
            {"a": {"b": [1]}},
        ),
        (
            part('Content-Disposition: form-data; name="a"\nContent-Transfer-Encoding: base64', b"aGV5\r\nIQ==") + CLOSE,
            {"a": "hey!"},
        ),
        (
            part('Content-Disposition: form-data; name="a"\nContent-Transfer-Encoding: quoted-printable', b"=C3=A9") + CLOSE,
            {"a": "é"},
        ),
        (
            named("f", b"abc", '; filename="a.bin"') + CLOSE,
            {"f": {"filename": "a.bin", "contentType": None, "size": 3, "base64": "YWJj"}},
        ),
        (
            part('Content-Disposition: form-data; name="f"; filename="C:\\dir\\a.txt"\nContent-Type: text/plain', b"abc") + CLOSE,
            {"f": {"filename": "C:\\dir\\a.txt", "contentType": "text/plain", "size": 3, "text": "abc"}},
        ),
        (
            part('Content-Disposition: form-data; name="f"; filename="a.txt"\nContent-Type: text/plain', b"\xff") + CLOSE,
            {"f": {"filename": "a.txt", "contentType": "text/plain", "size": 1, "base64": "/w=="}},
        ),
        (
            part(
                'Content-Disposition: form-data; name="f"; filename="x"; filename*=UTF-8\'\'caf%C3%A9.pdf\nContent-Type: application/pdf'
            )
            + CLOSE,
            {"f": {"filename": "café.pdf", "contentType": "application/pdf", "size": 0, "base64": ""}},
        ),
        (
            part('Content-Disposition: form-data; name="f"; filename=""\nContent-Type: application/octet-stream') + CLOSE,
            {"f": {"filename": "", "contentType": "application/octet-stream", "size": 0, "base64": ""}},
        ),
        (
            part('Content-Disposition: form-data; name="f"\nContent-Type: image/png', b"\x89") + CLOSE,
            {"f": {"filename": None, "contentType": "image/png", "size": 1, "base64": "iQ=="}},
        ),
        (
            part('Content-Disposition: form-data; name="f"; filename="a.json"\nContent-Type: application/json', b"{broken")
            + CLOSE,
            {"f": {"filename": "a.json", "contentType": "application/json", "size": 7, "text": "{broken"}},
        ),
    ],
)
def test_parts_become_fields_and_files(raw, value):
    assert read(raw) == value


@pytest.mark.parametrize(
    ("raw", "content_type", "said"),
    [
        (CLOSE, "multipart/form-data", "no boundary"),
        (CLOSE, "multipart/form-data; boundary=", "no boundary"),
        (CLOSE, f"multipart/form-data; boundary={'x' * 71}", "no boundary"),
        (b"hello", TYPE, "last boundary is missing"),
        (b"--XX", TYPE, "last boundary is missing"),
        (named("a"), TYPE, "part 1 does not end"),
        (named("a") + named("b"), TYPE, "part 2 does not end"),
        (named("a")[:-4] + b"--XX-", TYPE, "part 1 does not end"),
        (b"--XX\r\n--XX--", TYPE, "headers of part 1"),
        (b"--XX\r\nno headers\r\n--XX--", TYPE, "headers of part 1"),
        (b"--XX\r\n\r\nv\r\n--XX--", TYPE, "no Content-Disposition"),
        (part("Content-Type: text/plain", b"v") + CLOSE, TYPE, "no Content-Disposition"),
        (part('Content-Disposition: attachment; name="a"', b"v") + CLOSE, TYPE, "no Content-Disposition"),
        (part("Content-Disposition: form-data", b"v") + CLOSE, TYPE, "no Content-Disposition"),
        (named("a" * 9000) + CLOSE, TYPE, "more than 8192 bytes"),
        (part('Content-Disposition: form-data; name="a"\nContent-Transfer-Encoding: base64', b"!") + CLOSE, TYPE, "not base64"),
        (part('Content-Disposition: form-data; name="a"\nContent-Transfer-Encoding: uuencode', b"!") + CLOSE, TYPE, "uuencode"),
    ],
)
def test_what_is_malformed_is_refused_with_the_part(raw, content_type, said):
    with pytest.raises(Refused) as caught:
        read(raw, content_type)

    assert caught.value.answer.status == 400
    assert b"BAD_MULTIPART" in caught.value.answer.body
    assert said.encode() in caught.value.answer.body


def test_more_parts_than_allowed_are_refused():
    with pytest.raises(Refused) as caught:
        read(named("a") * 4 + CLOSE, max_parts=3)

    assert (caught.value.answer.status, b"TOO_MANY_PARTS" in caught.value.answer.body) == (413, True)
    assert read(named("a") * 3 + CLOSE, max_parts=3) == {"a": ["v", "v", "v"]}


def test_a_json_field_that_is_none_is_refused_by_its_name():
    with pytest.raises(Refused) as caught:
        read(part('Content-Disposition: form-data; name="meta"\nContent-Type: application/json', b"{") + CLOSE)

    assert b"the field 'meta' is not JSON" in caught.value.answer.body


async def test_a_real_client_s_form_arrives_as_it_was_filled_in(listening):
    world = await listening()
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("company", "Acmé & Söhne")
    form.add_field("tag", "a")
    form.add_field("tag", "b")
    form.add_field("file", io.BytesIO(bytes(range(256))), filename="ünï.bin", content_type="application/octet-stream")

    body, kind = await world.body_of(form)

    assert kind == "multipart"
    assert (body["company"], body["tag"]) == ("Acmé & Söhne", ["a", "b"])
    assert (body["file"]["filename"], body["file"]["size"]) == ("ünï.bin", 256)


fields = st.lists(
    st.tuples(st.text(st.characters(codec="utf-8", exclude_characters='\r\n"\\'), max_size=8), st.binary(max_size=40)), max_size=5
)


@settings(max_examples=150, deadline=None)
@given(fields)
def test_what_a_client_wrote_is_read_back(pairs):
    boundary = b"b0undary"
    raw = b"".join(
        b'--%s\r\nContent-Disposition: form-data; name="%s"; filename="f"\r\n\r\n%s\r\n' % (boundary, name.encode(), data)
        for name, data in pairs
    )
    found = read(raw + b"--b0undary--\r\n", "multipart/form-data; boundary=b0undary")

    sizes = {name: [len(data) for other, data in pairs if other == name] for name, _ in pairs}
    assert {
        name: [one["size"] for one in (value if isinstance(value, list) else [value])] for name, value in found.items()
    } == sizes


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b"--XX",
                b"--XX--",
                b"\r\n",
                b"\n",
                b"\r\n\r\n",
                b"Content-Disposition: form-data; name=",
                b'"a"',
                b"; filename=",
                b"\xff",
                b" ",
            ]
        )
        | st.binary(max_size=5),
        max_size=25,
    )
)
def test_no_body_makes_the_reader_raise_anything_but_a_refusal(pieces):
    with suppress(Refused):
        assert isinstance(read(b"".join(pieces)), dict)


def test_a_hostile_body_of_many_boundaries_ends():
    almost = b"\r\n--XX " * 500_000  # quadratic, it would take hours

    with pytest.raises(Refused):
        read(almost)
