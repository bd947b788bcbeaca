"""A file that a person names, as the document that filters and mappings read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from triggers.by_hand import ByHand, head
from triggers.files.document import file_document
from triggers.files.judge import Happening
from triggers.files.ledger import Entry, Version
from triggers.files.look import digest, state_of
from triggers.files.spec import FileWatchSpec

EVENTS = ("created", "modified", "moved", "deleted")  # which of those that the trigger asks for is taken where none is given


def file_by_hand(key: str, spec: FileWatchSpec, given: Mapping[str, Any], now: datetime) -> ByHand:
    """A file that need not be there: what is not given of it is derived from its path, or is null."""
    file = given.get("file", {})
    event = str(file.get("event") or next(each for each in EVENTS if each in spec.events))
    path = str(file.get("path") or os.path.join(spec.paths[0], "example"))  # noqa: PTH118 - as the events have it: text
    name = Path(path).name
    document = head(f"file.{event}", f"file-watch:{key}", "file-watch", now, subject=path)
    document["file"] = {
        "path": path,
        "name": name,
        "ext": os.path.splitext(name)[1],  # noqa: PTH122 - as above
        "size": None,
        "mtime": None,
        "sha256": None,
        "event": event,
        "uri": None,
    }
    asked = ", ".join(each for each in EVENTS if each in spec.events)
    return ByHand(document, None if event in spec.events else f"it watches for {asked}, and this was {event}")


def file_there(path: str, *, hash_max_bytes: int) -> dict[str, Any]:
    """`$.file` of a file that is there, as if it had just come. Raises OSError: there is no file."""
    path = os.path.abspath(path)  # noqa: PTH100 - names that are not UTF-8 stay as they are
    found = state_of(path)
    if found is None:
        raise FileNotFoundError(2, "there is no file", path)
    version = Version.of(found)
    entry = Entry(version, digest(path, version, hash_max_bytes))
    return file_document(Happening(path, "created", entry, {}))
