"""Tokens of an answer that cannot be used are counted all the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.dialects import load_flow
from flows.executor import World, execute
from flows.steps import make_kinds
from flows.steps.json_text import unwrap_envelope


@pytest.mark.parametrize(
    ("answer", "failed", "status", "code"),
    [
        ("no JSON at all", False, 0, "BAD_JSON"),
        ("over the limit", True, 0, "ENVELOPE_ERROR"),
        ("over the limit", True, 1, "EXIT_STATUS"),
    ],
)
async def test_a_failed_attempt_keeps_the_tokens_that_its_envelope_names(tmp_path: Path, answer, failed, status, code):
    envelope = {"type": "result", "result": answer, "is_error": failed, "usage": {"input_tokens": 12, "output_tokens": 3}}
    (tmp_path / "envelope.json").write_text(json.dumps(envelope))
    step = {
        "id": "ask",
        "type": "bash",
        "bash": {"command": f"cat envelope.json; exit {status}", "parseEnvelope": True},
        "metrics": {"track": True},
    }
    kinds = make_kinds({})
    flow = load_flow({"key": "asks", "steps": [step]}, key=None, folder=tmp_path, kinds=kinds)
    attempts = []

    ended = await execute(
        flow,
        {},
        run_id="run_1",
        world=World(kinds, lambda key: flow, lambda name: ""),
        record=attempts.append,
    )

    assert (ended.status, ended.code) == ("failed", code)
    assert (attempts[-1].usage.input_tokens, attempts[-1].usage.output_tokens) == (12, 3)


@pytest.mark.parametrize(("counted", "cost"), [(2**63, 0.1), (10**13, 1e300), (-1, -1), (True, True)])
def test_what_no_call_can_have_used_is_not_known(counted, cost):
    envelope = {"type": "result", "result": "{}", "usage": {"input_tokens": counted, "output_tokens": 1}, "total_cost_usd": cost}

    _, usage = unwrap_envelope(json.dumps(envelope))

    assert (usage.input_tokens, usage.output_tokens) == (None, 1)
    assert usage.cost_nano_usd in (None, 100_000_000)
