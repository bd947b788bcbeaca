"""Versions: every flow and trigger as it was, told apart and compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import unified_diff
from typing import Any, Literal

from daemon import shapes
from daemon.errors import BadRequest, NotFound
from daemon.operations.given import Given

Noun = Literal["flow", "trigger"]
SHOWN = 12  # characters of a digest that name it to people


class Versions(Given):
    """What can be asked of kept versions."""

    __slots__ = ()

    async def list_versions(self, noun: Noun, key: str) -> list[dict[str, Any]]:
        """The newest first, by when they were kept; `current` is in force. Raises NotFound."""
        kept = await self.store.versions(noun, key) if self.store is not None else []
        current = self._digest_in_force(noun, key)
        if not kept and current is None:
            raise NotFound(f"there is no {noun} «{key}», and there was none", f"camshaft {noun} list")
        found = [{"digest": digest, "savedAt": shapes.instant(at), "current": digest == current} for digest, at in kept]
        if current is not None and all(one["digest"] != current for one in found):  # no daemon has served it yet
            found.insert(0, {"digest": current, "savedAt": None, "current": True})
        return found

    async def show_version(self, noun: Noun, key: str, version: str) -> dict[str, Any]:
        """One version by a unique beginning of its digest. Raises NotFound, BadRequest."""
        listed = await self.list_versions(noun, key)
        found = [one for one in listed if version and one["digest"].startswith(version.lower())]
        if not found:
            raise NotFound(f"{noun} «{key}» has no version «{version}»", f"camshaft {noun} versions {key}")
        if len(found) > 1:
            raise BadRequest(f"«{version}» is the beginning of {len(found)} versions", "give more of it")
        definition, subflows = await self._definition(noun, key, found[0]["digest"])
        return {"key": key, **found[0], "subflows": dict(subflows), "definition": definition}

    async def diff_versions(self, noun: Noun, key: str, old: str | None = None, new: str | None = None) -> dict[str, Any]:
        """What changed from one version to another; by default from the one before to the one in force."""
        listed = await self.list_versions(noun, key)
        after = await self.show_version(noun, key, new or self._newest(listed))
        others = [one["digest"] for one in listed if one["digest"] != after["digest"]]
        if not old and not others:
            raise NotFound(f"{noun} «{key}» has one version only", f"camshaft {noun} show {key}")
        before = await self.show_version(noun, key, old or others[0])
        names = before["digest"][:SHOWN], after["digest"][:SHOWN]
        lines = unified_diff(_lines(before), _lines(after), *names)
        return {"key": key, "from": before["digest"], "to": after["digest"], "diff": "".join(lines)}

    async def _definition(self, noun: Noun, key: str, digest: str) -> tuple[Any, Mapping[str, str]]:
        kept = await self.store.definition(digest) if self.store is not None else None
        if kept is not None:
            return kept.definition, kept.subflows or {}
        current = self.definitions.current
        if noun == "flow":
            flow = current.flows[key]
            return flow.definition, {name: one.digest for name, one in flow.pinned.items()}
        trigger = current.trigger(key)
        assert trigger is not None  # list_versions() found it
        return trigger.definition, {}

    def _digest_in_force(self, noun: Noun, key: str) -> str | None:
        current = self.definitions.current
        found = current.flows.get(key) if noun == "flow" else current.trigger(key)
        return None if found is None else found.digest

    @staticmethod
    def _newest(listed: list[dict[str, Any]]) -> str:
        return str(next((one for one in listed if one["current"]), listed[0])["digest"])


def _lines(version: Mapping[str, Any]) -> list[str]:
    """The definition with its keys in order, so that only what means something differs; and the versions of its sub-flows."""
    shown = (
        version["definition"]
        if not version["subflows"]
        else {"definition": version["definition"], "subflows": version["subflows"]}
    )
    return (json.dumps(shown, indent=2, sort_keys=True, ensure_ascii=False) + "\n").splitlines(keepends=True)
