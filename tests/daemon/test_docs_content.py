"""The documents themselves: their links lead somewhere, their definitions load, and what they say of triggers is the code's."""

from __future__ import annotations

import ast
import re

import pytest

from flows.dialects import load_flow
from flows.document import read_document
from flows.steps import make_kinds
from tests.daemon.documents import DOCUMENTS, code_words, section, sources_of, text, words
from triggers.load import LATER_FIELDS as LATER_TRIGGER_FIELDS
from triggers.load import load_trigger
from triggers.signatures import SIGNATURES
from triggers.sources import SOURCES
from triggers.spec import TriggerSpec
from triggers.verdict import VERDICTS

# -- triggers


def test_every_verdict_is_explained():
    named = code_words(section("docs/triggers.md", "## Verdicts"))

    assert set(VERDICTS) <= named


def test_the_verdicts_that_readme_names_are_there():
    assert words(section("README.md", "## States")) <= set(VERDICTS)


def test_the_fields_of_triggers_are_named():
    named = code_words(text("docs/triggers.md"))
    wanted = {field.alias or name for name, field in TriggerSpec.model_fields.items()} | {
        *LATER_TRIGGER_FIELDS,
        *SOURCES,
        *SIGNATURES,
    }

    assert wanted <= named


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_fields_of_a_signature_are_named(name):
    part = re.search(
        rf"\n`{name}`(?: \(.*\))?: .*?(?=\n\n`|\n\nA secret never|\Z)", section("docs/triggers.md", "### auth"), re.DOTALL
    )

    assert set(SIGNATURES[name].Spec.model_fields) - {"type"} == words(part[0])


def test_every_way_in_which_a_request_is_refused_is_in_the_table():
    refused = {
        (node.args[0].value, node.args[1].value)
        for _, tree in sources_of("triggers/http_listener.py", "triggers/sources", "triggers/bodies", "triggers/cloud_events")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "error_answer"
    }
    said = {
        (int(status), code)
        for line in re.findall(r"^\| (\d{3}.*) \|$", section("docs/triggers.md", "### What comes back"), re.MULTILINE)
        for status in re.findall(r"\b\d{3}\b", line.split("|")[0])
        for code in re.findall(r"`([A-Z_]+)`", line.split("|")[1])
    }

    assert refused <= said
    assert {code for _, code in said} == {code for _, code in refused}


# -- the documents themselves


def anchors(document):
    """As forges make them of headings: in lower case, without marks, with hyphens for blanks."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", document, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_every_link_to_a_file_leads_somewhere(document):
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = document.parent / name if name else document

        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), target


SNIPPETS = [
    (file.name, language, kind, snippet)
    for file in DOCUMENTS
    for language, kind, snippet in re.findall(
        r"^```(\w+) (\w+)\n(.*?)^```$", file.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    if language in {"json", "yaml"} and kind != "answer"
]


@pytest.mark.parametrize(
    ("file", "language", "kind", "snippet"), SNIPPETS, ids=[f"{file}-{kind}" for file, _, kind, _ in SNIPPETS]
)
def test_the_definitions_in_the_documents_load(file, language, kind, snippet, tmp_path):
    value = read_document(snippet.encode(), suffix=f".{language}").value

    if kind == "trigger":
        assert load_trigger(value, key=None, file=None).key == value["key"]
    elif kind == "flow":
        assert load_flow(value, key=None, folder=tmp_path, kinds=make_kinds()).key == value["key"]
    else:
        assert isinstance(value, dict)
