"""What the sources say about a struct's fields: the string under each one."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import msgspec.inspect


def field_docs(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Field (as it is called in JSON) → its text, inherited ones included. Empty when there are no sources."""
    found: dict[str, str] = {}
    kind = getattr(kind, "__origin__", kind)  # Page[DeliveryAnswer] → Page
    for each in reversed(kind.__mro__):
        if each is not msgspec.Struct and issubclass(each, msgspec.Struct):
            found |= _own(each)
    return {name: found[field] for field, name in _names(kind) if field in found}


def _names(kind: type[msgspec.Struct]) -> list[tuple[str, str]]:
    return list(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))


def _own(kind: type[msgspec.Struct]) -> dict[str, str]:
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return _texts(file).get(kind.__qualname__, {}) if file else {}


@lru_cache(500)
def _texts(file: str) -> dict[str, dict[str, str]]:
    """The fields' texts of each class of a file: read once, since Python's own way reads all of it for each class."""
    try:
        tree = ast.parse(Path(file).read_text("utf-8"))
    except (OSError, ValueError, SyntaxError):
        return {}
    return dict(_classes(tree, ""))


def _classes(tree: ast.AST, prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield f"{prefix}{node.name}", _fields(node)
            yield from _classes(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _classes(node, f"{prefix}{node.name}.<locals>.")
        elif isinstance(node, ast.If | ast.Try | ast.With):
            yield from _classes(node, prefix)


def _fields(node: ast.ClassDef) -> dict[str, str]:
    found: dict[str, str] = {}
    for field, text in zip(node.body, node.body[1:], strict=False):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(doc))):
                found[name] = re.sub(r"\s+", " ", doc).strip()
    return found


def structs_in(kinds: Iterable[type[msgspec.Struct]]) -> list[type[msgspec.Struct]]:
    """These structs and all that their fields hold, each once."""
    found: dict[type[msgspec.Struct], None] = {}
    waiting: list[Any] = list(msgspec.inspect.multi_type_info(kinds))
    while waiting:
        info = waiting.pop(0)
        if isinstance(info, msgspec.inspect.StructType) and info.cls not in found:
            found[info.cls] = None
            waiting += [field.type for field in info.fields]
        for part in ("type", "item_type", "key_type", "value_type", "types", "item_types"):
            given = getattr(info, part, ())
            waiting += given if isinstance(given, tuple) else [given]
    return list(found)
