"""The tour: it runs from end to end, and the page shows the steps that it runs now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STEPS = (ROOT / "scripts/tour.txt").read_text("utf-8")


def commands() -> list[str]:
    blocks = [block for block in STEPS.strip().split("\n\n") if block.startswith(("$ ", "@"))]
    return ["\n".join(line for line in block.splitlines() if not line.startswith("@")) for block in blocks]


def test_the_page_shows_every_step() -> None:
    page = (ROOT / "docs/tutorials/tour.md").read_text("utf-8")
    assert len(commands()) > 15
    assert [command for command in commands() if command not in page] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_tour_can_be_taken(tmp_path: Path) -> None:
    page = tmp_path / "tour.md"
    command = [sys.executable, str(ROOT / "scripts/record_tour.py"), str(page)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as taken:
        try:
            said, _ = taken.communicate(timeout=840)
        except subprocess.TimeoutExpired:
            taken.terminate()  # killed, it would leave its gateway and its receiver behind
            said, _ = taken.communicate(timeout=45)
    assert taken.returncode == 0, said
    assert "500 different messages" in page.read_text("utf-8")
    assert "Ana gets: Hello Ana" in page.read_text("utf-8")
