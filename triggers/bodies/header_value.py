"""A header of the form `value; name=text; name="text"`: Content-Type, Content-Disposition."""

from __future__ import annotations

import re

# Every character is in exactly one piece, and no piece can fail once it has begun: linear, whatever a stranger writes.
_PIECE = re.compile(r'"(?:[^"\\]|\\.?)*(?:"|\Z)|[^";]+|;', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\])')  # other backslashes stay: one browser sent whole paths of Windows as file names


def split_value(text: str) -> tuple[str, dict[str, str]]:
    """The value, and the parameters by lower-case name. Never raises; of a name that repeats the first counts."""
    groups: list[list[str]] = [[]]
    for piece in _PIECE.findall(text):
        if piece == ";":
            groups.append([])
        else:
            groups[-1].append(piece)
    first, *rest = groups
    found: dict[str, str] = {}
    for pieces in rest:
        if pieces:
            name, _, bare = pieces[0].partition("=")
            value = bare.strip() or (unquoted(pieces[1]) if len(pieces) > 1 else "")
            found.setdefault(name.strip().lower(), value)
    return "".join(first).strip(), found


def unquoted(text: str) -> str:
    r"""`"a\"b"` → `a"b`; what does not begin with a quote is itself."""
    if not text.startswith('"'):
        return text
    return _ESCAPED.sub(r"\1", text[1:].removesuffix('"'))
