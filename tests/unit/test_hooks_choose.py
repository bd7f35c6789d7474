"""``choose_account`` of a real plugin, called as the core calls it."""

from __future__ import annotations

from collections.abc import Sequence

import pluggy
import pytest

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
