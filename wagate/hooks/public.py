"""What of wagate a plugin may import: one list for the reference pages, the linter and ``wagate plugins check``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

PACKAGES: Final = ("wagate.hooks", "wagate.events", "wagate.parsing", "wagate.testing")
"""Public with every module in them."""
MODULES: Final = ("wagate.clock", "wagate.errors", "wagate.http", "wagate.http.errors", "wagate.http.signing")
"""Public by themselves."""


def is_public(module: str) -> bool:
    """Whether ``wagate.hooks.views`` may be imported; of other packages than wagate nothing is said."""
    inside = module.startswith(tuple(f"{each}." for each in PACKAGES))
    return module.partition(".")[0] != "wagate" or inside or module in {*MODULES, *PACKAGES}


def private_imports(source: str) -> Iterator[tuple[int, str]]:
    """(line, module) of each import that may change with any version of wagate. SyntaxError."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                names = [alias.name for alias in node.names]
            case ast.ImportFrom(module="wagate", level=0):
                names = [f"wagate.{alias.name}" for alias in node.names]
            case ast.ImportFrom(module=str(module), level=0):
                names = [module]
            case _:
                continue
        yield from ((node.lineno, name) for name in names if not is_public(name))
