"""Where log lines go."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LOGS = """
import structlog
from wagate.process.logs import configure_logs
configure_logs("info", "json", frozenset({"hunter2"}))
for number in range(1000):
    structlog.get_logger("wagate").info("said", number=number, password="hunter2", url="/ws?X-Api-Key=tok-1&a=b")
print("went on")
"""
STALL = """
import sys
from wagate.process.logs import configure_logs
from wagate.process.watchdog import _log_stall
configure_logs("info", sys.argv[1], frozenset())
_log_stall(1.25, "wagate_blocking", ["a.py:1 run", "b.py:2 handle"])
"""


def test_a_log_on_a_full_disk_fails_nobody() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, "-c", LOGS], stdout=subprocess.PIPE, stderr=full, check=True, timeout=60)
    assert done.stdout == b"went on\n"


def test_each_line_is_written_once_and_without_secrets() -> None:
    done = subprocess.run([sys.executable, "-c", LOGS], capture_output=True, check=True, timeout=60)
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1000
    assert '"number":999' in lines[-1]
    assert "hunter2" not in done.stderr.decode()
    assert "tok-1" not in done.stderr.decode()
    assert "&a=b" in lines[-1]


@pytest.mark.parametrize("form", ["console", "json"])
def test_who_holds_up_the_loop_is_told_on_a_terminal_too(form: str) -> None:
    done = subprocess.run([sys.executable, "-c", STALL, form], capture_output=True, check=True, timeout=60)
    told = done.stderr.decode()
    assert "the loop is held up" in told
    assert "wagate_blocking" in told
    assert "b.py:2 handle" in told
