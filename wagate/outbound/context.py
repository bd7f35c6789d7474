"""What sending needs of the rest of the process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from wagate.clock import Clock
from wagate.hooks.contracts import AccountView
from wagate.hooks.messages import OutFile, OutMessage
from wagate.inbound.route import Router
from wagate.plugins.registry import Providers
from wagate.rules.settle import PATIENCE
from wagate.storage.database import Database
from wagate.storage.events.intake import Stored
from wagate.storage.owners.live import LiveDirectory

OUTBOUND = "outbound"
"""Name of the handler that sends; ``outbound:<account's id>`` is the target of an account's messages."""

FileOf = Callable[[OutMessage, int, bool], Awaitable[OutFile | None]]
"""(message, client id, whether a link of others is fetched first) → its file, ready for a provider; None when it has
none. Raises `wagate.errors.SendError`."""
VoiceOf = Callable[[OutMessage, int], Awaitable[OutMessage]]
"""(voice message, client id) → the same with OGG/Opus, or as a sound file. Raises `wagate.errors.SendError`."""
Choose = Callable[[OutMessage, Sequence[AccountView]], str | None]
"""A plugin's ``choose_account``."""


@dataclass(frozen=True, kw_only=True)
class OutboundContext:
    """The rest of the process, as far as sending needs it."""

    database: Database
    live: LiveDirectory
    providers: Providers
    router: Router
    clock: Clock
    ring: Callable[[Sequence[Stored]], None]
    """Tells the consumers what was stored."""
    check_link: Callable[[str], Awaitable[None]]
    """Whether others may be told to fetch this URL; raises `wagate.http.HttpError`."""
    recover: float = PATIENCE
    """Seconds for which a message may wait for its account: ``delivery.recover``, or what stands in for 0."""
    choosers: list[Choose] = field(default_factory=list)
    """Of all plugins that have one, in their order; filled before anything runs."""
