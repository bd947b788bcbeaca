"""A crontab line's five fields, checked one by one: what cronsim may be given, or what is wrong with it and where."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from flows.errors import DefinitionError

CODE = "CRON"
TEXT_CHARS = 1000  # every minute of an hour, listed one by one, is 170
EXAMPLE = 'minute, hour, day of month, month, day of week, such as "0 9 * * 1-5"'
MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
TERM = re.compile(r"(?P<first>\*|[0-9A-Z]+)(?:-(?P<last>[0-9A-Z]+))?(?:/(?P<step>[0-9]+))?")
NTH = re.compile(r"(?P<day>[0-9A-Z]+?)(?:#(?P<nth>[0-9]+)|L)")


@dataclass(frozen=True, slots=True)
class Field:
    """One of the five fields: what it is called and which values it takes."""

    name: str
    low: int
    high: int
    takes: str  # for people
    names: dict[str, int] = field(default_factory=dict)


MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAY_NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS = {name: number for number, name in enumerate(MONTH_NAMES, 1)}
DAYS = {name: number for number, name in enumerate(DAY_NAMES)}
FIELDS = (
    Field("minute", 0, 59, "0-59"),
    Field("hour", 0, 23, "0-23"),
    Field("day of month", 1, 31, "1-31, L for the month's last day, LW for its last weekday"),
    Field("month", 1, 12, "1-12 or JAN to DEC", MONTHS),
    Field("day of week", 0, 7, "0-7, where 0 and 7 are Sunday, or SUN to SAT, MON#1 for the first, 5L for the last Friday", DAYS),
)


def canonical(text: str) -> str:
    """The same five fields with numbers for names and one space between. Raises DefinitionError with the place in `text`."""
    if len(text) > TEXT_CHARS:
        raise _refused(0, f"the text has {len(text)} characters", f"at most {TEXT_CHARS}")
    for at, character in enumerate(text.rstrip(" \t\r\n")):  # YAML's block texts end with a newline
        if not (" " <= character <= "~" or character == "\t"):
            raise _refused(at, f"{character!r} has no meaning in a cron text", "plain ASCII characters in one line are needed")
    fields = [(found.start(), found.group()) for found in re.finditer(r"[!-~]+", text)]
    if not fields:
        raise _refused(0, "the text is empty", f"five fields are needed: {EXAMPLE}")
    if fields[0][1].startswith("@"):
        return _macro(fields)
    if "=" in fields[0][1]:
        raise _refused(fields[0][0], f"{fields[0][1]!r} is no {FIELDS[0].name}", "the time zone is a field of its own: timezone")
    if len(fields) != len(FIELDS):
        raise _miscounted(fields)
    return " ".join(_field(kind, part, at) for kind, (at, part) in zip(FIELDS, fields, strict=True))


def _macro(fields: list[tuple[int, str]]) -> str:
    at, word = fields[0]
    if len(fields) == 1 and word.lower() in MACROS:
        return MACROS[word.lower()]
    if word.lower() == "@reboot":
        raise _refused(at, "@reboot is not a time", "let a start-up script or a systemd unit post to a webhook")
    if word.lower() == "@every":
        raise _refused(at, "@every is not crontab's", "*/5 * * * * is every five minutes")
    if word.lower() in MACROS:
        raise _refused(fields[1][0], f"{fields[1][1]!r} follows {word}", f"{word} stands alone")
    raise _refused(at, f"{word!r} is unknown", "one of " + ", ".join(MACROS))


def _miscounted(fields: list[tuple[int, str]]) -> DefinitionError:
    count = len(fields)
    if count in {6, 7}:
        hint = "crontab counts in minutes and knows no years: leave out the field for seconds or for the year"
    else:
        hint = f"five fields are needed: {EXAMPLE}"
    at = fields[5][0] if count > len(FIELDS) else 0
    return _refused(at, f"the text has {count} field{'s' if count > 1 else ''}, not five", hint)


def _field(kind: Field, part: str, at: int) -> str:
    terms = []
    for term in part.split(","):
        terms.append(_term(kind, term, at))
        at += len(term) + 1
    return ",".join(dict.fromkeys(",".join(terms).split(",")))  # each value once: the first term stays first


def _term(kind: Field, term: str, at: int) -> str:
    word = term.upper()
    if not term:
        raise _refused(at, f"a comma in the {kind.name} has nothing on one side", "write the values with one comma between them")
    if kind.name == "day of month" and word in {"L", "LW"}:
        return word
    if kind.name == "day of week" and (special := NTH.fullmatch(word)) and word not in kind.names:
        return _nth(kind, special, at)
    parts = TERM.fullmatch(word)
    if parts is None or (parts["first"] == "*" and parts["last"] is not None):
        raise _refused(at, f"{term!r} is no {kind.name}", _hint(kind, word))
    step = parts["step"]
    if step is not None and int(step) == 0:
        raise _refused(at + parts.start("step"), f"the {kind.name} has a step of 0", "a step is 1 or more")
    if parts["first"] == "*":
        return "*" if step is None else f"*/{int(step)}"
    first = _value(kind, parts["first"], at)
    if parts["last"] is None:
        return str(first) if step is None else _listed(first, kind.high, step)
    last = _value(kind, parts["last"], at + parts.start("last"))
    if last == 0 and parts["last"] == "SUN" and first:
        last = 7  # MON-SUN: Sunday has two numbers, and a range that ends with it can only mean this one
    if last < first:
        raise _refused(at, f"the range {term!r} of the {kind.name} goes backwards", _ascending(kind, first, last))
    return _listed(first, last, step or "1")


def _listed(first: int, last: int, step: str) -> str:
    """Value by value: cronsim takes `5-5/2` for `5/2`, which goes on to the end."""
    return ",".join(map(str, range(first, last + 1, int(step))))


def _nth(kind: Field, special: re.Match[str], at: int) -> str:
    day = _value(kind, special["day"], at)
    if special["nth"] is None:
        return f"{day}L"
    if not 1 <= int(special["nth"]) <= 5:
        raise _refused(
            at + special.start("nth"), f"no month has a weekday number {special['nth'][:20]}", "#1 to #5, or L for the last"
        )
    return f"{day}#{int(special['nth'])}"


def _value(kind: Field, word: str, at: int) -> int:
    if word in kind.names:
        return kind.names[word]
    if not word.isdigit():
        raise _refused(at, f"{word!r} is no {kind.name}", _hint(kind, word))
    if not kind.low <= int(word) <= kind.high:
        raise _refused(at, f"{kind.name} {word[:20].lstrip('0') or '0'} does not exist", kind.takes)
    return int(word)


def _hint(kind: Field, word: str) -> str:
    if word in {"?", "H"} or word.startswith("H/"):
        return "* stands for every value"
    if word[:3] in kind.names and word.isalpha():
        return f"did you mean {word[:3]}?"
    return kind.takes


def _ascending(kind: Field, first: int, last: int) -> str:
    low = f"{kind.low}-{last}" if last > kind.low else f"{kind.low}"
    high = f"{first}-{kind.high}" if first < kind.high else f"{first}"
    if kind.name == "day of week":  # 7 is Sunday, so the rest begins at Monday
        low = {0: "", 1: "1"}.get(last, f"1-{last}")
    return "write " + ",".join(part for part in (high, low) if part)


def _refused(at: int, problem: str, hint: str) -> DefinitionError:
    return DefinitionError.at((), problem, hint, code=CODE, offset=at)
