"""Memory goes back to the system after large bodies, and nothing is done for small ones."""

from __future__ import annotations

import subprocess
import sys

import pytest

from wagate.process.maintenance import ENOUGH, Heap
from wagate.web.http.bodies import Bodies


async def test_it_is_trimmed_once_for_many_bytes_that_have_passed() -> None:
    bodies = Bodies(ENOUGH * 10)
    heap = Heap(bodies)
    for size in (1000, ENOUGH // 2):
        with bodies.hold() as held:
            held.take(size)
        await heap.look()
    assert heap.trims == 0
    with bodies.hold() as held:
        held.take(ENOUGH)
    await heap.look()
    await heap.look()
    assert heap.trims == 1


ALONE = """
from pathlib import Path
from wagate.process.maintenance import trim

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

kept, let_go = [], []
for number in range(1500):
    let_go.append(bytes(60_000))
    if number % 5 == 0:
        kept.append(bytes(3000))
let_go.clear()
before = resident()
trim()
print(before - resident())
"""
"""What else a process holds decides how much can go back, so that it is looked at in one of its own."""


@pytest.mark.skipif(sys.platform != "linux", reason="malloc_trim is glibc's")
def test_what_lies_between_kept_pieces_goes_back() -> None:
    said = subprocess.run([sys.executable, "-c", ALONE], check=True, capture_output=True, text=True)
    assert int(said.stdout) > 20 * 1024**2


THREADS = """
import ctypes, sys, threading
from wagate.process.maintenance import keep_one_heap

if sys.argv[1] == "one":
    keep_one_heap()
together = threading.Barrier(8)

def work():
    together.wait()
    kept = [bytearray(60_000) for _ in range(200)]
    together.wait()

threads = [threading.Thread(target=work) for _ in range(8)]
for each in threads:
    each.start()
for each in threads:
    each.join()
ctypes.CDLL(None).malloc_stats()
"""
"""``malloc_stats`` tells of each arena, on standard error."""


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt's arenas are glibc's")
def test_threads_share_one_heap() -> None:
    arenas = {}
    for how in ("one", "many"):
        said = subprocess.run([sys.executable, "-c", THREADS, how], check=True, capture_output=True, text=True)
        arenas[how] = said.stderr.count("Arena ")
    assert arenas["one"] == 1 < arenas["many"]
