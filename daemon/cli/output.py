"""What a command prints on standard output: data only, for people as a table or for tools as JSON or YAML."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from daemon.cli.fields import chosen, names_of
from daemon.cli.options import Format
from daemon.errors import output_told
from daemon.terminal import wants_colours

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # a stranger's text must not steer the terminal


def show_rows(rows: Iterable[dict[str, Any]], columns: Sequence[str], form: Format, fields: str | None = None) -> None:
    """A list: as a table with these columns, or whole; with `fields` just these (`a,b.c`). Raises BadRequest for an unknown one.

    Runs and events have their chain where one of them was started by another.
    """
    if fields is not None:
        columns = names_of(fields)
        rows = chosen(list(rows), columns)
    if form == "table":
        rows = list(rows)
        if fields is None and any(row.get("depth") for row in rows):
            columns = (*columns, "chain", "depth")
        _table([[cell(row.get(name)) for name in columns] for row in rows], columns)
    elif form == "jsonl":
        for row in rows:
            write(compact(row))
    else:
        show_value(list(rows), form)


def show_value(value: Any, form: Format, fields: str | None = None) -> None:
    """One thing. As a table: its fields, one a line. With `fields` just these. Raises BadRequest for an unknown one."""
    if fields is not None:
        (value,) = chosen([value], names_of(fields))
    if form == "table" and isinstance(value, dict):
        _fields(value)
    elif form == "yaml":
        import yaml  # 30 ms, and few ask for it

        write(yaml.safe_dump(_finite(value), sort_keys=False, allow_unicode=True).rstrip())
    else:
        write(compact(value) if form == "jsonl" else pretty(value))


def write(text: str) -> None:
    """One line or several, whatever the terminal's encoding takes."""
    encoding = sys.stdout.encoding or "utf-8"
    with output_told():
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def say(text: str) -> None:
    """Talk, on standard error: one line, whatever a stranger's text in it holds."""
    line = clean(f"camshaft: {text}".replace("\n", " "))
    print(line.encode("utf-8", "backslashreplace").decode(), file=sys.stderr)


def compact(value: Any) -> str:
    return _text(value, 0, None)


def pretty(value: Any) -> str:
    return _text(value, orjson.OPT_INDENT_2, 2)


def cell(value: Any) -> str:
    """A value on one line of a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = ", ".join(value)
    text = value if isinstance(value, str) else compact(value)
    return clean(text.replace("\n", " "))


def clean(text: str) -> str:
    return _CONTROL.sub("�", text)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with columns under each other."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))] if rows else []
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _table(rows: list[list[str]], columns: Sequence[str]) -> None:
    colours = wants_colours(sys.stdout)
    if not sys.stdout.isatty():  # for a pipe nothing is cut or wrapped
        head, *lines = aligned([[name.upper() for name in columns], *rows])
        write(f"\x1b[1m{head}\x1b[0m" if colours else head)
        for line in lines:
            write(line)
        return
    from rich.console import Console  # 40 ms, and only a terminal needs it
    from rich.table import Table
    from rich.text import Text

    console = Console(color_system="auto" if colours else None, no_color=not colours, highlight=False)
    widths = [max(len(word) for row in [columns, *rows] for word in row[index].split() or [""]) for index in range(len(columns))]
    widths[-1] = len(columns[-1])  # an error or a path, which may be folded anywhere
    if console.width < sum(widths) + 2 * (len(columns) - 1):  # ids, keys and times stay in one piece, to be copied
        _blocks(rows, columns)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, width in zip(columns, widths, strict=True):
        table.add_column(name.upper(), overflow="fold", min_width=width)
    for row in rows:
        table.add_row(*(Text(text) for text in row))
    console.print(table)


def _blocks(rows: list[list[str]], columns: Sequence[str]) -> None:
    """Each row for itself, a column a line."""
    width = max(map(len, columns))
    for number, row in enumerate(rows):
        if number:
            write("")
        for name, text in zip(columns, row, strict=True):
            if text:
                write(f"{name.upper().ljust(width)}  {text}")


def _fields(value: dict[str, Any]) -> None:
    width = max((len(name) for name in value), default=0)
    for name, inner in value.items():
        if inner is None or inner == []:
            continue
        if isinstance(inner, dict) or (isinstance(inner, list) and not all(isinstance(one, str) for one in inner)):
            write(f"{name}:")
            write("\n".join("  " + clean(line) for line in pretty(inner).splitlines()))
        else:
            write(f"{name.ljust(width)}  {cell(inner)}")


def _text(value: Any, options: int, indent: int | None) -> str:
    try:
        return orjson.dumps(value, option=options).decode()
    except TypeError:  # a lone surrogate becomes its escape, a whole number keeps all its digits
        return json.dumps(_finite(value), indent=indent, separators=None if indent else (",", ":"))


def _finite(value: Any) -> Any:
    """NaN and Infinity are no JSON: null, as orjson has it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list) else value
