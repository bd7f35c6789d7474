"""What of wagate a plugin may import: one list for the reference pages, the linter and ``wagate plugins check``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

PACKAGES: Final = ("wagate.hooks", "wagate.events", "wagate.parsing", "wagate.testing")
"""Public with every module in them that is not in `PRIVATE`."""
MODULES: Final = ("wagate.clock", "wagate.errors", "wagate.http", "wagate.http.errors", "wagate.http.signing")
"""Public by themselves."""
PRIVATE: Final = (
    "wagate.hooks.ending",
    "wagate.hooks.public",
    "wagate.hooks.specs",
    "wagate.parsing.cut",
    "wagate.parsing.protobuf_menus",
    "wagate.parsing.split",
    "wagate.testing.chatwoot",
    "wagate.testing.database",
    "wagate.testing.multipart",
    "wagate.testing.providers",
    "wagate.testing.whatsapp",
)
"""Modules of those packages, with all below them, that are no part of the plugin API: the core's own."""


def is_public(module: str) -> bool:
    """Whether ``wagate.hooks.views`` may be imported; of other packages than wagate nothing is said."""
    if _is_in(module, PRIVATE):
        return False
    return module.partition(".")[0] != "wagate" or _is_in(module, PACKAGES) or module in MODULES


def _is_in(module: str, packages: tuple[str, ...]) -> bool:
    return module in packages or module.startswith(tuple(f"{each}." for each in packages))


def private_imports(source: str) -> Iterator[tuple[int, str]]:
    """(line, module) of each import that may change with any version of wagate. SyntaxError."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                names = [alias.name for alias in node.names]
            case ast.ImportFrom(module="wagate", level=0):
                names = [f"wagate.{alias.name}" for alias in node.names]
            case ast.ImportFrom(module=str(module), level=0) if is_public(module):
                inner = (f"{module}.{alias.name}" for alias in node.names)
                names = [each for each in inner if _is_in(each, PRIVATE)]
            case ast.ImportFrom(module=str(module), level=0):
                names = [module]
            case _:
                continue
        yield from ((node.lineno, name) for name in names if not is_public(name))
