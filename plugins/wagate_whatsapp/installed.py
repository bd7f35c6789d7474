"""Whether the engine is there: the package neonize, which brings whatsmeow as a shared library."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from wagate.errors import NotInstalledError

PACKAGE = "neonize"
LEAST = (0, 5, 2)
"""Older wheels lack functions that are used, or download a binary when they are imported."""
LEAST_GLIBC = (2, 34)
"""What the wheel's library asks for, though its name says manylinux2014 (`objdump -T`: pthread_create@GLIBC_2.34)."""
INSTALL = 'pip install "wagate[whatsapp]"'


def check_installed() -> str:
    """The package's version. NotInstalledError says what is missing, and the cure."""
    try:
        found = version(PACKAGE)
    except PackageNotFoundError as error:
        raise NotInstalledError(f"its engine is not installed: {INSTALL}, then restart wagate") from error
    if numbers(found) < LEAST:
        least = ".".join(map(str, LEAST))
        raise NotInstalledError(f"{PACKAGE} {found} is too old, {least} is needed: {INSTALL} --upgrade")
    libc = glibc()
    if libc == ():
        raise NotInstalledError("its engine needs glibc, and this system has another C library (Alpine's musl?)")
    if libc is not None and libc < LEAST_GLIBC:
        raise NotInstalledError(
            f"its engine needs glibc 2.34, and this system has {libc[0]}.{libc[1]}: Debian 12, Ubuntu 22.04 or newer"
        )
    return found


def glibc() -> tuple[int, ...] | None:
    """The C library's version; () when it is another one; None where there is none such (macOS)."""
    if os.uname().sysname != "Linux":
        return None
    try:
        told = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return ()
    return numbers(told.removeprefix("glibc ")) if told.startswith("glibc ") else ()


def numbers(text: str) -> tuple[int, ...]:
    """``0.5.2.post1`` → (0, 5, 2)."""
    return tuple(int(each) for each in re.findall(r"\d+", text.partition(".post")[0])[:3])


def age_in_days(now: datetime) -> int | None:
    """How long ago the package was installed: it is at least as old. None when that is not known."""
    files = distribution(PACKAGE).files or []
    record = next((Path(str(each.locate())) for each in files if each.name == "WHEEL"), None)
    if record is None or not record.exists():
        return None
    return (now - datetime.fromtimestamp(record.stat().st_mtime, UTC)).days
