"""The pages about Meta and 360dialog name every key, with its default, and show configurations that hold."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from wagate_dialog360 import Dialog360Settings
from wagate_meta.errors import _LATER, _OPERATOR, _REFUSED, _TOKEN
from wagate_meta.settings import MetaSettings

DOCS = Path(__file__).parents[2] / "docs/how-to"
OF_ACCOUNTS = {"provider", "webhook_secret", "client", "phone"}
PAGES: list[tuple[str, type[msgspec.Struct]]] = [("meta", MetaSettings), ("dialog360", Dialog360Settings)]


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text("utf-8")


@pytest.mark.parametrize(("name", "settings"), PAGES)
def test_the_table_of_keys_is_the_settings(name: str, settings: type[msgspec.Struct]) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (?:`\"(.*?)\"`|–) \|", page(name), re.MULTILINE))
    fields = {field.name: "" if field.required else field.default for field in msgspec.structs.fields(settings)}
    assert rows == fields


@pytest.mark.parametrize(("name", "settings"), PAGES)
def test_the_example_is_a_configuration(name: str, settings: type[msgspec.Struct]) -> None:
    [example] = re.findall(r"```toml\n(.*?)```", page(name), re.DOTALL)
    account: dict[str, Any] = tomllib.loads(example)["accounts"]["shop"]
    assert account["provider"] == name
    settings(**{key: value for key, value in account.items() if key not in OF_ACCOUNTS})


def test_every_code_is_in_the_table_of_errors() -> None:
    table = page("meta").partition("| Meta says |")[2].partition("\n\n")[0]
    named = {int(each) for each in re.findall(r"\d+", table)}
    for first, last in re.findall(r"(\d+)–(\d+)", table):
        named |= set(range(int(first), int(last) + 1))
    assert {*_LATER, *_OPERATOR, *_REFUSED, *_TOKEN} <= named
