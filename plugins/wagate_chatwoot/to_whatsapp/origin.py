"""Which message in Chatwoot one of our own messages came from: it carries that along, from its submission on.

So it is known even when the provider is quicker than the ledger.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wagate.events import Event
from wagate.parsing.fields import mapping

SOURCE = "chatwoot"
"""``extra.source`` of events about messages that this plugin submitted."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Of one part. In ``metadata`` of the message, and so in ``extra.metadata`` of every event about it."""

    inbox: str
    """Name of the inbox it was written in; other inboxes may show the account, too."""
    message: int
    """Chatwoot's id."""
    conversation: int
    site: str = ""
    """Whose conversation: `App.site`; '' of a version that did not keep it."""
    part: int = 0
    retry: int = 0
    failed: bool = False
    """Chatwoot showed it as failed before it was sent; see `wagate_chatwoot.to_whatsapp.actions.Send`."""


def origin_of(event: Event) -> Origin | None:
    """Of an event about a message of ours; None when it was not written in Chatwoot."""
    if event.extra.get("source") != SOURCE:
        return None
    try:
        return msgspec.convert(mapping(event.extra.get("metadata")), Origin)
    except msgspec.ValidationError:
        return None


def metadata_of(origin: Origin) -> dict[str, Any]:
    """As it goes along."""
    built: dict[str, Any] = msgspec.to_builtins(origin)
    return built
