"""A real Redis Cluster of three nodes, of the embedded server's program: its slots are dealt by hand."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise

from redis import Redis
from redis.exceptions import RedisError

from tests.valkey import free_port, start_external

SLOTS = 16384


class Node:
    """One server of a cluster. It keeps who it is when it is started again, and nothing else."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="wgc-")
        self.bus = free_port()
        self.port: int | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.start()
        self.client = Redis(port=self.port or 0, socket_timeout=30, decode_responses=True)
        self.id: str = self.client.execute_command("CLUSTER MYID")

    def start(self) -> None:
        """Start it, at the same place if it was there before."""
        settings = ["--cluster-enabled", "yes", "--cluster-port", str(self.bus), "--cluster-node-timeout", "2000"]
        # Else one node that is away stops all.
        settings += ["--cluster-require-full-coverage", "no", "--maxmemory-policy", "noeviction"]
        self.process, self.port = start_external(self.folder, tuple(settings), self.port)

    def kill(self) -> None:
        """SIGKILL: what it held is gone, for it writes nothing down but its place among the others."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.client.close()
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def valkey_cluster(nodes: int = 3) -> Iterator[tuple[str, list[Node]]]:
    """The URL, of one node alone, and the nodes."""
    with ExitStack() as stack:
        made: list[Node] = []
        for _ in range(nodes):
            made.append(Node())
            stack.callback(made[-1].close)
        for node, (first, after) in zip(made, pairwise(SLOTS * n // nodes for n in range(nodes + 1)), strict=True):
            node.client.execute_command("CLUSTER ADDSLOTSRANGE", first, after - 1)
        for other in made[1:]:
            made[0].client.execute_command("CLUSTER MEET", "127.0.0.1", other.port, other.bus)
        until_whole(made)
        yield f"redis+cluster://127.0.0.1:{made[0].port}", made


def until_whole(nodes: list[Node]) -> None:
    """Wait until each node knows who has which slot."""
    deadline = time.monotonic() + 60
    while not all(_knows_all(node, nodes) for node in nodes):
        assert time.monotonic() < deadline, "the nodes did not find each other"
        time.sleep(0.02)


def _knows_all(node: Node, nodes: list[Node]) -> bool:
    try:
        info = node.client.execute_command("CLUSTER INFO")
        ranges = node.client.execute_command("CLUSTER SLOTS")
    except RedisError:
        return False
    return info["cluster_state"] == "ok" and {each[2][2] for each in ranges} == {each.id for each in nodes}
