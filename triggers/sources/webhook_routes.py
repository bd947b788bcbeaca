"""Routes: which hook a path leads to. A literal path is one look-up; one with parameters takes as many as it has parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote

from triggers.sources.webhook_hook import Hook
from triggers.sources.webhook_path import PREFIX, Parameter, decoded_parts, parts_of


class Found(NamedTuple):
    """A hook, and how the request came to it."""

    hook: Hook
    path: str  # below /hooks, decoded: what `$.path` is
    params: dict[str, str]


@dataclass(slots=True)
class _Node:
    """What may follow one beginning of a path."""

    literals: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    hook: Hook | None = None  # the path ends here
    rest: Hook | None = None  # or takes all that is left


class Routes:
    """Never changed: an update makes another one."""

    def __init__(self, hooks: Sequence[Hook]) -> None:
        self.hooks: dict[str, Hook] = {hook.path: hook for hook in hooks}
        self.literal: dict[str, Hook] = {}  # by the path as it stands in a request, where nothing in it is encoded
        self._root = _Node()
        self._names: dict[str, Sequence[tuple[int, Parameter]]] = {}  # by a hook's path: where its parameters stand
        for hook in hooks:
            parts = parts_of(hook.path)
            names = [(at, part) for at, part in enumerate(parts) if isinstance(part, Parameter)]
            if not names:
                self.literal[f"{PREFIX}/{'/'.join(map(str, parts))}"] = hook
            else:
                self._names[hook.path] = names
                self._add(hook, parts)

    def _add(self, hook: Hook, parts: Sequence[str | Parameter]) -> None:
        node = self._root
        for part in parts:
            if isinstance(part, str):
                node = node.literals.setdefault(part, _Node())
            elif part.rest:
                node.rest = hook
                return
            else:
                node.parameter = node.parameter or _Node()
                node = node.parameter
        node.hook = hook

    def find(self, path: str) -> Found | None:
        """The hook of a path that is no key of `literal`: it was written in another way, or is found by a pattern."""
        if "://" in path[:8]:  # behind a host
            path = "/" + path.partition("://")[2].partition("/")[2]
        parts = decoded_parts(path)
        if parts is None or f"/{parts[0]}" != PREFIX:
            return None
        below = parts[1:]
        text = "/" + "/".join(below)
        hook = None if any("/" in part for part in below) else self.literal.get(PREFIX + text)
        if hook is not None:
            return Found(hook, text, {})
        hook = self._by_pattern(below) if self._names else None
        return None if hook is None else Found(hook, text, self._params(hook, below))

    def _by_pattern(self, parts: Sequence[str]) -> Hook | None:
        """The most specific one: at the first part in which two differ a literal goes before a parameter, that before a tail.

        Every node is looked at once at most.
        """
        pending: list[tuple[_Node, int] | Hook] = [(self._root, 0)]
        while pending:
            step = pending.pop()
            if isinstance(step, Hook):
                return step
            node, at = step
            if at == len(parts):
                if node.hook is not None:
                    return node.hook
                continue
            if node.rest is not None:
                pending.append(node.rest)
            if node.parameter is not None:
                pending.append((node.parameter, at + 1))
            literal = node.literals.get(parts[at])
            if literal is not None:
                pending.append((literal, at + 1))
        return None

    def _params(self, hook: Hook, parts: Sequence[str]) -> dict[str, str]:
        return {part.name: "/".join(parts[at:]) if part.rest else parts[at] for at, part in self._names[hook.path]}


def taken_away(path: str, paths: Iterable[str]) -> list[str]:
    """Which of the others' paths take requests that a path with parameters would have got: the more specific ones, in order."""
    mine, others = Routes([bare_hook(path)]), sorted(set(paths) - {path})
    every = Routes([bare_hook(each) for each in (path, *others)])
    found = []
    for other in others:
        like = PREFIX + "".join(f"/{quote('-' if isinstance(part, Parameter) else part, safe='')}" for part in parts_of(other))
        got = every.find(like)
        if got is not None and got.hook.path == other and mine.find(like) is not None:
            found.append(other)
    return found


def bare_hook(path: str) -> Hook:
    """A hook for looking its path up, and nothing else."""
    return Hook(path, {}, b"", ())
