"""Identifies people, for plugins."""

from __future__ import annotations

from typing import Protocol

from wagate.hooks.views import PersonView


class People(Protocol):
    """Who is one person: number, LID, Meta's and Twilio's ids, a changed number, numbers with an extra digit."""

    async def of(self, chat: str, *, client_id: int, account: str = "") -> PersonView:
        """The person with this key; an unknown person has only that key.

        Of a LID without a number the ``account``'s provider is asked, for two seconds at most; its answer is kept.
        """

    async def current(self, chat: str, *, client_id: int, account: str = "") -> str:
        """Where to write to: `PersonView.current`; of a group its own key."""
