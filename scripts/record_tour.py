"""Run the tour's steps against a real gateway on a temporary folder, and write down each command with its output.

Nothing is made up: the page is what came out, but that the temporary folder is called ~/demo. A step whose output is
not what its text promises ends the tour.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/tutorials/tour.md"
STEPS = ROOT / "scripts/tour.txt"
PATIENCE = 120.0
LONGEST_LINE = 600
VARIABLES = "TOKEN WEBHOOK FIRST JOB LEASE CONFIG ADMIN"
"""What a step may set for those after it."""


class Tour:
    """A shell session: every step runs in one folder, with the variables that steps before it set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {each: str(free_port(int(each))) for each in ("8080", "8081", "9000")}
        path = f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("WAGATE_", "DATABASE_URL"))}
        self.environment = kept | {"PATH": path, "HOME": str(folder)}

    def run(self, command: str) -> str:
        """Run a step; what it printed. Processes that it leaves behind write to files."""
        for name, port in self.ports.items():
            command = command.replace(name, port)
        keep = f"declare -p {VARIABLES} 2>/dev/null > tour.env; true"
        script = f"set -a; . ./tour.env 2>/dev/null; {command}\n{keep}"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return self.shown(done.stdout + done.stderr)

    def shown(self, text: str) -> str:
        for name, port in self.ports.items():
            text = text.replace(port, name)
        text = text.replace(str(self.folder), "~/demo").rstrip("\n")
        return "\n".join(cut(line) for line in text.splitlines())

    def until(self, pattern: str, file: str) -> None:
        """Wait until a file of the folder holds the pattern."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, self.read(file), flags=re.DOTALL):
            if time.monotonic() > deadline:
                raise SystemExit(f"no {pattern!r} in {file} after {PATIENCE:g} s:\n{self.read(file)[-2000:]}")
            time.sleep(0.05)

    def read(self, file: str) -> str:
        path = self.folder / file
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def end(self) -> None:
        """End the processes that the steps started, by the ids they noted."""
        for file in ("phone.pid", "gateway.pid", "receiver.pid"):
            text = self.read(file).strip()
            if text:
                stop(int(text))


def cut(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else line[:LONGEST_LINE] + " …"


def stop(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def free_port(wanted: int) -> int:
    """The port itself when nobody has it, else any free one; the page says the one that is wanted."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise SystemExit("no free port")


def record(tour: Tour, text: str) -> str:
    """The page: prose as it stands; each ``$`` block with its output; lines with @ say what to wait for and expect."""
    page = ["<!-- Made by scripts/tour from scripts/tour.txt: every output is real. -->\n"]
    for block in text.split("\n\n"):
        lines = block.splitlines()
        if not lines[0].startswith(("$ ", "@")):
            page.append(block + "\n")
            continue
        for line in [line for line in lines if line.startswith("@until ")]:
            file, pattern = line.removeprefix("@until ").split(" ", 1)
            tour.until(pattern, file)
        expected = [line.removeprefix("@expect ") for line in lines if line.startswith("@expect ")]
        command = "\n".join(line for line in lines if not line.startswith("@")).removeprefix("$ ")
        output = tour.run(command)
        for pattern in expected:
            if not re.search(pattern, output, flags=re.DOTALL):
                raise SystemExit(f"$ {command}\n{output}\n\nexpected: {pattern}\n\n{tour.read('gateway.log')[-3000:]}")
        page.append("```console\n" + f"$ {command}\n{output}".rstrip() + "\n```\n")
    return "\n".join(page)


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    with tempfile.TemporaryDirectory(prefix="tour") as name:
        folder = Path(name)
        (folder / "receiver.py").write_text((ROOT / "scripts/receiver.py").read_text("utf-8"), "utf-8")
        tour = Tour(folder)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what the steps started ends with us
        try:
            page = record(tour, STEPS.read_text("utf-8").strip())
        finally:
            tour.end()
    target.write_text(page, "utf-8")
    print(f"written: {target}")


if __name__ == "__main__":
    main()
