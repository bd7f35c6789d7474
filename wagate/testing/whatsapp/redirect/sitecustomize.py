"""By PYTHONPATH: whatsmeow's copy of the root key, in the memory of the engine's process, becomes the fake's.

Go keeps it in writable data; no file is changed. Every other process that finds this on its path does nothing.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import Any

REAL = bytes.fromhex("142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b")
"""Public: whatsmeow, handshake.go, WACertPubKey."""
LIBRARY = "neonize-"
ROOT = "WAGATE_FAKE_WHATSAPP_ROOT"
"""Environment variable: the fake's root key in hex."""


def replace_root(new: bytes) -> int:
    """How many copies were replaced."""
    done = 0
    for line in Path("/proc/self/maps").read_text("ascii").splitlines():
        parts = line.split()
        if len(parts) < 6 or LIBRARY not in parts[5] or "rw" not in parts[1]:
            continue
        low, high = (int(each, 16) for each in parts[0].split("-"))
        at = ctypes.string_at(low, high - low).find(REAL)
        if at >= 0:
            ctypes.memmove(low + at, new, len(new))
            done += 1
    return done


class Redirected(ctypes.CDLL):
    """Loads a library, and redirects it when it is whatsmeow."""

    def __init__(self, name: str | None, *arguments: Any, **options: Any) -> None:
        super().__init__(name, *arguments, **options)
        if name and LIBRARY in str(name):
            done = replace_root(bytes.fromhex(os.environ[ROOT]))
            assert done == 1, f"{done} copies of the root key"


if "wagate_whatsapp_child" in sys.orig_argv and ROOT in os.environ:
    ctypes.CDLL = Redirected  # type: ignore[misc]
