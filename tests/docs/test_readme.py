"""The README's five minutes: its commands are pasted into two shells, as they stand, and do what it says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.test_docs import ROOT
from tests.valkey import free_port

PAGE = (ROOT / "README.md").read_text("utf-8")
STORY = PAGE.partition("\n## Five minutes\n")[2].partition("\n## ")[0]
STEPS = re.findall(r"^```sh\n(.*?)^```", STORY, flags=re.MULTILINE | re.DOTALL)
SHOWN = re.findall(r"^```text\n(.*?)^```", STORY, flags=re.MULTILINE | re.DOTALL)


@contextmanager
def shell(folder: Path, log: Path) -> Iterator[Callable[[str], None]]:
    """A terminal in the folder that keeps its variables; ended with all that it started."""
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment = {name: value for name, value in environment.items() if not name.startswith("WAGATE_")}
    # Data and port of this test's own: the checkout may hold a gateway that somebody uses.
    environment |= {"WAGATE_DATA__DIR": str(folder / "data"), "WAGATE_SERVER__PORT": str(PORTS["8080"])}
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        assert process.stdin

        def paste(text: str) -> None:
            for shown, ours in PORTS.items():
                text = text.replace(shown, str(ours))
            assert process.stdin
            process.stdin.write(text.encode())
            process.stdin.flush()

        try:
            yield paste
        finally:
            process.stdin.close()
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


PORTS = {"8080": free_port(), "9000": free_port()}


def until(done: Callable[[], bool], *logs: Path) -> None:
    deadline = time.monotonic() + 120
    while not done():
        assert time.monotonic() < deadline, "\n".join(log.read_text() for log in logs)
        time.sleep(0.05)


def without_repeats(text: str) -> str:
    """A busy machine may reach "repair it" after one more try: what was refused twice stands there once."""
    lines = text.splitlines(keepends=True)
    return "".join(line for place, line in enumerate(lines) if line[:3] != "503" or line not in lines[:place])


def test_the_five_minutes_can_be_pasted(tmp_path: Path) -> None:
    for name in ("scripts", "config.toml", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    before = (ROOT / "config.toml").read_bytes()
    start, first, broken, repaired, end = STEPS
    gateway, terminal = tmp_path / "gateway.log", tmp_path / "terminal.log"
    received = tmp_path / "received.txt"
    with shell(tmp_path, gateway) as one, shell(tmp_path, terminal) as two:
        one(start.replace("scripts/run", str(ROOT / "scripts/run")))
        until(lambda: "wagate simulate message" in gateway.read_text(), gateway)
        two(first)
        until(lambda: received.exists() and received.read_text() == SHOWN[0], gateway, terminal)
        # A busy machine may need longer than the second that the page gives it before it looks.
        send, pause, look = broken.partition("sleep 1; ")
        two(send)
        until(lambda: "Server error (503)" in gateway.read_text(), gateway, terminal)
        two(pause + look)
        until(lambda: "Server error (503)" in terminal.read_text(), gateway, terminal)
        two(repaired)
        until(lambda: without_repeats(received.read_text()) == SHOWN[2], gateway, terminal)
        two(end)
    listed = [line for line in terminal.read_text().splitlines() if "pending" in line]
    assert len(listed) == SHOWN[1].count("pending") == 3
    assert (ROOT / "config.toml").read_bytes() == before
