"""A run for people: one line about it, its steps with their durations, and what it gave."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from daemon.cli.output import aligned, cell, clean, compact, write

OUTPUT_CHARS = 60  # of a step's output on its line; `-o json` has all of it


def show_run(run: dict[str, Any]) -> None:
    """What `run show` and `flow execute` print without -o."""
    metrics = run["_metrics"]
    write(f"{run['run']}  {run.get('flow') or ''}  {run['status']}  {took(metrics['totalDurationMs'])}".replace("    ", "  "))
    _say_origin(run)
    if run.get("error"):
        write(f"error  {clean(str(run['error']))}")
    if run.get("paused"):
        write(f"paused  {clean(run['paused'])}")
    _show_waits(run.get("waits", ()))
    rows = [_step(name, step, metrics["steps"].get(name, {})) for name, step in run["steps"].items()]
    if rows:
        write("")
        for line in aligned([["STEP", "STATUS", "TOOK", "TRIES", "COST", "OUTPUT"], *rows]):
            write(line)
    if metrics["totalEstimatedCost"] is not None:
        write(f"\ncost  {metrics['totalEstimatedCost']} ({metrics['costStatus']})")
    if run.get("output") is not None:
        write(f"\noutput  {clean(compact(run['output']))}")


def _show_waits(waits: Iterable[dict[str, Any]]) -> None:
    for wait in waits:
        until = f", until {wait['due']}" if wait["due"] else ""
        write(f"waits  {clean(wait['step'])}: {wait['kind']} since {wait['since']}{until}")
        if wait.get("message"):
            write(f"       {clean(wait['message'])}")
        for link in filter(None, (wait.get("link"), *(wait.get("links") or {}).values())):
            write(f"       {link}")


def _say_origin(run: dict[str, Any]) -> None:
    if run.get("trigger"):
        write(f"started by {run['trigger']} on {run['event']}")
    if run.get("retryOf"):
        write(f"does {run['retryOf']} again")
    if run.get("retries"):
        write(f"done again by {', '.join(run['retries'])}")
    if run.get("depth"):
        write(f"chain  {run['chain']}, {run['depth']} deep")
    if run.get("cancelAskedAt") and run["status"] not in {"completed", "failed", "cancelled"}:
        write(f"is to stop, since {run['cancelAskedAt']}")


def _step(name: str, step: dict[str, Any], metrics: dict[str, Any]) -> list[str]:
    said = step["error"] if step["error"] is not None else cell(step["output"])
    said = clean(str(said).replace("\n", " "))
    if len(said) > OUTPUT_CHARS:
        said = said[: OUTPUT_CHARS - 1] + "…"
    status = f"{step['status']} (copied)" if step.get("copied") else step["status"]
    return [name, status, took(step["durationMs"]), str(step["attempts"]), metrics.get("estimatedCost") or "", said]


def took(duration_ms: int | None) -> str:
    if duration_ms is None:
        return ""
    return f"{duration_ms} ms" if duration_ms < 10_000 else f"{duration_ms / 1000:.1f} s"
