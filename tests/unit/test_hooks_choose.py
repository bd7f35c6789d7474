"""``choose_account`` of a real plugin, called as the core calls it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pluggy
import pytest

from tests.bad_plugin import plugin as bad_plugin
from wagate.errors import PluginError
from wagate.hooks import AccountView, OutMessage, hookimpl
from wagate.hooks.specs import PROJECT, Hooks
from wagate.plugins.loader import Plugin

MAIN = AccountView(name="main", client_id=1, provider="meta", phone="", metadata={})


class Chooser:
    """Knows one chat."""

    @hookimpl
    def choose_account(self, message: OutMessage, accounts: Sequence[AccountView]) -> str | None:
        return accounts[0].name if message.chat == "1@c.us" else None


@pytest.mark.parametrize(("chat", "expected"), [("1@c.us", "main"), ("2@c.us", None)])
def test_a_plugin_says_a_name_or_nothing(chat: str, expected: str | None) -> None:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    manager.register(Chooser(), "chooser")
    plugin = Plugin("chooser", None, manager)
    assert plugin.implements() == ["choose_account"]
    assert plugin.choose_account(OutMessage(chat=chat, type="text", text="x"), [MAIN]) == expected


@pytest.mark.parametrize("given", [5, "nobody", b"main"])
def test_a_choice_that_is_none_is_the_plugins_failure(given: Any) -> None:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    manager.register(bad_plugin(choose_account=lambda message, accounts: given), "bad")
    plugin = Plugin("bad", None, manager)
    with pytest.raises(PluginError, match=r"^plugin bad: choose_account gave "):
        plugin.choose_account(OutMessage(chat="5@c.us", type="text", text="x"), [MAIN])
