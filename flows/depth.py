"""How deep a value is, and how large once it is written out. Told without recursion, whatever Python's stack holds."""

from __future__ import annotations

from typing import Any

MAX_OUTPUT_DEPTH = 200  # what stores and shows values recurses, and containers put theirs around it
MAX_STORED_DEPTH = 900  # what every reader of the store can read back: Python 3.11 has a stack of 1,000
MAX_HANDED_DEPTH = 400  # what is handed to a script or a module, with all that stands around an output; and what JSON.parse reads
MAX_WRITTEN = 5_000_000  # some hundred megabytes of JSON, of which a run keeps a few: more is a mistake
WIDE = 10_000  # from here on it pays to look for values that are shared
TEXT_PER_VALUE = 16  # characters of text that count as one value more


def deeper_than(value: Any, limit: int) -> bool:
    """Whether lists and objects stand inside each other more than `limit` deep."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(limit):
        if not level:
            return False
        inner = (item for each in level for item in (each.values() if isinstance(each, dict) else each))
        level = [item for item in inner if isinstance(item, (dict, list))]
        if len(level) > WIDE:
            level = list({id(item): item for item in level}.values())
    return bool(level)


def larger_than(value: Any, limit: int) -> bool:
    """Whether it stands for more than `limit` values, each as often as it would be written.

    What is shared is looked at once: forty lists that each hold the one before twice stand for a trillion values.
    """
    sizes: dict[int, int] = {}
    todo: list[list[Any] | dict[str, Any]] = [[value]]  # a list around it, so that what is looked at is always a container
    while todo:
        here = todo[-1]
        size, unknown = 0, []
        for item in here.values() if isinstance(here, dict) else here:
            if isinstance(item, (dict, list)):
                known = sizes.get(id(item))
                if known is None:
                    unknown.append(item)
                else:
                    size += known
            size += 1 + len(item) // TEXT_PER_VALUE if isinstance(item, str) else 1
        if size > limit:
            return True
        if unknown:
            todo.extend(unknown)
        else:
            sizes[id(here)] = size
            todo.pop()
    return False
