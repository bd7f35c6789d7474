"""The code on the reference pages of the plugin API is Python as it stands, and says what the real thing takes."""

from __future__ import annotations
import __future__

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import get_type_hints

import pytest

from scripts.api_pages import SHOWN_ELSEWHERE
from wagate import http
from wagate.hooks import specs
from wagate.hooks.public import is_public

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


def run(code: str, module: ModuleType) -> dict[str, object]:
    """What it defines beside the module's own names."""
    made: dict[str, object] = {}
    exec(compile(code, module.__name__, "exec", flags=LATER, dont_inherit=True), dict(vars(module)), made)
    return made


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
    """Whether a function takes what the real one takes; of all else only its name is known."""
    if not inspect.isfunction(real):
        return True
    return list(inspect.signature(made).parameters) == list(inspect.signature(real).parameters)  # type: ignore[arg-type]


@pytest.mark.parametrize("page", PAGES)
def test_each_snippet_of_the_plugin_api_runs_and_defines_what_is_there(page: str) -> None:
    found = list(snippets((REFERENCE / "plugin-api" / page).read_text("utf-8")))
    assert found
    for heading, code in found:
        modules = [importlib.import_module(each) for each in MOVED.get(heading, (heading,))]
        name = first_name(code)
        module = next(each for each in modules if is_of(each, name))
        made = run(code, module)[name]
        assert same_arguments(made, getattr(module, name)), code


def test_each_snippet_of_the_hooks_runs_and_takes_what_the_hook_takes() -> None:
    found = list(snippets((REFERENCE / "hooks.md").read_text("utf-8")))
    assert len(found) > 10
    for heading, code in found:
        made = run(code, specs)[heading]
        real = list(inspect.signature(getattr(specs.Hooks, heading)).parameters)
        assert ["self", *inspect.signature(made).parameters] == real  # type: ignore[arg-type]


def test_what_the_changelog_has_of_the_api_is_in_the_reference() -> None:
    named = re.findall(r"`(wagate(?:\.\w+)+)\.(\w+)`", (ROOT / "CHANGELOG.md").read_text("utf-8"))
    found = {(module, name) for module, name in named if is_public(module) and find_spec(f"{module}.{name}") is None}
    assert ("wagate.http", "watch_handover") in found
    shown = "".join((REFERENCE / "plugin-api" / page).read_text("utf-8") for page in PAGES)
    assert [name for _, name in sorted(found) if f"### {name}\n" not in shown] == []


def test_what_a_public_function_returns_is_public_too() -> None:
    assert get_type_hints(http.watch_handover)["return"] is http.Handover
