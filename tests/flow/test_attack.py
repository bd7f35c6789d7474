"""The short form of scripts/attack: what strangers do to a real process."""

from __future__ import annotations

import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from tests.attack.__main__ import PARTS, run
from tests.attack.bodies import HELD
from tests.attack.case import Target, pinging, target


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__.rpartition(".")[2])
async def test_the_walls_hold(part: Any) -> None:
    async with target(seed=1, short=True) as attacked:
        for case in part.CASES:
            assert await case.probe(attacked)


SLEEPY = """
import hashlib, http.server, sys, threading, time

FILL = bytes(2**20)

def compute():
    while True:
        hashlib.sha256(FILL)

class Sleepy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        for _ in range(int(sys.argv[1])):
            threading.Thread(target=compute, daemon=True).start()
        time.sleep(1.5)
        self.send_response(200)
        self.end_headers()

with http.server.HTTPServer(("127.0.0.1", 0), Sleepy) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
"""


@pytest.mark.parametrize("attacker", ["waits", "computes", "has threads of the gateway wait"])
async def test_a_loop_that_is_blocked_in_a_call_is_held_up(attacker: str) -> None:
    """It computes nothing meanwhile: a look at its CPU alone would not see it. Nor do others' waits make up for it."""
    threads = "6" if attacker.startswith("has") else "0"
    command = [sys.executable, "-c", SLEEPY, threads]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as sleepy:
        try:
            assert sleepy.stdout is not None
            process: Any = SimpleNamespace(pid=sleepy.pid, port=int(sleepy.stdout.readline()))
            async with pinging() as ping, trio.open_nursery() as nursery:
                if attacker == "computes":
                    nursery.start_soon(compute)
                assert await Target(process, seed=1, short=True, ping=ping).answers() > HELD
        finally:
            sleepy.kill()


async def compute() -> None:
    """For longer than the ping takes, from when it is under way."""
    await trio.sleep(0.1)
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        pass


async def test_a_name_that_no_case_has_is_refused() -> None:
    with pytest.raises(ValueError, match="strangers' bodies"):
        await run(seed=1, short=True, only="bodyes")
