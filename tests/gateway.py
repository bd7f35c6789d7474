"""The gateway as a real process: start it, talk to it, kill it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import trio

from tests.forked import fork
from tests.valkey import free_port
from wagate.testing import gateway as kit
from wagate.testing.database import put_database
from wagate.testing.gateway import TOKEN, Tables

__all__ = ["LISTENS", "TOKEN", "GatewayProcess", "gateway", "ours", "register", "toml"]

LISTENS = re.compile(r"https?://127\.0\.0\.1:(\d+)")


class GatewayProcess:
    """One ``wagate serve`` on a folder of its own; the folder outlives the process."""

    forks: ClassVar = False
    """Whether it is a fork of a process that has loaded everything, as in tests, in place of one as people start it."""

    def __init__(self, folder: Path, tables: Mapping[str, Mapping[str, Any]], environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = folder / "config.toml"
        self.config.write_text(toml(self.port, tables))
        self.environment = {**os.environ, **environment}
        self.constants: dict[str, float] = {}
        """Of forks: see `fork`."""
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "log.txt"
        self.http = self.client()

    def client(self, token: str = TOKEN) -> httpx2.AsyncClient:
        """Asks it with this token."""
        headers = {"Authorization": f"Bearer {token}"}
        return httpx2.AsyncClient(
            base_url=self.url, headers=headers, timeout=60, trust_env=False, verify=False, limits=kit.LIMITS
        )

    async def start(self, *, wait: float = 60.0) -> None:
        """Start it and wait until it answers."""
        process = self.spawn()
        with trio.fail_after(wait):
            while not await self.answers():
                assert process.poll() is None, self.tail()
                await trio.sleep(0.02)

    def spawn(self, *, terminal: int | None = None) -> subprocess.Popen[bytes]:
        """Start what ``wagate serve`` turns into, and wait for nothing; ``terminal`` is its standard input."""
        with self.log.open("ab") as log:
            if self.forks:
                if not (self.folder / "data").exists():
                    put_database(self.folder / "data")
                streams = (terminal, log.fileno(), log.fileno())
                self.process = fork(
                    [str(self.config)], self.environment, self.folder, streams, constants=self.constants
                )
                return self.process
            command = [sys.executable, "-m", "wagate.process.start", str(self.config)]
            self.process = subprocess.Popen(
                command, stdin=terminal, stdout=log, stderr=log, env=self.environment, cwd=self.folder
            )
        return self.process

    async def answers(self) -> bool:
        """Whether something listens on its port."""
        try:
            stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        except OSError:
            return False
        await stream.aclose()
        return True

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def kill_valkey(self) -> None:
        """SIGKILL its embedded Valkey, whether the gateway lives or not, and wait until it is gone."""
        pid = self.valkey_pid
        # The pid file outlives the server: by now the number may be somebody else's.
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            while pid is not None and str(self.folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
                time.sleep(0.001)

    async def stop(self, *, wait: float = 60.0) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        with trio.fail_after(wait):
            return await trio.to_thread.run_sync(self.process.wait, abandon_on_cancel=True)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.process is not None
        return self.process.pid

    @property
    def valkey_pid(self) -> int | None:
        """Process id of the embedded Valkey, from its pid file."""
        with contextlib.suppress(FileNotFoundError, ValueError):  # It is not there, or just being written.
            return int((self.folder / "data/valkey/valkey.pid").read_text())
        return None

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Its log lines of one kind."""
        found: list[dict[str, Any]] = []
        for text in self.log.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError):  # Not by us, cut off by a kill, or just being written.
                line = json.loads(text)
                if line["event"] == event:
                    found.append(line)
        return found

    def tail(self, lines: int = 40) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    async def close(self) -> None:
        """End it, whatever state it is in, with its Valkey."""
        await self.http.aclose()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            with trio.move_on_after(25, shield=True):
                await trio.to_thread.run_sync(self.process.wait, abandon_on_cancel=True)
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        self.kill_valkey()


async def register(server: GatewayProcess, url: str) -> None:
    """A webhook for everything that comes in for the client ``default``."""
    answer = await server.http.post("/api/webhooks/register", json={"phone_number": "*", "webhook_url": url})
    assert answer.status_code == 201, answer.text


def toml(port: int, tables: Tables) -> str:
    """A configuration for our tests, with these tables on top."""
    return kit.toml(port, ours(tables))


def ours(tables: Tables) -> dict[str, Mapping[str, Any]]:
    """With jobs, and without plain http: our receivers speak https."""
    return {"plugins.n8n": {}, **tables, "delivery": {"allow_http": False, **tables.get("delivery", {})}}


@asynccontextmanager
async def gateway(
    tables: Mapping[str, Mapping[str, Any]] | None = None, *, ca_file: Path | None = None, start: bool = True
) -> AsyncIterator[GatewayProcess]:
    """A gateway process in a temporary folder, ended at the end. ``ca_file`` is trusted for https receivers."""
    environment = {"SSL_CERT_FILE": str(ca_file)} if ca_file else {}
    with tempfile.TemporaryDirectory(prefix="wg") as folder:
        process = GatewayProcess(Path(folder), tables or {}, environment)
        try:
            if start:
                await process.start()
            yield process
        finally:
            with trio.CancelScope(shield=True):
                await process.close()
