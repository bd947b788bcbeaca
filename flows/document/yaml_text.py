"""YAML definitions, read with YAML 1.2's sense: `on`, `no` and dates are text, keys are text, aliases are bounded.

Built from the parser's events, not by its constructors: these recurse, know YAML 1.1 only and forget the places.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from flows.document.places import Place, Style
from flows.document.refuse import MAX_DEPTH, refuse

MAX_VALUES = 100_000  # values after aliases are followed

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML was built with it: ten times as fast
_TAG = "tag:yaml.org,2002:"
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")  # a leading zero makes a text: `0049` is a prefix, not the number 49
_BASED = re.compile(r"0(?:x[0-9a-fA-F]+|o[0-7]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_DASHED = re.compile(r"\s*-\w+:")  # an element of a list, but for a blank
_HINTS = {  # by what the parser says
    "mapping values": "put the text in quotes",
    "cannot start any token": "put the text in quotes",
    "scanning an alias": "put the text in quotes: * and & begin an alias and an anchor",
    "scanning an anchor": "put the text in quotes: * and & begin an alias and an anchor",
    "flow mapping": "close the brackets, or put the text in quotes",
    "flow sequence": "close the brackets, or put the text in quotes",
}
_FIRST_KEY = re.compile(r"\s+[\w.$-]+")  # a line as far as its colon
_QUOTED = "while scanning a quoted scalar"
_NOT_JSON = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


@dataclass(slots=True)
class _Value:
    """A value that was read, or a container that still is."""

    value: Any
    place: Place
    size: int = 1  # values in it, itself counted, with aliases followed
    depth: int = 0  # levels of containers in it
    done: bool = True
    plain: bool = False  # written without quotes and without a tag
    key: _Value | None = None  # in a mapping: a key was read, its value comes next
    merged: list[_Value] = field(default_factory=list)  # in a mapping: what `<<` brings


def parse_yaml(text: str) -> tuple[Any, Place]:
    """The value and its places; raises DefinitionError with line and column."""
    reader = _Reader(text)
    try:
        for event in yaml.parse(text, Loader=_Parser):
            reader.read(event)
    except yaml.MarkedYAMLError as error:
        unclosed = error.context == _QUOTED and error.problem == "found unexpected end of stream"
        mark: Any = error.context_mark if unclosed else error.problem_mark or error.context_mark
        at = mark.index if mark else 0
        refuse("a text in quotes is not closed" if unclosed else _words(error), _hint(text, error, at), text, at)
    except (yaml.YAMLError, UnicodeError) as error:
        place: Any = getattr(error, "position", None) or getattr(error, "start", 0)
        said = str(getattr(error, "reason", error))[:100]
        refuse(f"a character is not allowed in YAML: {said}", None, text, min(place, len(text)))
    if reader.root is None:
        refuse("the file is empty", None, text, 0)
    return reader.root.value, reader.root.place


def _words(error: yaml.MarkedYAMLError) -> str:
    return ", ".join(part for part in (error.problem, error.context) if part) or "this is no YAML"


def _hint(text: str, error: yaml.MarkedYAMLError, at: int) -> str | None:
    begins = text.rfind("\n", 0, at) + 1
    line, before = text[begins:].split("\n", 1)[0], text[:begins].rstrip("\n").rpartition("\n")[2]
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "indent with spaces, not with tabs"
    if _DASHED.match(line) or _DASHED.match(before):
        return "write a blank behind the dash"
    said = f"{error.problem} {error.context}"
    if "mapping values" in said and _FIRST_KEY.fullmatch(line[: at - begins]):
        return "indent it as the line before"
    return next((hint for words, hint in _HINTS.items() if words in said), None)


class _Reader:
    """Takes the parser's events one by one. Depth costs memory, not stack."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.root: _Value | None = None
        self.open: list[_Value] = []
        self.anchors: dict[str, _Value] = {}
        self.documents = 0

    def read(self, event: Any) -> None:
        begins: Any = event.start_mark
        ends: Any = event.end_mark
        at: int = begins.index
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                refuse("there is a second document in the file", "one file holds one definition", self.text, at)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event, at)
        elif isinstance(event, yaml.ScalarEvent):
            place = Place(at, ends.index, _style(event))
            made = _Value(_scalar(self.text, event), place, plain=event.style in (None, "") and event.tag is None)
            self._anchor(event.anchor, made)
            self._add(made, at)
        elif isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            self._begin(event, at)
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            self._end(event)

    def _begin(self, event: Any, at: int) -> None:
        kind = "seq" if isinstance(event, yaml.SequenceStartEvent) else "map"
        if event.tag not in (None, "!", f"{_TAG}{kind}"):
            refuse(f"the tag {event.tag:.60} is not known here", "definitions are plain data", self.text, at)
        made = _Value([] if kind == "seq" else {}, Place(at, at), done=False)
        self._anchor(event.anchor, made)
        self.open.append(made)
        if len(self.open) > MAX_DEPTH:
            refuse(f"the document is nested more than {MAX_DEPTH} deep", None, self.text, at)

    def _end(self, event: Any) -> None:
        made = self.open.pop()
        made.place.end = event.end_mark.index
        made.done = True
        for each in made.merged:
            for key, value in each.value.items():
                if key not in made.value:
                    made.value[key] = value
                    made.place.inside[key] = each.place.inside.get(key, each.place)
        self._add(made, made.place.start)

    def _anchor(self, name: str | None, made: _Value) -> None:
        if name:
            self.anchors[name] = made

    def _alias(self, event: Any, at: int) -> None:
        known = self.anchors.get(event.anchor)
        if known is None:
            refuse(f"the alias *{event.anchor} has no anchor &{event.anchor} before it", None, self.text, at)
        if not known.done:
            refuse(f"the alias *{event.anchor} stands inside what it names", None, self.text, at)
        place = Place(at, event.end_mark.index, inside=known.place.inside)
        self._add(_Value(known.value, place, known.size, known.depth), at)

    def _add(self, made: _Value, at: int) -> None:
        """Put a value that is complete where it belongs."""
        if not self.open:
            self.root = made
            return
        holder = self.open[-1]
        holder.size += made.size
        holder.depth = max(holder.depth, made.depth + 1)
        if holder.size > MAX_VALUES:
            refuse(f"the document has more than {MAX_VALUES:,} values", "aliases are followed", self.text, at)
        if holder.depth + len(self.open) > MAX_DEPTH:
            refuse(f"the document is nested more than {MAX_DEPTH} deep", "aliases are followed", self.text, at)
        if isinstance(holder.value, list):
            holder.place.inside[len(holder.value)] = made.place
            holder.value.append(made.value)
        elif holder.key is None:
            self._key(holder, made, at)
        else:
            self._member(holder, holder.key, made, at)
            holder.key = None

    def _key(self, holder: _Value, made: _Value, at: int) -> None:
        if not isinstance(made.value, str):
            shown = self.text[made.place.start : made.place.end].strip()[:40]
            braces = self.text.startswith("{{", made.place.start - 1)
            hint = "put the text in quotes: {{ }} would be an object" if braces else f'put it in quotes: "{shown}"'
            refuse(f"the key {shown or 'null'} is not text", hint, self.text, at)
        if made.value in holder.value:
            refuse(f"the key {made.value[:60]} stands twice in one object", "keep one of them", self.text, at)
        holder.key = made

    def _member(self, holder: _Value, key: _Value, made: _Value, at: int) -> None:
        if key.value == "<<" and key.plain:
            parts = made.value if isinstance(made.value, list) else [made.value]
            if not all(isinstance(part, dict) for part in parts):
                refuse("<< takes an object, or a list of objects", None, self.text, at)
            holder.merged.extend(_Value(part, made.place) for part in parts)
            return
        holder.value[key.value] = made.value
        made.place.key = key.place.start
        holder.place.inside[key.value] = made.place


def _style(event: Any) -> Style:
    if event.style in (None, ""):
        return "plain"
    return "quoted" if event.style in "'\"" else "block" if event.style == "|" else "other"


def _scalar(text: str, event: Any) -> Any:
    """A scalar's value by YAML 1.2's core schema, less what JSON cannot hold."""
    said, at = event.value, event.start_mark.index
    if event.tag in (f"{_TAG}str", "!") or (event.tag is None and event.style not in (None, "")):
        return said
    if event.tag is not None and event.tag not in (f"{_TAG}{kind}" for kind in ("int", "float", "bool", "null")):
        hint = "put the text in quotes: a tag begins with !" if event.tag.startswith("!") else "definitions are plain data"
        refuse(f"the tag {event.tag:.60} is not known here", hint, text, at)
    value = _resolved(text, said, at)
    if event.tag is not None and not _is_of(event.tag.removeprefix(_TAG), value):
        refuse(f"«{said[:40]}» is not what its tag says", None, text, at)
    return float(value) if event.tag == f"{_TAG}float" else value


def _is_of(kind: str, value: Any) -> bool:
    if kind == "null":
        return value is None
    if kind == "bool":
        return isinstance(value, bool)
    return isinstance(value, int if kind == "int" else (int, float)) and not isinstance(value, bool)


def _resolved(text: str, said: str, at: int) -> Any:
    if said in _NULLS:
        return None
    if said in _BOOLEANS:
        return _BOOLEANS[said]
    if len(said) <= 1000:
        if _INTEGER.fullmatch(said):
            return int(said)
        if _BASED.fullmatch(said):
            return int(said, 0)
        if _FLOAT.fullmatch(said) and abs(float(said)) < float("inf"):
            return float(said)
    if _NOT_JSON.fullmatch(said) or _FLOAT.fullmatch(said):
        refuse(f"{said[:40]} is no number that JSON can hold", "put it in quotes if it is text", text, at)
    return said
