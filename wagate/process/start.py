"""``python -m wagate.process.start [CONFIG [PLUGIN …]]``: the gateway, without libraries that it would never use."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from wagate.config import load
from wagate.errors import WagateError


def main(arguments: list[str]) -> int:
    """Serve; the exit code. ``arguments``: the configuration file (empty: the default), then plugins to leave out."""
    file, *without = arguments or [""]
    path = Path(file) if file else None
    for name in unused(path):
        # The documented way to say that a module is not there; those who ask for it can do without.
        sys.modules[name] = None  # type: ignore[assignment]
    code: int = import_module("wagate.process.app").run(path, without)
    return code


def unused(path: Path | None) -> list[str]:
    """Modules that structlog (tracebacks on a terminal) and peewee (every database it finds) would load in vain."""
    try:
        postgres = bool(load(path).database.url)
    except WagateError:
        postgres = True  # `wagate.process.app.run` says what is wrong.
    return ["rich"] if postgres else ["rich", "psycopg", "psycopg2"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
