"""The configuration that `wagate init` writes: what is commented out in it would be accepted, too."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from typing import Any

import pytest

from wagate.config import convert_settings
from wagate.hooks.loader import installed_providers
from wagate.owned import AccountTable
from wagate.testing import fake_context
from wagate_chatwoot.settings import Settings

TEMPLATE = (files("wagate.cli") / "templates/config.toml").read_text("utf-8")
CORE = set(AccountTable.__struct_fields__)


def uncommented() -> dict[str, Any]:
    """With every example switched on: lines like ``# key = …`` and ``# [table]``."""
    return tomllib.loads(re.sub(r"^# (?=\[|\w+ = )", "", TEMPLATE, flags=re.MULTILINE))


@pytest.mark.parametrize("name", uncommented()["accounts"])
def test_an_example_of_an_account_has_the_keys_of_its_provider(name: str) -> None:
    table = uncommented()["accounts"][name]
    plugin = installed_providers()[table["provider"]].load()
    [provider] = plugin.register_providers(context=fake_context(table["provider"]).context)
    given = {key: value for key, value in table.items() if key not in CORE}
    given |= {key: "https://engine.example.org" for key in given if key.endswith("_url")}
    assert given
    convert_settings(provider.settings_type, given, key=f"accounts.{name}")


def test_the_example_of_chatwoot_is_one() -> None:
    made = convert_settings(Settings, uncommented()["plugins"]["chatwoot"], key="plugins.chatwoot")
    assert isinstance(made, Settings)
    assert list(made.inboxes) == ["support"]
