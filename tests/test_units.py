"""The service unit is one that systemd takes, and as confined as docs/operations.md says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).parent.parent / "systemd" / "camshaft.service"

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze: apt-get install systemd")


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_systemd_understands_every_line_of_the_unit(tmp_path):
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/usr/local/bin/camshaft", str(Path(sys.executable).parent / "camshaft")))

    verified = analyze("verify", "--man=no", str(unit))

    assert verified.stderr == ""
    assert verified.returncode == 0


def test_the_unit_s_exposure_is_at_most_two_of_ten():
    judged = analyze("security", "--offline=true", "--threshold=20", "--no-pager", str(UNIT))

    assert judged.returncode == 0, judged.stdout[-400:]
