"""The units are ones that systemd takes, as confined as docs/operations.md says, and the same in the repository and in the wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.units import STATE_HOME, Place, render, sealed, untouched

ROOT = Path(__file__).parent.parent
CAMSHAFT = Path(sys.executable).parent / "camshaft"
USUAL = Place(Path("/usr/local/bin/camshaft"), STATE_HOME, "127.0.0.1:8700")

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze: apt-get install systemd"
)


def analyze(*arguments, **more):
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False, **more)


def camshaft(*arguments, env=None):
    environment = {**os.environ, **(env or {})}
    return subprocess.run([CAMSHAFT, "systemd", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False, env=environment)  # fmt: skip


@pytest.fixture
def home(tmp_path):
    """A home with a blank, a per cent and a dollar in its path."""
    folder = tmp_path / "my home 100% $PATH"
    folder.mkdir()
    (folder / "camshaft.toml").write_text('[http]\nlisten = "localhost:9123"\n')
    return folder


def verify(*units, **more):
    done = analyze("verify", "--man=no", *map(str, units), **more)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_units_in_the_repository_are_those_that_the_package_writes():
    assert {file.name: file.read_text() for file in (ROOT / "systemd").iterdir()} == render(USUAL)


PLACES = {
    "usual": Place(CAMSHAFT, STATE_HOME, "127.0.0.1:8700"),
    "no socket": Place(CAMSHAFT, STATE_HOME, "127.0.0.1:8700", socket=False),
    "a user's home": Place(CAMSHAFT, Path("/home/me/my flows"), "[::1]:8700", user="daemon", reads=(Path("/home/me/venv"),)),
    "elsewhere": Place(CAMSHAFT, Path("/srv/100% $x"), "0.0.0.0:8700", user="daemon"),
}


@needs_systemd
@pytest.mark.parametrize("name", PLACES)
def test_systemd_understands_every_line(tmp_path, name):
    for file, text in render(PLACES[name]).items():
        (tmp_path / file).write_text(sealed(text))

    verify(*tmp_path.iterdir())


@needs_systemd
@pytest.mark.parametrize("name", PLACES)
def test_the_exposure_is_at_most_two_of_ten(tmp_path, name):
    unit = tmp_path / "camshaft.service"
    unit.write_text(render(PLACES[name])[unit.name])

    judged = analyze("security", "--offline=true", "--threshold=20", "--no-pager", str(unit))

    assert judged.returncode == 0, judged.stdout[-400:]


@needs_systemd
def test_a_user_s_units_are_understood_too(tmp_path, home):
    installed = camshaft("install", "--user", "--home", home, "--destdir", tmp_path, env={"XDG_CONFIG_HOME": "/config"})

    units = sorted((tmp_path / "config/systemd/user").iterdir())
    assert [unit.name for unit in units] == ["camshaft.service", "camshaft.socket"]
    assert "systemctl --user enable --now camshaft.socket camshaft.service" in installed.stdout
    verify("--user", *units, env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)})


def test_installing_writes_this_environment_s_command_the_home_and_its_address(tmp_path, home):
    done = camshaft("install", "--run-as", "nobody", "--home", home, "--destdir", tmp_path)

    service = (tmp_path / "etc/systemd/system/camshaft.service").read_text()
    socket = (tmp_path / "etc/systemd/system/camshaft.socket").read_text()
    quoted = str(home).replace("%", "%%")
    assert done.returncode == 0, done.stderr
    assert f'ExecStart={CAMSHAFT} serve --home "{quoted.replace("$", "$$")}"' in service
    assert f'User=nobody\nReadWritePaths="{quoted}"\nWorkingDirectory={quoted}\n' in service
    assert "ListenStream=127.0.0.1:9123" in socket
    assert "systemctl enable --now camshaft.socket camshaft.service" in done.stdout


def test_what_would_be_written_can_be_seen_first(tmp_path, home):
    done = camshaft("install", "--user", "--no-socket", "--home", home, "--destdir", tmp_path, "--dry-run")

    assert "ExecStart=" in done.stdout
    assert "camshaft.socket" not in done.stdout
    assert [entry.name for entry in tmp_path.iterdir()] == [home.name]


def test_a_unit_that_was_changed_is_neither_replaced_nor_removed_without_force(tmp_path, home):
    def install(*more):
        return camshaft("install", "--user", "--home", home, "--destdir", tmp_path, *more, env={"XDG_CONFIG_HOME": "/c"})

    def uninstall(*more):
        return camshaft("uninstall", "--user", "--destdir", tmp_path, *more, env={"XDG_CONFIG_HOME": "/c"})

    unit = tmp_path / "c/systemd/user/camshaft.service"
    first, again = install(), install()
    moved = install("--listen", "127.0.0.1:9999")
    before = unit.read_text()
    unit.write_text(before.replace("RestartSec=2", "RestartSec=20"))
    refused, kept = install("--listen", "127.0.0.1:9998"), uninstall()
    changed = unit.read_text()
    forced = install("--force")
    removed, nothing = uninstall(), uninstall()

    assert [done.returncode for done in (first, again, moved, refused, kept, forced, removed, nothing)] == [
        0,
        0,
        0,
        3,
        3,
        0,
        0,
        0,
    ]
    assert again.stdout.count("unchanged") == 2
    assert f"replaced {unit.with_suffix('.socket')}" in moved.stdout
    assert "--force" in refused.stderr
    assert "RestartSec=20" in changed
    assert forced.stdout.startswith("replaced")
    assert list(unit.parent.iterdir()) == []
    assert "nothing is installed here" in nothing.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--user", "--run-as", "nobody"], 2, "--run-as"),
        (["--listen", "127.0.0.1:0", "--user"], 2, "--no-socket"),
        (["--listen", "nonsense", "--user"], 2, "HOST:PORT"),
    ],
)
def test_what_has_no_meaning_is_refused_with_a_way_out(tmp_path, home, arguments, code, said):
    done = camshaft("install", "--home", home, "--destdir", tmp_path, *arguments)

    assert done.returncode == code
    assert said in done.stderr
    assert not (tmp_path / "etc").exists()


def test_a_home_that_is_not_there_is_named_with_the_command_that_makes_it(tmp_path):
    done = camshaft("install", "--home", tmp_path / "none", "--destdir", tmp_path)

    assert done.returncode == 1
    assert "camshaft init" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's home belongs to root")
def test_flows_do_not_become_root_s_by_accident(tmp_path, home):
    done = camshaft("install", "--home", home, "--destdir", tmp_path)

    assert done.returncode == 2
    assert "--run-as" in done.stderr


def test_a_seal_holds_for_its_text_alone():
    text = sealed("a\nb\n")

    assert untouched(text)
    assert not untouched(text.replace("b", "c"))
    assert not untouched("a\nb\n")
