"""The real curl as a client: what people paste into a shell arrives as they mean it."""

from __future__ import annotations

import gzip
import shutil

import pytest

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed: apt install curl")


async def test_data_that_is_json_is_json_whatever_type_curl_says(listening):
    world = await listening()

    assert (await world.curl("-d", '{"a": [1]}'))[0] == 202
    assert (world.document["body"], world.document["bodyType"]) == ({"a": [1]}, "json")
    assert world.document["headers"]["content-type"] == "application/x-www-form-urlencoded"


async def test_fields_are_a_form(listening):
    world = await listening()

    assert (await world.curl("-d", "name=Ada", "-d", "tag=a", "-d", "tag=b", "--data-urlencode", "text=a & b = é"))[0] == 202
    assert world.document["body"] == {"name": "Ada", "tag": ["a", "b"], "text": "a & b = é"}


async def test_an_upload_has_its_fields_and_files(listening, tmp_path):
    world = await listening()
    (tmp_path / "note.txt").write_text("naïve\n")
    (tmp_path / "dot.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / 'a "b".bin').write_bytes(b"\x00")

    status, said = await world.curl(
        *("-F", "company=Acme & Co", "-F", 'meta={"n": 1};type=application/json', "-F", f"note=@{tmp_path}/note.txt"),
        *("-F", f"dot=@{tmp_path}/dot.png", "-F", f'odd=@"{tmp_path}/a \\"b\\".bin"', "-F", f"copy=<{tmp_path}/note.txt"),
    )

    assert status == 202, said
    body = world.document["body"]
    assert (body["company"], body["meta"], body["copy"]) == ("Acme & Co", {"n": 1}, "naïve\n")
    assert body["note"] == {"filename": "note.txt", "contentType": "text/plain", "size": 7, "text": "naïve\n"}
    assert body["dot"] == {"filename": "dot.png", "contentType": "image/png", "size": 8, "base64": "iVBORw0KGgo="}
    assert body["odd"]["filename"] == 'a "b".bin'


async def test_a_compressed_file_is_read(listening, tmp_path):
    world = await listening()
    (tmp_path / "x.gz").write_bytes(gzip.compress(b'{"a": 1}'))

    status, _ = await world.curl(
        *("--data-binary", f"@{tmp_path}/x.gz", "-H", "Content-Encoding: gzip", "-H", "Content-Type: application/json")
    )

    assert (status, world.document["body"]) == (202, {"a": 1})


async def test_a_file_is_its_bytes(listening, tmp_path):
    world = await listening()
    (tmp_path / "x.pdf").write_bytes(b"%PDF-1.7\n\xff")

    status, _ = await world.curl("--data-binary", f"@{tmp_path}/x.pdf", "-H", "Content-Type: application/pdf")

    assert (status, world.document["body"], world.document["bodyType"]) == (202, "JVBERi0xLjcK/w==", "binary")


@pytest.mark.parametrize("version", ["--http1.0", "--http1.1", "--http2"])
async def test_every_version_of_http_that_curl_falls_back_to_is_answered(listening, version):
    world = await listening()

    assert (await world.curl(version, "-d", "{}"))[0] == 202


async def test_a_body_whose_length_is_not_known_and_one_that_is_asked_for_are_taken(listening, tmp_path):
    world = await listening()
    (tmp_path / "large.json").write_bytes(b'{"a": "' + b"x" * 900_000 + b'"}')

    chunked, _ = await world.curl("-T", str(tmp_path / "large.json"), "-X", "POST", "-H", "Transfer-Encoding: chunked")
    expected, _ = await world.curl("--data-binary", f"@{tmp_path}/large.json", "-H", "Expect: 100-continue")

    assert (chunked, expected) == (202, 202)


async def test_head_and_options_are_what_curl_shows(listening):
    world = await listening({"methods": ["GET"]})

    assert (await world.curl("-I"))[0] == 200
    assert await world.curl("-X", "OPTIONS") == (200, {"allow": ["GET", "HEAD", "OPTIONS"]})
    assert world.intake.events == []
