"""The short form of scripts/attack: what strangers do to a real process."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from tests.attack.__main__ import PARTS, run
from tests.attack.bodies import HELD
from tests.attack.case import Target, target


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__.rpartition(".")[2])
async def test_the_walls_hold(part: Any) -> None:
    async with target(seed=1, short=True) as attacked:
        for case in part.CASES:
            assert await case.probe(attacked)


SLEEPY = """
import http.server, time

class Sleepy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(1.5)
        self.send_response(200)
        self.end_headers()

with http.server.HTTPServer(("127.0.0.1", 0), Sleepy) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
"""


async def test_a_loop_that_is_blocked_in_a_call_is_held_up() -> None:
    """It computes nothing meanwhile: a look at its CPU alone would not see it."""
    with subprocess.Popen([sys.executable, "-c", SLEEPY], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as sleepy:
        try:
            assert sleepy.stdout is not None
            url = f"http://127.0.0.1:{int(sleepy.stdout.readline())}"
            async with httpx2.AsyncClient(base_url=url, timeout=60, trust_env=False) as http:
                process: Any = SimpleNamespace(pid=sleepy.pid, http=http)
                assert await Target(process, seed=1, short=True).answers() > HELD
        finally:
            sleepy.kill()


async def test_a_name_that_no_case_has_is_refused() -> None:
    with pytest.raises(ValueError, match="strangers' bodies"):
        await run(seed=1, short=True, only="bodyes")
