"""What the serving process leaves out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wagate.process.start import unused


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        ("", {"rich", "psycopg", "psycopg2"}),
        ('[database]\nurl = "postgresql://localhost/wagate"', {"rich"}),
        ("not toml", {"rich"}),
    ],
)
def test_a_database_driver_is_left_out_only_on_sqlite(text: str, left_out: set[str], tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    assert set(unused(file)) == left_out


def test_a_configuration_that_is_wrong_is_told_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[server]\nprot = 1\n")
    done = subprocess.run(
        [sys.executable, "-m", "wagate.process.start", str(file)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "did you mean" in done.stderr
    assert "port" in done.stderr
