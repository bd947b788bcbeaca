"""Versions of flows and triggers: listed, shown, compared."""

from __future__ import annotations

from daemon.admin.parameter import Parameter
from daemon.admin.route import Answer, Asked, Reply, Route
from daemon.admin.schema import FLAG, INSTANT, OBJECT, TEXT, by_name, listed, maybe, record, ref, said
from daemon.operations.versions import Noun

LISTED = {
    "digest": TEXT,
    "savedAt": said(maybe(INSTANT), "when it was first in force; null: no daemon has served it yet"),
    "current": said(FLAG, "it is in force"),
}
SCHEMAS = {
    "VersionListed": record("A version, in short.", LISTED),
    "Version": record(
        "A version with its definition.",
        {"key": TEXT, **LISTED, "subflows": by_name(TEXT, "of a flow: the versions of its sub-flows"), "definition": OBJECT},
    ),
    "VersionDiff": record(
        "What changed from one version to another.",
        {"key": TEXT, "from": TEXT, "to": TEXT, "diff": said(TEXT, "a unified diff of the definitions, keys in order")},
    ),
}


def routes(noun: Noun) -> tuple[Route, ...]:
    """The same for flows and for triggers."""

    async def list_versions(asked: Asked) -> Reply:
        return Reply(await asked.operations.list_versions(noun, asked.key))

    async def show_version(asked: Asked) -> Reply:
        return Reply(await asked.operations.show_version(noun, asked.path["key"], asked.path["version"]))

    async def diff_versions(asked: Asked) -> Reply:
        old, new = asked.query.get("from"), asked.query.get("to")
        return Reply(await asked.operations.diff_versions(noun, asked.key, old, new))

    for handler, name in (
        (list_versions, f"list_{noun}_versions"),
        (show_version, f"show_{noun}_version"),
        (diff_versions, f"diff_{noun}"),
    ):
        handler.__name__ = name  # in the document each operation is called by its handler
    place = f"/v1/{noun}s/{{key}}"
    return (
        Route(
            "GET",
            f"{place}/versions",
            f"the kept versions of a {noun}, the newest first",
            list_versions,
            {200: Answer("its versions", listed(ref("VersionListed")))},
            refuses=("NOT_FOUND",),
        ),
        Route(
            "GET",
            f"{place}/versions/{{version}}",
            f"one version of a {noun}, by a unique beginning of its digest",
            show_version,
            {200: Answer("the version", ref("Version"))},
            refuses=("NOT_FOUND",),
        ),
        Route(
            "GET",
            f"{place}/diff",
            f"what changed between two versions of a {noun}",
            diff_versions,
            {200: Answer("what changed", ref("VersionDiff"))},
            query=(
                Parameter("from", "a beginning of a digest; by default the version before"),
                Parameter("to", "a beginning of a digest; by default the version in force"),
            ),
            refuses=("NOT_FOUND",),
        ),
    )


ROUTES = (*routes("flow"), *routes("trigger"))
