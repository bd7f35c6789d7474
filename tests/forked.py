"""Gateways and commands of tests as forks of a process that has loaded everything: a start without loading modules.

Loading modules is three quarters of what a start costs (0.7 of 0.9 s of CPU), and tests start hundreds. A fork runs
`wagate.process.start.main`, or `wagate.cli.main`, as a fresh process does: same arguments, environment, folder and
standard streams.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any


class Fork(subprocess.Popen[bytes]):
    """A process that another one forked for us, with the interface of Popen."""

    def __init__(self, pid: int, ended: socket.socket, args: Sequence[str]) -> None:
        # Popen's own makes a process.
        self.pid = pid
        self.args = list(args)
        self.stdin = self.stdout = self.stderr = None
        self.returncode: int | None = None
        self._ended = ended

    def __del__(self) -> None:
        self._ended.close()

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self._read(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; its exit code."""
        code = self._read(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return code

    def send_signal(self, sig: int) -> None:
        """Unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def _read(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            self._ended.settimeout(timeout)
            try:
                said = self._ended.recv(16, socket.MSG_PEEK)  # as often as it is asked, by whichever thread
            except (BlockingIOError, TimeoutError):
                return None
            self.returncode = int(said or -signal.SIGKILL)
        return self.returncode


def fork(
    args: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    streams: tuple[int | None, int, int],
    *,
    kind: str = "gateway",
    constants: Mapping[str, float] | None = None,
) -> Fork:
    """A gateway with these arguments, as `python -m wagate.process.start` would start it, or a command of `wagate`.

    ``streams``: its standard input (None: ours), output and errors. ``kind`` is of `KINDS`.
    ``constants``: how much of what it has in its modules, by the whole name: what would take long takes a moment.
    """
    stdin, output, errors = streams
    ours, theirs = socket.socketpair()
    with theirs:
        asked = {"args": list(args), "environment": dict(environment), "folder": str(folder)}
        request = json.dumps({**asked, "constants": dict(constants or {})}).encode()
        nursery = _nursery(kind)
        nursery.sendall(len(request).to_bytes(4, "big"))
        socket.send_fds(nursery, [request[:1]], [theirs.fileno(), 0 if stdin is None else stdin, output, errors])
        nursery.sendall(request[1:])
        pid = int.from_bytes(_exactly(nursery, 4), "big")
    return Fork(pid, ours, args)


@cache
def _nursery(kind: str) -> socket.socket:
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-m", "tests.forked", str(theirs.fileno()), kind]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=Path(__file__).parents[1])

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _exactly(stream: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = stream.recv(count - len(found))
        if not part:
            raise EOFError
        found += part
    return found


# What follows runs in the process that forks.


def _serve(requests: socket.socket, kind: str) -> None:
    """Fork what is asked for, and say how each has ended, until nobody asks any more."""
    main = KINDS[kind]()
    gc.freeze()
    wake, woken = socket.socketpair()
    wake.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which end their gateways.
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    running: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as ready:
        ready.register(requests, selectors.EVENT_READ)
        ready.register(woken, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is woken:
                    woken.recv(64)
                    _bury(running)
                    continue
                try:
                    size = int.from_bytes(_exactly(requests, 4), "big")
                except EOFError:
                    return
                first, streams, _, _ = socket.recv_fds(requests, 1, 4)
                request = json.loads(first + _exactly(requests, size - 1))
                pid = os.fork()
                if not pid:
                    ready.close()
                    _become(request, streams, [requests, wake, woken, *running.values()])
                    sys.exit(main(request["args"]))
                running[pid] = socket.socket(fileno=streams[0])
                for stream in streams[1:]:
                    os.close(stream)
                requests.sendall(pid.to_bytes(4, "big"))


def _gateway() -> Main:
    sys.modules["rich"] = None  # type: ignore[assignment]  # as `main` has it for every gateway
    gc.set_threshold(*import_module("wagate.process.app").GC_THRESHOLDS)  # as it has itself once it serves
    for group in ("wagate", "wagate.providers"):
        for each in entry_points(group=group):
            each.load()
    return import_module("wagate.process.start").main  # type: ignore[no-any-return]


def _command() -> Main:
    commands = import_module("wagate.cli")
    for each in pkgutil.walk_packages(commands.__path__, "wagate.cli."):
        import_module(each.name)
    for name in ("httpx2", "trio", "wagate.http.client", "wagate.plugins.loader"):
        import_module(name)
    with suppress(ImportError):  # what typer asks with the first argument, and what takes four fifths of a command
        import_module("typer._adapters")
    return lambda _args: commands.main()


Main = Callable[[list[str]], Any]
KINDS = {"gateway": _gateway, "command": _command}
"""What loads all that a kind of process needs, and gives what runs it."""


def _bury(running: dict[int, socket.socket]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with running.pop(pid) as ended:
            try:
                ended.sendall(str(os.waitstatus_to_exitcode(status)).encode())
            except OSError:
                continue  # Nobody wants to know.


def _become(request: dict[str, Any], streams: list[int], others: list[socket.socket]) -> None:
    signal.set_wakeup_fd(-1)
    for sign, usual in ((signal.SIGCHLD, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
        signal.signal(sign, usual)
    for each in others:
        each.close()
    for stream, source in enumerate(streams[1:]):
        os.dup2(source, stream)
    for stream in streams:
        os.close(stream)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.argv = [sys.argv[0], *request["args"]]
    paths = request["environment"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [request["folder"], *filter(None, paths)]
    for whole, value in request["constants"].items():
        module, _, name = whole.rpartition(".")
        found = import_module(module)
        assert hasattr(found, name), whole
        setattr(found, name, value)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
