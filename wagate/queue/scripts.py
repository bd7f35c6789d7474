"""The Lua scripts: each is its own file, with the key layout on top."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources

import msgspec


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """One atomic operation."""

    name: str
    text: str
    sha: str


@cache
def script(name: str) -> Script:
    """Read ``lua/<name>.lua``. Raises FileNotFoundError."""
    folder = resources.files("wagate.queue") / "lua"
    text = "\n".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in ("layout", name))
    sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()  # what EVALSHA names a script by
    return Script(name=name, text=text, sha=sha)
