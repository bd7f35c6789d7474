"""``[plugins.n8n]``."""

from __future__ import annotations

import difflib

import msgspec

from wagate.events import EVENT_KINDS
from wagate.hooks import Duration

EVERY = "*"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Whose events become jobs, which, and for how long."""

    clients: list[str] = msgspec.field(default_factory=lambda: [EVERY])
    """Slugs of the clients whose events become jobs; `*` is all."""
    expires: Duration = Duration("24h")
    """A job that no worker finished in this time expires; `0` is never."""
    events: list[str] = msgspec.field(default_factory=lambda: ["message"])
    """Names of the events that become jobs; `*` is all but `message.any`, `group.*` every group event."""

    def __post_init__(self) -> None:
        """Refuse names that no event has."""
        for name in self.events:
            if name not in EVENT_KINDS and name != EVERY and not name.startswith("group."):
                near = difflib.get_close_matches(name, sorted(EVENT_KINDS), n=1)
                hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(EVENT_KINDS))}, group.*, *"
                raise ValueError(f"events: no event is called {name!r}; {hint}")

    def serves(self, tenant: str) -> bool:
        """Whether this client's events become jobs."""
        return EVERY in self.clients or tenant in self.clients
