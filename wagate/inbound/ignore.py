"""Chats that an account does not take in."""

from __future__ import annotations

from collections.abc import Mapping

STATUS = "status@broadcast"
ENDINGS = {"groups": "@g.us", "broadcast": "@broadcast", "channels": "@newsletter"}
"""Key of an account's ``ignore`` → how such a chat's key ends."""


def ignored(chat: str, ignore: Mapping[str, bool]) -> bool:
    """Whether the account's ``ignore`` (groups, status, broadcast, channels) leaves this chat out."""
    if chat == STATUS:
        return bool(ignore.get("status"))
    return any(ignore.get(kind) and chat.endswith(ending) for kind, ending in ENDINGS.items())
