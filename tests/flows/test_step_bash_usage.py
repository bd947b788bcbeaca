"""Tokens of an answer that cannot be used are counted all the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.dialects import load_flow
from flows.executor import World, execute
from flows.steps import make_kinds


@pytest.mark.parametrize(
    ("answer", "failed", "code"), [("no JSON at all", False, "BAD_JSON"), ("over the limit", True, "ENVELOPE_ERROR")]
)
async def test_a_failed_attempt_keeps_the_tokens_that_its_envelope_names(tmp_path: Path, answer, failed, code):
    envelope = {"type": "result", "result": answer, "is_error": failed, "usage": {"input_tokens": 12, "output_tokens": 3}}
    (tmp_path / "envelope.json").write_text(json.dumps(envelope))
    step = {
        "id": "ask",
        "type": "bash",
        "bash": {"command": "cat envelope.json", "parseEnvelope": True},
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
