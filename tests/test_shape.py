"""The rules of form that no linter knows: sizes, names, where imports may stand."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
VAGUE = re.compile(r"_*(utils?|helpers?|common|misc|managers?|services?)")
VAGUE_CLASS = re.compile(r".*(Manager|Service)")

LAZY_IMPORTS = {
    "wagate/cli/": "a command must not pay for what the other commands import",
    "wagate/pytest_plugin.py": "pytest loads it in every run where wagate is installed",
}
"""Where a function may import, and why."""

Rule = Callable[[str, ast.Module], Iterator[str]]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def length(function: Function) -> int:
    """Lines from ``def`` to the end, without the docstring."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        lines -= (docstring.end_lineno or 0) - docstring.lineno + 1
    return lines


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def long_functions(_path: str, tree: ast.Module) -> Iterator[str]:
    return (
        f"{function.lineno}: {function.name} has {length(function)} lines"
        for function in functions(tree)
        if length(function) > LONGEST_FUNCTION
    )


def vague_names(path: str, tree: ast.Module) -> Iterator[str]:
    for part in Path(path).with_suffix("").parts:
        if VAGUE.fullmatch(part):
            yield f"1: {part} says nothing"
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and VAGUE_CLASS.fullmatch(node.name):
            yield f"{node.lineno}: class {node.name} says nothing"


def relative_imports(_path: str, tree: ast.Module) -> Iterator[str]:
    return (f"{line}: imports {name}" for line, name in imported(tree) if name.startswith("."))


def hidden_imports(path: str, tree: ast.Module) -> Iterator[str]:
    if not path.startswith(tuple(LAZY_IMPORTS)):
        for function in functions(tree):
            yield from (f"{line}: {function.name} imports {name}" for line, name in imported(function))


def foreign_loops(_path: str, tree: ast.Module) -> Iterator[str]:
    return (f"{line}: imports {name}" for line, name in imported(tree) if name.split(".")[0] in {"asyncio", "anyio"})


def prints(path: str, tree: ast.Module) -> Iterator[str]:
    if path.startswith("wagate/") and not path.startswith("wagate/cli/"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                yield f"{node.lineno}: prints"


RULES: list[Rule] = [long_functions, vague_names, relative_imports, hidden_imports, foreign_loops, prints]


def sources(*folders: str, suffixes: tuple[str, ...] = (".py",)) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*")) if path.suffix in suffixes]
    return [path for path in found if "__pycache__" not in path.parts]


@cache
def trees() -> dict[str, ast.Module]:
    """Every module of the product, by its path."""
    paths = sources("wagate", "plugins")
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8"), str(path)) for path in paths}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_code_has_no(rule: Rule) -> None:
    assert trees()
    offenders = [f"{path}:{offence}" for path, tree in trees().items() for offence in rule(path, tree)]
    assert not offenders, "\n".join(offenders)


def test_no_file_is_longer_than_one_idea() -> None:
    lengths = {
        path: len(path.read_text("utf-8").splitlines()) for path in sources("wagate", "plugins", "tests", "scripts")
    }
    offenders = [f"{path.relative_to(ROOT)}: {lines} lines" for path, lines in lengths.items() if lines > LONGEST_FILE]
    assert not offenders, "\n".join(offenders)


def test_every_sql_and_lua_file_says_what_it_is() -> None:
    paths = sources("wagate", "plugins", suffixes=(".lua", ".sql"))
    offenders = [
        str(path.relative_to(ROOT)) for path in paths if not re.match(r"\s*(--|/\*)\W*\w", path.read_text("utf-8"))
    ]
    assert not offenders, "\n".join(offenders)


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (long_functions, "wagate/a.py", "def long():\n" + "    pass\n" * LONGEST_FUNCTION),
        (vague_names, "wagate/utils/a.py", ""),
        (vague_names, "wagate/_helpers.py", ""),
        (vague_names, "wagate/a.py", "class QueueManager: ..."),
        (relative_imports, "wagate/a.py", "from . import b"),
        (hidden_imports, "wagate/a.py", "async def late():\n    import json"),
        (foreign_loops, "wagate/a.py", "from asyncio.events import get_event_loop"),
        (prints, "wagate/a.py", "print('here')"),
    ],
)
def test_the_rule_catches_an_offender(rule: Rule, path: str, source: str) -> None:
    assert len(list(rule(path, ast.parse(source)))) == 1


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (long_functions, "wagate/a.py", 'def short():\n    """' + "\n" * 99 + '    """\n' + "    pass\n" * 59),
        (vague_names, "wagate/commons.py", "class Managed: ..."),
        (hidden_imports, "wagate/cli/a.py", "def late():\n    import json"),
        (prints, "wagate/cli/a.py", "print('here')"),
        (prints, "plugins/a.py", "log.print('here')"),
    ],
)
def test_the_rule_leaves_the_innocent_alone(rule: Rule, path: str, source: str) -> None:
    assert not list(rule(path, ast.parse(source)))
