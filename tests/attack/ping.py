"""Pings a gateway for each line of stdin, ``port pid``, and says the milliseconds for which its loop was held up.

A process of its own: the one that asks may be the attacker, and compute meanwhile.
"""

from __future__ import annotations

import http.client
import os
import sys
import time
from pathlib import Path


def scheduled(pid: int) -> tuple[float, float]:
    """What a process's first thread has had, in milliseconds: on a processor, and waiting for one, ready to run.

    A call that blocks is neither. Source: Documentation/scheduler/sched-stats.rst of Linux.
    """
    computed, waited, _ = map(int, Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split())
    return computed / 1e6, waited / 1e6


def held_up(port: int, pid: int) -> float:
    """Milliseconds until the answer, without those in which the loop's thread or ours waited for a processor.

    Not less than the loop computed meanwhile. Others' waits count for nothing: a thread that waits beside the loop
    does not keep it from running, unless it has the interpreter's lock.
    """
    began, loop, own = time.monotonic(), scheduled(pid), scheduled(os.getpid())
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/ping")
    response = connection.getresponse()
    assert response.status == 200, response.read()
    connection.close()
    took, loop_now, own_now = time.monotonic() - began, scheduled(pid), scheduled(os.getpid())
    return max(loop_now[0] - loop[0], took * 1000 - (loop_now[1] - loop[1]) - (own_now[1] - own[1]))


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(f"{held_up(*map(int, line.split()))}\n")
        sys.stdout.flush()
