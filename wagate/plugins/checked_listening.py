"""A provider that listens without webhooks: the types of what it takes in are checked before it is stored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import structlog

from wagate.errors import StorageError
from wagate.events import NewEvent, Raw, SessionChange
from wagate.hooks.listening import Inlet
from wagate.hooks.providers import ProviderAccount
from wagate.parsing.fields import fingerprint
from wagate.plugins.values import WrongValueError, held_to, items, json_value, named
from wagate.plugins.wall import awaited, broken, instead, leaves, pass_on

log = structlog.get_logger("wagate.plugins")


def unread(body: bytes) -> NewEvent:
    """A whole body that could not be read, to be looked at by people; the same bytes again are a duplicate."""
    return NewEvent(
        kind="unknown", provider_id=fingerprint(body.decode("utf-8", "replace")), type="unknown", raw=Raw(body=body)
    )


class CheckedInlet:
    """`wagate.hooks.Inlet`, for a plugin: a wrong event is kept as ``unknown``, so that the right ones go on."""

    def __init__(self, plugin: str, account: str, inlet: Inlet) -> None:
        self._plugin = plugin
        self._account = account
        self._inlet = inlet

    async def take(self, events: Sequence[NewEvent]) -> None:
        """See the protocol."""
        await self._inlet.take(items(events, self._event))

    async def archive(self, events: Sequence[NewEvent]) -> None:
        """See the protocol."""
        await self._inlet.archive(items(events, self._event))

    async def state(self, change: SessionChange, **details: Any) -> None:
        """See the protocol."""
        if wrong := json_value(details):
            raise WrongValueError(f"details: {wrong}")
        await self._inlet.state(held_to(SessionChange, change), **details)

    async def seen(self, chat: str) -> None:
        """See the protocol."""
        if not isinstance(chat, str):
            raise WrongValueError(f"{named(chat)}, not a chat's key")
        await self._inlet.seen(chat)

    async def number(self, phone: str) -> None:
        """See the protocol."""
        if not isinstance(phone, str) or not (phone.isascii() and phone.isdigit() and len(phone) <= 15):
            raise WrongValueError("a number that is not 1 to 15 digits")
        await self._inlet.number(phone)

    def _event(self, value: Any) -> NewEvent:
        try:
            return held_to(NewEvent, value)
        except WrongValueError as error:
            log.exception("run took a wrong event", plugin=self._plugin, account=self._account, error=str(error))
        raw = getattr(value, "raw", None)
        body = getattr(raw, "body", b"")
        return unread(body if isinstance(body, bytes) and body else repr(value).encode("utf-8", "replace")[:65_536])


async def run_checked(
    plugin: str, given: Callable[..., Awaitable[None]], account: ProviderAccount, inlet: Inlet
) -> None:
    """Let it listen. StorageError as the inlet raised it; all else that it raises is a PluginError."""
    try:
        await awaited(given(account, CheckedInlet(plugin, account.name, inlet)))
    except BaseException as error:  # noqa: BLE001  (raised again, in our words)
        pass_on(error)
        ours = next((each for each in leaves(error) if isinstance(each, StorageError)), None)
        told = ours or broken(plugin, "run", error)
        raise instead(told, error)  # noqa: B904  (with its cause)


def lifespan_checked(
    plugin: str, given: Callable[[], AbstractAsyncContextManager[None]]
) -> AbstractAsyncContextManager[None]:
    """The context, not entered yet. PluginError."""
    try:
        made = given()
    except BaseException as error:
        raise broken(plugin, "lifespan", error) from error
    if not isinstance(made, AbstractAsyncContextManager):
        raise broken(plugin, "lifespan", WrongValueError(f"{named(made)}, no async context manager"))
    return made
