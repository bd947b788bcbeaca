"""Charsets: which a body may name, and bytes to text by a mark at their beginning, by that name, or as UTF-8."""

from __future__ import annotations

import codecs
from encodings.aliases import aliases

from triggers.bodies.refused import undecodable

UTF_8 = "utf-8"
# Of text, and nothing else: Python's codecs also know hex, zip, UTF-7 and IDNA.
_CODECS = (
    *("utf_8", "utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be", "ascii"),
    *(f"iso8859_{part}" for part in range(2, 17) if part != 12),
    *("latin_1", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874"),
    *("cp437", "cp850", "cp852", "cp866", "koi8_r", "koi8_u", "mac_roman"),
    *("shift_jis", "cp932", "euc_jp", "iso2022_jp", "gb2312", "gbk", "gb18030", "big5", "big5hkscs", "euc_kr", "cp949"),
)
# Looked up here and never by codecs.lookup(): that one imports modules by the name it is given, and remembers every failure.
_LABELS = {name: name for name in _CODECS} | {label: name for label, name in aliases.items() if name in _CODECS}
_LABELS |= {"unicode_1_1_utf_8": "utf_8", "windows_874": "cp874", "windows_31j": "cp932", "x_sjis": "shift_jis"}
_CODEC_NAMES = {
    "utf_8": UTF_8,
    "utf_16": "utf-16-le",  # without a mark, as browsers read it
    "utf_32": "utf-32-le",
}
_MARKS = (
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16's, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def codec_of(label: str) -> str | None:
    """`Latin-1`, `windows-1252`, `Shift_JIS` → Python's codec; None where it is no charset of text that we read."""
    name = _LABELS.get(label.strip().lower().replace("-", "_").replace(" ", "_").replace(":", "_"))
    return None if name is None else _CODEC_NAMES.get(name, name)


def marked(raw: bytes) -> tuple[bytes, str] | None:
    """The byte order mark that the bytes begin with, and the codec that it names."""
    return next((mark for mark in _MARKS if raw.startswith(mark[0])), None)


def decode_text(raw: bytes, codec: str | None, *, what: str = "the body") -> str:
    """The text. A byte order mark says more than any name does, as in browsers. Raises Refused 400 with the byte."""
    mark, codec = marked(raw) or (b"", codec or UTF_8)
    try:
        return raw[len(mark) :].decode(codec)
    except UnicodeDecodeError as error:
        raise undecodable(what, codec, error) from None
