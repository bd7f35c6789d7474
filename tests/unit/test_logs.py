"""Where log lines go."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LOGS = """
import structlog
from wagate.logs import configure_logs
configure_logs("info", "json", frozenset({"hunter2"}))
for number in range(1000):
    structlog.get_logger("wagate").info("said", number=number, password="hunter2")
print("went on")
"""


def test_a_log_on_a_full_disk_fails_nobody() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, "-c", LOGS], stdout=subprocess.PIPE, stderr=full, check=True, timeout=30)
    assert done.stdout == b"went on\n"


def test_each_line_is_written_once_and_without_secrets() -> None:
    done = subprocess.run([sys.executable, "-c", LOGS], capture_output=True, check=True, timeout=30)
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1000
    assert '"number":999' in lines[-1]
    assert "hunter2" not in done.stderr.decode()
