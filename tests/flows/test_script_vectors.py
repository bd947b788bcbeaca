"""Scripts in the engine against real JavaScript: what node gave, recorded by make_script_vectors.mjs, replayed here."""

import json
from dataclasses import replace
from pathlib import Path

from flows.errors import StepError
from flows.script.engine import Limits, Reads
from flows.script.quickjs import QuickJs
from flows.script.scan import scan


def whole(text):
    """A number as JavaScript has it."""
    return int(text) if abs(int(text)) <= 2**53 else float(text)


VECTORS = json.loads((Path(__file__).parent / "script_vectors.json").read_text(encoding="utf-8"), parse_int=whole)
LIMITS = Limits(timeout_s=5, memory_bytes=64 * 1024 * 1024, output_bytes=1024 * 1024)

# What the engine does otherwise, on purpose or by its nature.
DIFFERENT = {
    'return await import("fs")': {"error": "run"},  # there is nothing to import
    "new.target": {"error": "syntax"},  # a script is nobody's constructor
}


async def answer(engine, form, source, *, whole):
    if engine.check(source, form) is not None:
        return {"error": "syntax"}
    script = scan(source, form=form)
    if whole:
        script = replace(script, reads=Reads())
    try:
        return {"value": await engine.evaluate(script, VECTORS["names"], LIMITS)}
    except StepError as error:
        return {"error": {"SCRIPT_ERROR": "run"}[error.code]}


async def test_every_script_gives_what_it_gives_in_node_or_a_named_difference():
    engine = QuickJs(1)

    wrong = {
        source: (theirs, ours)
        for form, source, theirs in VECTORS["cases"]
        if (ours := await answer(engine, form, source, whole=True)) != DIFFERENT.get(source, theirs)
    }
    await engine.close()

    assert len(VECTORS["cases"]) > 200
    assert wrong == {}


async def test_a_script_gives_the_same_when_only_what_it_reads_is_sent_to_it():
    engine = QuickJs(1)

    wrong = {
        source: (whole, part)
        for form, source, _ in VECTORS["cases"]
        if (whole := await answer(engine, form, source, whole=True)) != (part := await answer(engine, form, source, whole=False))
    }
    await engine.close()

    assert wrong == {}
