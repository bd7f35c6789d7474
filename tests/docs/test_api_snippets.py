"""The code on the reference pages of the plugin API is Python as it stands, and says what the real thing takes."""

from __future__ import annotations
import __future__

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import get_type_hints

import pytest

from scripts.api_pages import SHOWN_ELSEWHERE
from wagate import http
from wagate.hooks import specs
from wagate.hooks.public import is_public, private_imports

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs/reference"
PAGES = sorted(each.name for each in (REFERENCE / "plugin-api").glob("*.md") if each.name != "README.md")
LATER = __future__.annotations.compiler_flag
"""Annotations are not run, as in the modules themselves: what they name may be imported for types alone."""
MOVED = {
    place: tuple(f"wagate.{module}" for module, shown in SHOWN_ELSEWHERE.items() if shown == place)
    for place in SHOWN_ELSEWHERE.values()
}
"""Heading → the modules that it may stand for."""


def snippets(text: str) -> Iterator[tuple[str, str]]:
    """(module that the heading above names, code)."""
    module = ""
    for heading, code in re.findall(r"^## ([^\n]+)$|^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        module = heading or module
        if code:
            yield module, code


def run(code: str, page: str, made: dict[str, object]) -> None:
    """Run it after what stands above it on the page; the first code of a page makes annotations no names to look up."""
    exec(compile(code, page, "exec", flags=LATER, dont_inherit=True), made)


def runs_as_it_stands(page: Path) -> None:
    """All code of a page as one script, by which nobody has given it anything."""
    script = "\n".join(code for _, code in snippets(page.read_text("utf-8")))
    assert script.startswith("from __future__ import annotations\n")
    exec(compile(script, page.name, "exec", dont_inherit=True), {"__name__": page.stem})


def first_name(code: str) -> str:
    """What it defines."""
    match ast.parse(code).body[0]:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name
    raise AssertionError(code)


def is_of(module: ModuleType, name: str) -> bool:
    """Whether it is defined there, not imported."""
    return re.search(rf"^(async def |def |class )?{name}\b", inspect.getsource(module), re.MULTILINE) is not None


def same_arguments(made: object, real: object) -> bool:
    """Whether a function, or a constructor, takes what the real one takes; of all else only its name is known."""
    if inspect.isclass(real) and inspect.isfunction(vars(real).get("__init__")) and not is_dataclass(real):
        made, real = vars(made).get("__init__"), vars(real)["__init__"]
    if not inspect.isfunction(real):
        return True
    return inspect.isfunction(made) and list(inspect.signature(made).parameters) == list(
        inspect.signature(real).parameters
    )


@pytest.mark.parametrize("page", PAGES)
def test_each_snippet_of_the_plugin_api_runs_and_defines_what_is_there(page: str) -> None:
    path = REFERENCE / "plugin-api" / page
    (_, first), *found = snippets(path.read_text("utf-8"))
    runs_as_it_stands(path)
    made: dict[str, object] = {}
    run(first, page, made)
    assert found
    for heading, code in found:
        modules = [importlib.import_module(each) for each in MOVED.get(heading, (heading,))]
        name = first_name(code)
        module = next(each for each in modules if is_of(each, name))
        run(code, page, made)
        assert same_arguments(made[name], getattr(module, name)), code


def test_each_snippet_of_the_hooks_runs_and_takes_what_the_hook_takes() -> None:
    (_, first), *found = snippets((REFERENCE / "hooks.md").read_text("utf-8"))
    runs_as_it_stands(REFERENCE / "hooks.md")
    assert len(found) > 10
    made: dict[str, object] = {}
    run(first, "hooks.md", made)
    for heading, code in found:
        run(code, "hooks.md", made)
        real = list(inspect.signature(getattr(specs.Hooks, heading)).parameters)
        assert ["self", *inspect.signature(made[heading]).parameters] == real  # type: ignore[arg-type]


def test_constructors_are_shown() -> None:
    """Those that take anything of their own; of structs and dataclasses that they take their fields by keyword."""
    text = "".join((REFERENCE / "plugin-api" / page).read_text("utf-8") for page in PAGES)
    assert "class NotSentError(SendError):\n    def __init__(self, reason: str, *, " in text
    assert "class HttpClient:\n    def __init__(self, *, guard: Guard | None=None, " in text
    assert "class Response(msgspec.Struct, frozen=True" in text
    assert "@dataclass(frozen=True, kw_only=True)\nclass Provider: ..." in text


def test_what_the_pages_import_is_public() -> None:
    for page in (*(REFERENCE / "plugin-api" / each for each in PAGES), REFERENCE / "hooks.md"):
        [imports, *_] = [code for _, code in snippets(page.read_text("utf-8"))]
        assert list(private_imports(imports)) == [], page.name


def test_what_the_changelog_has_of_the_api_is_in_the_reference() -> None:
    named = re.findall(r"`(wagate(?:\.\w+)+)\.(\w+)`", (ROOT / "CHANGELOG.md").read_text("utf-8"))
    found = {(module, name) for module, name in named if is_public(module) and find_spec(f"{module}.{name}") is None}
    assert ("wagate.http", "watch_handover") in found
    shown = "".join((REFERENCE / "plugin-api" / page).read_text("utf-8") for page in PAGES)
    assert [name for _, name in sorted(found) if f"### {name}\n" not in shown] == []


def test_what_a_public_function_returns_is_public_too() -> None:
    assert get_type_hints(http.watch_handover)["return"] is http.Handover
