"""One account, asked: what all answers share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from wagate.clock import Clock
from wagate.hooks import ProviderAccount
from wagate_whatsapp.number import Number
from wagate_whatsapp.process import Json
from wagate_whatsapp.reach import Reach
from wagate_whatsapp.send import Sender


@dataclass(frozen=True)
class Asked:
    """The account of one ask, and the way to its engine."""

    reach: Reach
    account: ProviderAccount
    sender: Sender
    clock: Clock

    @property
    def number(self) -> Number:
        """The account's. NotSentError, AccountStoppedError."""
        return self.reach.linked(self.account)

    async def read(self, do: str, **fields: Any) -> Any:
        """See `Reach.read`."""
        return await self.reach.read(do, self.account, **fields)

    async def change(self, do: str, **fields: Any) -> Any:
        """See `Reach.change`."""
        return await self.reach.change(do, self.account, **fields)

    async def send(self, to: str, message: Json) -> Json:
        """A message of WhatsApp's own to a JID; its ``id`` and ``time``. As `change`."""
        sent: Json = await self.change("send", to=to, message=message)
        return sent


Act = Callable[[Asked, Any], Awaitable[Any]]
"""(the account, an ask) → the value of the ask's ``answer``."""
