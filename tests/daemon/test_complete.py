"""What a TAB is offered at each place of a command line."""

from __future__ import annotations

import json
import time

import pytest

from daemon.cli.complete import candidates
from daemon.store.home_lock import hold_home


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    for name in ("triggers/auto-process-deal.json", "flows/deal-process.json", "flows/nested/flow.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    monkeypatch.setenv("CAMSHAFT_HOME", str(folder))
    return folder


def words(*given):
    return [word for word, _ in candidates(given)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["run", "list", "--status", "com"], ["completed"]),
        (["serve", "--log-level", ""], ["debug", "info", "warning", "error"]),
        (["flow", "execute", "deal"], ["deal-process"]),
        (["flow", "execute", "./deal"], []),
        (["init", ""], [":folders"]),
        (["eval", "--data", ""], [":files"]),
        (["config", "get", "http.l"], ["http.listen"]),
        (["nonsense", ""], []),
        (["trigger", "nonsense", ""], []),
        (["trigger", "list", "--fie"], ["--fields"]),
        (["trigger", "sho"], ["show"]),
        (["flow", "show", ""], ["deal-process", "nested"]),
        (["systemd", "install", "--no"], ["--no-socket"]),
        (["--ho"], ["--home"]),
        (["schedule", "next", ""], []),
        (["trigger", "edit", ""], ["auto-process-deal"]),
        (["trigger", "test", "auto-process-deal", "--event", ""], [":files"]),
        (["trigger", "test", "--file", ""], [":files"]),
        (["flow", "execute", "deal-process", "--mock", ""], [":files"]),
        (["flow", "execute", "deal-process", "--output-file", ""], [":files"]),
        (["run", "approve", "run_1", "--form", ""], [":files"]),
        (["eval", ""], []),
        (["schema", "f"], ["flow"]),
        ([], None),
    ],
)
def test_each_place_has_its_words(home, given, expected):
    found = words(*given)

    assert found == expected if expected is not None else "serve" in found


def test_a_home_that_is_broken_or_not_there_offers_the_names_of_its_files_or_nothing(home, tmp_path):
    (home / "triggers" / "broken.json").write_text(json.dumps({"trigger": 5})[:-1])
    (home / "triggers" / "hostile\x1b[31m.json").write_text("{}")

    assert words("--home", str(home), "trigger", "rm", "") == ["auto-process-deal", "broken", "hostile\x1b[31m"]
    assert words("--home", str(tmp_path / "none"), "trigger", "rm", "") == []


def test_a_tab_does_not_wait_for_a_daemon_that_starts_or_stops(home):
    with hold_home(home / "state/lock"):
        began = time.monotonic()
        found = words("flow", "show", "")
        took_s = time.monotonic() - began

    assert found == ["deal-process", "nested"]
    assert took_s < 3  # else it is the patience of a change: five seconds
