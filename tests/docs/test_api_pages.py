"""What plugins may import, and the pages that show it: neither has what the other has not."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.api_pages import PAGES, SHOWN_ELSEWHERE, imported
from wagate.cli.plugins import Kind, write_project
from wagate.hooks.public import MODULES, PACKAGES, PRIVATE, is_public, private_imports

ROOT = Path(__file__).parents[2]
API = ROOT / "docs/reference/plugin-api"
PYTEST = "wagate.pytest_plugin"
"""Imported by pytest alone; its fixtures have names, not a module."""


def modules() -> Iterator[str]:
    """Public ones, but for packages, which only gather names."""
    yield from (each for each in MODULES if each != "wagate.http")
    for package in PACKAGES:
        files = (ROOT / package.replace(".", "/")).rglob("*.py")
        names = (".".join(each.relative_to(ROOT).with_suffix("").parts) for each in files if each.stem != "__init__")
        yield from filter(is_public, names)


def shown() -> set[tuple[str, str]]:
    """(module, name) of all headings."""
    found, module = set(), ""
    for page in PAGES:
        for level, text in re.findall(r"(?m)^(##|###) (\S+)$", (API / f"{page}.md").read_text("utf-8")):
            module = text if level == "##" else module
            found.add((module, "" if level == "##" else text))
    return found


def test_every_public_module_has_a_page() -> None:
    on_pages = {module for module, _ in shown()}
    assert sorted(set(modules()) - on_pages) == []


@pytest.mark.parametrize("package", [*PACKAGES, "wagate.http"])
def test_every_name_of_a_public_package_has_a_page(package: str) -> None:
    names = set(getattr(importlib.import_module(package), "__all__", ()))
    there = {name for module, name in shown() if module == package or module.startswith(f"{package}.")}
    assert sorted(names - there) == []


def test_the_pages_show_only_what_is_public() -> None:
    places = {imported(each) for _, each_page in PAGES.values() for each in each_page} - {PYTEST}
    assert [each for each in sorted(places) if not is_public(each)] == []
    for package in {"wagate.http", *SHOWN_ELSEWHERE.values()}:
        names = {name for module, name in shown() if module == package and name}
        assert names <= set(importlib.import_module(package).__all__), package


def test_what_is_private_is_there() -> None:
    """A name that leads nowhere would hide nothing."""
    for module in PRIVATE:
        assert importlib.import_module(module)
        assert module.startswith(PACKAGES)
        assert not is_public(module)
    assert not is_public("wagate.testing.providers.meta")


def test_an_import_of_a_private_module_is_found_however_it_is_written() -> None:
    source = "from wagate.testing import fake_context, providers\nimport wagate.testing.chatwoot.server\n"
    source += "from wagate.hooks.public import is_public\nfrom wagate.testing.server import answering\n"
    assert list(private_imports(source)) == [
        (1, "wagate.testing.providers"),
        (2, "wagate.testing.chatwoot.server"),
        (3, "wagate.hooks.public"),
    ]


@pytest.mark.parametrize("kind", ["plugin", "provider"])
def test_a_new_project_imports_only_what_is_public(kind: Kind, tmp_path: Path) -> None:
    written = [each for each in write_project("crm", tmp_path / "crm", kind) if each.suffix == ".py"]
    assert len(written) == 2
    assert [found for path in written for found in private_imports(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("folder", ["plugins", "docs/examples"])
def test_our_own_plugins_and_examples_import_only_what_is_public(folder: str) -> None:
    sources = sorted((ROOT / folder).rglob("*.py"))
    assert sources
    assert [(path.name, *found) for path in sources for found in private_imports(path.read_text("utf-8"))] == []
