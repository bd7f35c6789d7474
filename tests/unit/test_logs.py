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


WARN = """
import structlog, sys, logging
from wagate.process.logs import configure_logs
from wagate.web.ui.warnings import LastWarnings
kept = LastWarnings()
hide = configure_logs("info", sys.argv[1], frozenset({"hunter2"}), warnings=kept)
hide(frozenset({"swordfish"}))

class Odd:
    def __str__(self):
        raise RuntimeError

log = structlog.get_logger("wagate.one")
for number in range(60):
    log.info("all is well")
    log.warning(f"odd {number}", number=number)
for _ in range(3):
    log.warning("late", url="/ws?x-api-key=tok-1&a=b", why="hunter2" + "x" * 2000, other="swordfish\\x1b[2J")
log.warning("lost", value=Odd())
try:
    raise KeyError("a body")
except KeyError:
    log.error("broken", exc_info=True)
logging.getLogger("somebody.else").warning("swordfish is told")
for each in kept.newest():
    print(each.level, each.logger, each.times, each.text, each.details, sep="|")
"""


@pytest.mark.parametrize("form", ["console", "json"])
def test_the_last_warnings_are_kept_without_secrets(form: str) -> None:
    done = subprocess.run([sys.executable, "-c", WARN, form], capture_output=True, check=True, timeout=60)
    newest = [line.split("|") for line in done.stdout.decode().splitlines()]
    assert len(newest) == 50
    assert newest[0] == ["warning", "somebody.else", "1", "••• is told", ""]
    assert newest[1] == ["error", "wagate.one", "1", "broken", "exception=KeyError"]
    *late, details = newest[2]
    assert late == ["warning", "wagate.one", "3", "late"]
    assert details.startswith("url=/ws?x-api-key=•••&a=b why=•••xxx")
    assert len(details) == 500
    assert newest[3] == ["warning", "wagate.one", "1", "odd 59", "number=59"]
    assert not any(each in done.stdout.decode() for each in ("hunter2", "swordfish", "tok-1", "\x1b", "a body"))
    assert "odd 12" not in done.stdout.decode()
