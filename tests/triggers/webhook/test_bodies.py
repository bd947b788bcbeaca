"""Bodies of every form through a real listener: what `$.body` and `$.bodyType` become, and what is refused."""

from __future__ import annotations

import base64
import json

import pytest

JPEG = bytes.fromhex("ffd8ffe000104a46494600")


def b64(data):
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("content_type", "raw", "body", "form"),
    [
        # JSON
        ("application/json", b'{"a": 1}', {"a": 1}, "json"),
        ("application/vnd.github.v3+json", b"[1]", [1], "json"),
        ("application/json; charset=UTF-8", '"é"'.encode(), "é", "json"),
        ("application/json; charset=latin-1", '"é"'.encode("latin-1"), "é", "json"),
        ("application/json; charset=latin-1", '"é"'.encode(), "é", "json"),  # RFC 8259: the charset of JSON means nothing
        ("application/json; charset=utf-16", '{"a": "é"}'.encode("utf-16"), {"a": "é"}, "json"),
        (None, b'{"a": 1}', {"a": 1}, "json"),
        # what clients say by themselves
        ("application/x-www-form-urlencoded", b'{"a": 1}', {"a": 1}, "json"),
        ("application/x-www-form-urlencoded", b"\xef\xbb\xbf [1]\n", [1], "json"),
        ("text/plain", b'{"a": 1}', {"a": 1}, "json"),
        ("text/plain; charset=utf-16", '{"a": 1}'.encode("utf-16-le"), {"a": 1}, "json"),
        ("application/octet-stream", b'{"a": 1}', {"a": 1}, "json"),
        # JSON values one after the other
        ("application/json", b'{"a": 1, "a": 2}', {"a": 2}, "json"),
        ("application/json", b'{"a": 12345678901234567890123, "a": 2}', {"a": 2}, "json"),
        ("application/x-ndjson", b'{"a": 1}\n\n{"a": 2}\r\n', [{"a": 1}, {"a": 2}], "json-lines"),
        ("application/jsonl", b'1\n"\xe2\x80\xa8"\nnull', [1, "\u2028", None], "json-lines"),
        ("application/json-seq", b'\x1e{"a":\n1}\n\x1e2\n', [{"a": 1}, 2], "json-lines"),
        ("application/geo+json-seq", b"\x1e[]\n", [[]], "json-lines"),
        ("application/x-ndjson", b"\n\n", [], "json-lines"),
        ("application/x-ndjson", b"12345678901234567890123\n", [12345678901234567890123], "json-lines"),
        # forms
        (
            "application/x-www-form-urlencoded",
            b"a=1&b=&c&a=2&d+e=%26+%F0%9F%98%80",
            {"a": ["1", "2"], "b": "", "c": "", "d e": "& 😀"},
            "form",
        ),
        ("application/x-www-form-urlencoded; charset=latin-1", b"a=%E9", {"a": "é"}, "form"),
        ("application/x-www-form-urlencoded", b"a=100%&%zz=1", {"a": "100%", "%zz": "1"}, "form"),
        ("application/x-www-form-urlencoded", b"[a]=1", {"[a]": "1"}, "form"),
        ("application/x-www-form-urlencoded", b"5", {"5": ""}, "form"),
        ("application/x-www-form-urlencoded", b"&&", {}, "form"),
        ("application/x-www-form-urlencoded", b"a=1&a=2&a=3", {"a": ["1", "2", "3"]}, "form"),
        ("application/x-www-form-urlencoded", b"__proto__=1&constructor=2", {"__proto__": "1", "constructor": "2"}, "form"),
        # text
        ("text/plain", b"hello", "hello", "text"),
        ("text/plain", b"[INFO] started", "[INFO] started", "text"),
        ("text/csv; charset=shift_jis", "日本,1".encode("shift_jis"), "日本,1", "text"),
        ("text/plain; charset=iso-8859-1", b"caf\xe9", "café", "text"),
        (
            "text/plain; charset=utf-16",
            "é".encode("utf-16-be"),
            "\ue900",
            "text",
        ),  # without a mark: little-endian, as browsers read it
        ("text/plain; charset=latin-1", "\ufeffé".encode(), "é", "text"),  # a mark says more than a name
        ("text/plain", "é".encode("utf-32"), "é", "text"),
        ("text/html", b"<b>\x00</b>", "<b>\x00</b>", "text"),
        ("application/yaml", b"a: 1\n", "a: 1\n", "text"),
        # XML: never parsed
        ("application/xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "xml"),
        (
            "application/atom+xml",
            b'<?xml version="1.0" encoding="ISO-8859-1"?><a>\xe9</a>',
            '<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>',
            "xml",
        ),
        (
            "text/xml; charset=utf-8",
            '<?xml version="1.0" encoding="latin-1"?>é'.encode(),
            '<?xml version="1.0" encoding="latin-1"?>é',
            "xml",
        ),
        (
            "application/xml",
            '<?xml version="1.0" encoding="nonsense"?>é'.encode(),
            '<?xml version="1.0" encoding="nonsense"?>é',
            "xml",
        ),
        # bytes
        ("image/jpeg", JPEG, b64(JPEG), "binary"),
        ("application/octet-stream", b"\x00\xff", b64(b"\x00\xff"), "binary"),
        ("application/octet-stream", b"{broken", b64(b"{broken"), "binary"),
        ("application/x-nobody-knows; charset=nonsense", b"x", b64(b"x"), "binary"),
        ("nonsense", b"{}", b64(b"{}"), "binary"),
        ("multipart/mixed; boundary=x", b"--x--", b64(b"--x--"), "binary"),
        # nothing
        *[
            (kind, b"", None, "empty")
            for kind in (None, "application/json", "multipart/form-data", "image/jpeg", "text/plain; charset=x")
        ],
    ],
)
async def test_a_body_is_read_by_its_type(listening, content_type, raw, body, form):
    world = await listening()
    headers = {} if content_type is None else {"content_type": content_type}

    assert await world.body_of(raw, **headers) == (body, form)
    json.dumps(body).encode()  # what is stored is JSON


@pytest.mark.parametrize(
    ("content_type", "raw", "status", "code"),
    [
        (None, b"hello", 400, "BAD_JSON"),
        ("application/json", "{}".encode("utf-16"), 400, "BAD_JSON"),
        ("application/json; charset=latin-1", b"{\xe9}", 400, "BAD_JSON"),
        ("application/x-www-form-urlencoded", b'{"a": 1,}', 400, "BAD_JSON"),
        ("application/x-www-form-urlencoded", b'{"a": "b=c"', 400, "BAD_JSON"),
        ("application/x-www-form-urlencoded", b"a=%FF", 400, "BAD_TEXT"),
        ("application/x-www-form-urlencoded", b"&".join([b"a"] * 1001), 413, "TOO_MANY_FIELDS"),
        ("application/x-www-form-urlencoded", b"[" * 100 + b"]" * 100, 400, "BODY_TOO_DEEP"),
        ("application/x-ndjson", b"1\n{\n", 400, "BAD_JSON"),
        ("application/x-ndjson", b"[NaN]\n", 400, "BAD_JSON"),
        ("application/json-seq", b"\x1e1\n\x1e{", 400, "BAD_JSON"),
        ("application/x-ndjson", b"[" * 65 + b"]" * 65, 400, "BODY_TOO_DEEP"),
        ("text/plain", b"caf\xe9", 400, "BAD_TEXT"),
        ("text/plain; charset=ascii", "é".encode(), 400, "BAD_TEXT"),
        ("text/plain; charset=utf-16", b"abc", 400, "BAD_TEXT"),
        ("text/plain; charset=rot13", b"x", 415, "CHARSET"),
        ("text/plain; charset=../../x", b"x", 415, "CHARSET"),
        ("application/xml", b'<?xml version="1.0"?>\xff', 400, "BAD_TEXT"),
        ("multipart/form-data", b"--x--", 400, "BAD_MULTIPART"),
    ],
)
async def test_a_body_that_is_not_what_its_type_says_is_refused(listening, content_type, raw, status, code):
    world = await listening()
    headers = {} if content_type is None else {"content_type": content_type}

    assert await world.refused(raw, **headers) == (status, code)


async def test_what_cannot_be_decoded_is_named_with_its_byte(listening):
    world = await listening()

    _, text, _ = await world.send(b"caf\xe9 au lait", content_type="text/plain")
    _, line, _ = await world.send(b"1\n2\n{]\n", content_type="application/x-ndjson")
    _, deep, _ = await world.send(b"\x1e" + b"[" * 65 + b"]" * 65, content_type="application/json-seq")

    assert text["error"]["message"] == "the body is not utf-8: byte 3 (0xe9)"
    assert line["error"]["message"] == "line 3 is not JSON: Expecting property name enclosed in double quotes, column 2"
    assert deep["error"]["message"] == "record 1 is nested deeper than 64"


async def test_names_of_charsets_are_looked_up_in_a_closed_list_and_leave_nothing_behind(listening):
    import encodings

    world = await listening()
    before = len(encodings._cache)

    for number in range(20):
        assert await world.refused(b"x", content_type=f"text/plain; charset=made-up-{number}") == (415, "CHARSET")

    assert len(encodings._cache) == before


async def test_a_forged_body_is_neither_decoded_nor_inflated(listening):
    world = await listening({"auth": {"type": "bearer", "secret": {"env": "TOKEN"}}})

    status, _, _ = await world.send(b"no gzip", content_encoding="gzip")

    assert status == 401
    assert (world.document["body"], world.document["bodyType"]) == (None, None)
