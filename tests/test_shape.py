"""The rules of form that no linter knows: sizes, names, where imports may stand."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file, read once: all that the rules ask for."""

    path: str
    functions: list[Function]
    classes: list[ast.ClassDef]
    imports: list[tuple[int, str, str]]
    """Line, module, and the innermost function that it stands in, or ''."""
    prints: list[int]
    """Lines of calls of ``print``."""


Rule = Callable[[Module], Iterator[str]]


def module(path: str, source: str) -> Module:
    made = Module(path, [], [], [], [])
    tree = ast.parse(source, path)
    note(made, tree.body, "")
    if re.search(r"\bprint\b", source):
        calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
        made.prints.extend(call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print")
    return made


def note(made: Module, statements: list[ast.stmt], within: str) -> None:
    """Statements, and those in them: what is asked for is never part of an expression, which are most of a tree."""
    for each in statements:
        name = within
        match each:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                made.functions.append(each)
                name = each.name
            case ast.ClassDef():
                made.classes.append(each)
            case ast.Import():
                made.imports.extend((each.lineno, alias.name, within) for alias in each.names)
            case ast.ImportFrom():
                made.imports.append((each.lineno, "." * each.level + (each.module or ""), within))
        for part in (each, *getattr(each, "handlers", ()), *getattr(each, "cases", ())):
            for block in ("body", "orelse", "finalbody"):
                note(made, getattr(part, block, []), name)


def length(function: Function) -> int:
    """Lines from ``def`` to the end, without the docstring."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        docstring = function.body[0]
        lines -= (docstring.end_lineno or 0) - docstring.lineno + 1
    return lines


def long_functions(made: Module) -> Iterator[str]:
    return (
        f"{function.lineno}: {function.name} has {length(function)} lines"
        for function in made.functions
        if length(function) > LONGEST_FUNCTION
    )


def vague_names(made: Module) -> Iterator[str]:
    for part in Path(made.path).with_suffix("").parts:
        if VAGUE.fullmatch(part):
            yield f"1: {part} says nothing"
    for node in made.classes:
        if VAGUE_CLASS.fullmatch(node.name):
            yield f"{node.lineno}: class {node.name} says nothing"


def relative_imports(made: Module) -> Iterator[str]:
    return (f"{line}: imports {name}" for line, name, _ in made.imports if name.startswith("."))


def hidden_imports(made: Module) -> Iterator[str]:
    if not made.path.startswith(tuple(LAZY_IMPORTS)):
        yield from (f"{line}: {within} imports {name}" for line, name, within in made.imports if within)


def foreign_loops(made: Module) -> Iterator[str]:
    return (f"{line}: imports {name}" for line, name, _ in made.imports if name.split(".")[0] in {"asyncio", "anyio"})


def prints(made: Module) -> Iterator[str]:
    if made.path.startswith("wagate/") and not made.path.startswith("wagate/cli/"):
        yield from (f"{line}: prints" for line in made.prints)


RULES: list[Rule] = [long_functions, vague_names, relative_imports, hidden_imports, foreign_loops, prints]


def sources(*folders: str, suffixes: tuple[str, ...] = (".py",)) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*")) if path.suffix in suffixes]
    return [path for path in found if "__pycache__" not in path.parts]


@cache
def modules() -> list[Module]:
    """Every one of the product."""
    return [module(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in sources("wagate", "plugins")]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_code_has_no(rule: Rule) -> None:
    assert modules()
    offenders = [f"{each.path}:{offence}" for each in modules() for offence in rule(each)]
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
        (hidden_imports, "wagate/a.py", "class A:\n  def late(self):\n    try: ...\n    except OSError: import json"),
        (
            hidden_imports,
            "wagate/a.py",
            "def late(a):\n  match a:\n    case 1:\n      while a: ...\n      else: import b",
        ),
        (foreign_loops, "wagate/a.py", "from asyncio.events import get_event_loop"),
        (prints, "wagate/a.py", "print('here')"),
        (prints, "wagate/a.py", "late = lambda: print ('here')"),
    ],
)
def test_the_rule_catches_an_offender(rule: Rule, path: str, source: str) -> None:
    assert len(list(rule(module(path, source)))) == 1


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
    assert not list(rule(module(path, source)))
