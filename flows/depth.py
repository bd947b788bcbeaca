"""How deep a value is: lists and objects that stand inside each other. Told without recursion, whatever Python's stack holds."""

from __future__ import annotations

from typing import Any

MAX_OUTPUT_DEPTH = 200  # what stores and shows values recurses, and containers put theirs around it
MAX_STORED_DEPTH = 900  # what every reader of the store can read back: Python 3.11 has a stack of 1,000
MAX_HANDED_DEPTH = 400  # what is handed to a script or a module, with all that stands around an output; and what JSON.parse reads


def deeper_than(value: Any, limit: int) -> bool:
    """Whether lists and objects stand inside each other more than `limit` deep."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(limit):
        if not level:
            return False
        inner = (item for each in level for item in (each.values() if isinstance(each, dict) else each))
        level = [item for item in inner if isinstance(item, (dict, list))]
    return bool(level)
