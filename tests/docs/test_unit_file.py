"""The systemd unit of the page is one that systemd takes, and stays as closed as the page says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/how-to/operate.md"
EXPOSURE = 30
"""Tenths of systemd's measure, from 0 to 100, at most."""


def unit(folder: Path) -> Path:
    """As it stands on the page, with a program and a user that are there."""
    found = re.search(r"```ini\n(# /etc/systemd/system/wagate\.service\n.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    text = found[1].replace("/opt/wagate/.venv/bin/wagate", sys.executable).replace("User=wagate", "User=daemon")
    file = folder / "wagate.service"
    file.write_text(text)
    return file


def test_what_the_unit_takes_from_the_gateway_is_named_once(tmp_path: Path) -> None:
    """Also where no systemd judges, as in a container: what `docs/security.md` says of it."""
    lines = unit(tmp_path).read_text().splitlines()
    assert sum(line.startswith("SystemCallFilter=") for line in lines) == 1
    closed = {"NoNewPrivileges=true", "ProtectSystem=strict", "ProtectHome=true", "CapabilityBoundingSet="}
    assert closed <= set(lines)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_unit_without_a_word(tmp_path: Path) -> None:
    file = unit(tmp_path)
    verified = _analyze("verify", str(file))
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    judged = _analyze("security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", str(file))
    assert judged.returncode == 0, judged.stdout + judged.stderr


def _analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=120, check=False)
