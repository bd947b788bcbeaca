"""README is test input: its definitions load, its settings are read, and its commands answer what it says they answer.

The word behind a fence's language says what a snippet is: `json trigger`, `yaml trigger`, `json flow`, `toml config`; `sh make` names
targets of the Makefile, `sh install` is only parsed; `sh try` is run, in order, against one daemon that serves a copy of the example
home, and the `answer` that follows is what must come back, but for ids, times and durations.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
import yaml

from daemon.config import read_config
from flows.dialects import load_flow
from flows.steps import make_kinds
from tests.acceptance.try_lines import ROOT, example_home, snippets_of, try_lines
from triggers.load import load_trigger

README = (ROOT / "README.md").read_text(encoding="utf-8")
SNIPPETS = snippets_of(README)
KNOWN = {
    ("json", "trigger"),
    ("yaml", "trigger"),
    ("json", "flow"),
    ("yaml", "flow"),
    ("toml", "config"),
    ("sh", "make"),
    ("sh", "install"),
    ("sh", "try"),
    ("json", "answer"),
    ("text", "answer"),
}
SECRET = "example-secret"


def snippets(language, kind):
    return [text for found, name, text in SNIPPETS if (found, name) == (language, kind)]


def definitions(kind):
    read = {"json": json.loads, "yaml": yaml.safe_load}
    return [read[language](text) for language, name, text in SNIPPETS if name == kind]


def test_every_fence_says_what_its_snippet_is():
    opened = re.findall(r"^```(\w.*)$", README, re.MULTILINE)
    plain = [fence for fence in opened if " " not in fence]

    assert {(language, kind) for language, kind, _ in SNIPPETS} == KNOWN - {("yaml", "flow")}
    assert len(opened) == len(SNIPPETS) + len(plain)
    assert set(plain) == {"text"}  # diagrams


@pytest.mark.parametrize("definition", definitions("trigger"), ids=lambda definition: definition["key"])
def test_a_trigger_in_readme_loads(definition):
    trigger = load_trigger(definition, key=None, file=None)

    assert trigger.key == definition["key"]


@pytest.mark.parametrize("definition", definitions("flow"), ids=lambda definition: definition["key"])
def test_a_flow_in_readme_loads_without_a_warning(definition, tmp_path):
    flow = load_flow(definition, key=None, folder=tmp_path, kinds=make_kinds())

    assert flow.warnings == ()


def test_the_triggers_in_readme_fit_the_flows_of_the_example_home(tmp_path, run, write):
    home = example_home(tmp_path)
    shutil.rmtree(home / "triggers")
    for definition in definitions("trigger"):
        write(home, f"triggers/{definition['key']}.json", definition)

    done = run("validate", home, "--strict")

    assert (done.returncode, done.stdout) == (0, "everything loads\n")


@pytest.mark.parametrize("text", snippets("toml", "config"))
def test_the_settings_in_readme_are_read(text, tmp_path):
    (tmp_path / "camshaft.toml").write_text(text)

    config = read_config(tmp_path)

    assert str(config.http.listen) == "127.0.0.1:8700"


@pytest.mark.parametrize("text", snippets("sh", "make"))
def test_the_targets_in_readme_are_in_the_makefile(text):
    makefile = (ROOT / "Makefile").read_text()

    targets = re.findall(r"^make (\w+)", text, re.MULTILINE)

    assert targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


@pytest.mark.parametrize("text", [*snippets("sh", "install"), *snippets("sh", "make"), *snippets("sh", "try")])
def test_the_shell_lines_in_readme_are_shell(text):
    checked = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)

    assert checked.returncode == 0, checked.stderr


def test_the_home_that_init_makes_is_as_readme_says(tmp_path, run):
    made = run("init", tmp_path / "my-home")
    checked = run("validate", tmp_path / "my-home", "--strict")

    assert made.returncode == checked.returncode == 0


async def test_the_commands_in_readme_answer_what_it_says(tmp_path, daemon_of):
    if missing := [name for name in ("curl", "openssl") if shutil.which(name) is None]:
        pytest.skip(f"README's lines need {', '.join(missing)}")
    daemon = await daemon_of(example_home(tmp_path), env={"GITHUB_WEBHOOK_SECRET": SECRET})

    await try_lines(SNIPPETS, daemon, tmp_path)
