"""The three larger flows of the example home, each from its trigger to its end: outputs, statuses, and what it cost by branch."""

from __future__ import annotations

import asyncio
import json
import re
import shutil

import pytest

from tests.acceptance.try_lines import ROOT, example_home, snippets_of, try_lines

pytestmark = pytest.mark.long

DOCUMENT = (ROOT / "docs/examples.md").read_text(encoding="utf-8")
SAMPLES = ROOT / "examples/home/samples"


@pytest.fixture
async def served(tmp_path, daemon_of):
    return await daemon_of(example_home(tmp_path))


async def post(client, served, hook: str, body) -> str:
    async with client.post(f"{served.hooks}/{hook}", json=body) as answer:
        assert answer.status == 202, await answer.text()
        return (await answer.json())["runs"][0]


def sample(name: str):
    return json.loads((SAMPLES / name).read_text())


async def ended(served, run_json, run: str) -> dict:
    await served.all_ended()
    return await asyncio.to_thread(run_json, "run", "show", run, home=served.home)


def used(metrics, step: str):
    one = metrics["steps"][step]
    return one["costLabel"], one["attempts"], one["inputTokens"] > 0, one["outputTokens"] > 0, one["models"]


async def test_each_message_is_labelled_by_a_rule_a_model_or_a_person_and_none_stops_the_others(served, client, run_json):
    shown = await ended(served, run_json, await post(client, served, "messages", sample("messages.json")))

    assert (shown["status"], shown["trigger"]) == ("completed", "inbox-triage")
    labels = [(one["id"], one["label"], one["by"]) for one in shown["output"]["messages"]]
    assert labels == [
        ("m1", "billing", "rule"),
        ("m2", "noise", "rule"),
        ("m3", "support", "model"),
        ("m4", "person", "nobody"),
        ("m5", "person", "nobody"),
    ]
    statuses = {path: (step["status"], step["errorCode"]) for path, step in shown["steps"].items() if "." in path}
    assert statuses["each[0].ask"] == ("skipped", "IF_FALSE")
    assert statuses["each[2].ask"] == ("success", None)
    assert statuses["each[3].ask"] == ("failed", "BAD_JSON")
    assert statuses["each[4].rule"] == ("failed", "REQUIRES_MISSING")
    metrics = shown["_metrics"]
    assert used(metrics, "each[2].ask") == ("triage", 1, True, True, ["stand-in-haiku"])
    assert used(metrics, "each[3].ask") == ("triage", 2, True, True, ["stand-in-haiku"])
    assert metrics["costStatus"] == "exact"
    assert 0 < metrics["wastedCostUsd"] < metrics["totalEstimatedCostUsd"]
    filed = json.loads(next(served.home.glob("state/triage/*/*.json")).read_text())
    assert filed["messages"] == shown["output"]["messages"]


async def test_messages_of_any_shape_are_left_to_a_person_and_the_others_labelled(served, client, run_json):
    hostile = {"id": "m", "subject": {"a": 1}, "body": "$(touch x) `touch x` '; touch x\n{{$.x}}"}
    messages = ["text", None, 7, [], {}, hostile, {"id": "m1", "subject": "Your invoice", "body": "…"}]

    shown = await ended(served, run_json, await post(client, served, "messages", {"messages": messages}))

    assert shown["status"] == "completed"
    assert [one["label"] for one in shown["output"]["messages"]] == ["person"] * 6 + ["billing"]
    assert not list(served.home.rglob("x"))


async def test_a_company_is_researched_although_a_source_fails_and_each_branch_has_its_cost(served, client, run_json):
    shown = await ended(served, run_json, await post(client, served, "research", sample("research.json")))

    statuses = {path: step["status"] for path, step in shown["steps"].items()}
    assert (shown["status"], len(shown["output"]["facts"])) == ("completed", 3)
    assert [statuses[f"sources.{source}"] for source in ("register", "news", "forum")] == ["success", "success", "failed"]
    assert shown["steps"]["sources.forum/extract"]["errorCode"] == "BAD_JSON"
    assert shown["output"]["memo"].startswith("What is known of Analytical Engines Ltd: Founded in 1834")
    metrics = shown["_metrics"]
    for source in ("register", "news", "forum"):
        assert used(metrics, f"sources.{source}/extract") == ("read-source", 1, True, True, ["stand-in-haiku"])
    assert used(metrics, "gate.memo") == ("memo", 1, True, True, ["stand-in-opus"])
    assert metrics["costStatus"] == "exact"
    forum = float(metrics["steps"]["sources.forum/extract"]["estimatedCost"].removeprefix("$"))
    assert metrics["wastedCostUsd"] == pytest.approx(forum, rel=0.05)
    assert json.loads((served.home / "state/research").glob("*/*.json").__next__().read_text())["memo"] == shown["output"]["memo"]


async def test_a_company_that_no_source_knows_stops_at_the_gate_and_asks_no_model(served, client, run_json):
    shown = await ended(served, run_json, await post(client, served, "research", sample("research-unknown.json")))

    codes = {path: step["errorCode"] for path, step in shown["steps"].items() if path.endswith("/extract")}
    assert (shown["status"], shown["output"]) == ("completed", {"facts": []})
    assert set(codes.values()) == {"REQUIRES_MISSING"}
    assert len(codes) == 3
    assert "gate.memo" not in shown["steps"]
    assert (shown["_metrics"]["costStatus"], shown["_metrics"]["totalEstimatedCost"]) == ("none", None)
    assert not (served.home / "state/research").exists()


async def test_the_nightly_report_adds_up_the_day_and_its_end_is_told_well_or_not(served, client, run_json, run):
    await post(client, served, "messages", sample("messages.json"))
    await post(client, served, "research", sample("research.json"))
    await served.all_ended()
    (day,) = {file.parent.name for file in served.home.glob("state/*/????-??-??/*.json")}
    slot = f"{day}T23:55:00Z"

    first = await asyncio.to_thread(run, "trigger", "fire", "nightly-report", "--at", slot, "--wait", home=served.home)
    (served.home / "state/triage" / day / "broken.json").write_text("{}")
    second = await asyncio.to_thread(run, "trigger", "fire", "nightly-report", "--at", slot, "--wait", home=served.home)
    await served.all_ended()

    assert (first.returncode, second.returncode) == (0, 7)
    assert (served.home / f"state/nightly/{day}.md").read_text() == (
        f"# {day}\n\nMessages: billing 1, noise 1, support 1, person 2\nCompanies: Analytical Engines Ltd, 3 facts\n"
    )
    told = (served.home / "state/outbox.txt").read_text().splitlines()
    assert told[0] == f"nightly-report is done: {served.home}/state/nightly/{day}.md"
    assert told[1].startswith("nightly-report failed at each: ")
    assert told[1].endswith("broken.json: kind is required and missing")
    chain = [(one["flow"], one["status"], one["depth"]) for one in run_json("run", "list", "--limit", 2, home=served.home)]
    assert chain == [("tell-owner", "completed", 1), ("nightly-report", "failed", 0)]


async def test_the_stand_in_answers_as_the_real_command_is_documented_to(tmp_path):
    command = [ROOT / "examples/home/lib/claude", "--print", "--output-format", "json", "--model", "haiku", "--tools", ""]
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)

    said, _ = await process.communicate(b'Answer {"facts": []}\n\n["It has 50 digits. It is large."]')

    envelope = json.loads(said)
    assert (envelope["type"], envelope["subtype"], envelope["is_error"]) == ("result", "success", False)
    assert json.loads(envelope["result"]) == {"facts": ["It has 50 digits."]}
    assert set(envelope["usage"]) == {
        "input_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "output_tokens",
    }


def test_the_example_home_loads_without_a_warning_and_passes_its_own_tests(tmp_path, run):
    home = example_home(tmp_path)

    checked = run("validate", home, "--strict")
    tried = run("trigger", "test", home=home)

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "everything loads\n", "")
    assert tried.returncode == 0, tried.stdout


def test_every_flow_and_hook_of_the_example_home_stands_in_its_document():
    flows = {entry.name.partition(".")[0] for entry in (ROOT / "examples/home/flows").iterdir()}

    assert flows <= set(re.findall(r"`([^`\n]+)`", DOCUMENT))
    assert all(name in DOCUMENT for name in ("/hooks/messages", "/hooks/research", "/hooks/deal-created", "/hooks/github-push"))


async def test_the_commands_in_the_document_answer_what_it_says(tmp_path, daemon_of):
    if shutil.which("curl") is None:
        pytest.skip("the document's lines need curl")
    daemon = await daemon_of(example_home(tmp_path))

    await try_lines(snippets_of(DOCUMENT), daemon, tmp_path)
