"""Approvals of a run in this process: asked on the terminal, where there is one."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from daemon.cli.output import clean
from daemon.cli.run_answer import user_name
from flows.errors import StepError
from flows.form import Form
from flows.inputs import Input
from flows.waiting import Place, Resolution, Wait, until_over, wait_here


async def wait_asking(place: Place, wait: Wait) -> Resolution:
    """WaitFor of `flow execute` without a daemon. One question at a time; its timeout goes on while the person thinks."""
    if wait.kind != "approval" or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return await wait_here(place, wait)
    since = time.time()
    asking = asyncio.create_task(asyncio.to_thread(_ask, place, wait), name="asking")
    over = asyncio.create_task(until_over(wait), name="its time")
    try:
        await asyncio.wait((asking, over), return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            return over.result()
        how, value = asking.result()
        return Resolution(how, time.time(), since, value)
    finally:
        for task in (asking, over):
            task.cancel()


def _ask(place: Place, wait: Wait) -> tuple[str, dict[str, Any]]:
    """In a thread. An end of input is no answer."""
    form = Form.parse(wait.detail.get("form") or {})
    print(f"\n{clean(str(wait.detail.get('message')))}", file=sys.stderr)
    try:
        approved = _yes(f"approve step {place.path}? [y/n] ")
        while approved:
            given = {name: text for name, field in form.fields.items() if (text := _field(field, form.labels[name])) is not None}
            values, problems = form.filled(given)
            if not problems:
                break
            print("\n".join(clean(problem) for problem in problems), file=sys.stderr)
        comment = _line("comment: ")
    except EOFError:
        raise StepError("the question was not answered: the input has ended", code="WAIT_UNAVAILABLE", retryable=False) from None
    value = {"by": user_name(), "comment": comment or None, "form": values if approved else {}}
    return ("approved" if approved else "rejected"), value


def _yes(question: str) -> bool:
    while True:
        answer = _line(question).lower()
        if answer in {"y", "yes", "n", "no"}:
            return answer.startswith("y")


def _field(field: Input, label: str) -> str | None:
    """None: nothing was typed, and that is not a text which has to be there."""
    hint = f" ({', '.join(map(str, field.enum))})" if field.enum else f" [{field.default}]" if field.has_default else ""
    text = _line(f"{clean(label)}{clean(hint)}: ")
    return text or None


def _line(question: str) -> str:
    print(question, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.strip()
