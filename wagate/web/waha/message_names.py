"""Messages as WAHA's clients name them: ``<fromMe>_<chat>_<id>[_<participant>]``, or a provider's own id."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

import msgspec

from wagate.errors import NotFoundError, UnprocessableError
from wagate.hooks.context import Messages
from wagate.hooks.messages import MessageView
from wagate.parsing.chats import chat_key
from wagate.rules.filters import MessageFilter
from wagate.storage.database import Database
from wagate.storage.outbox.messages import find_by_message_id


class Named(msgspec.Struct, frozen=True):
    """A message that somebody named."""

    id: str
    """The provider's id."""
    chat: str
    """Its chat's key; '' when not known."""


class MessageNames:
    """Finds out which message a name means: our webhooks put their own around ids of providers that have other ones."""

    def __init__(self, database: Database, messages: Messages) -> None:
        self._database = database
        self._messages = messages

    async def find(self, name: str, *, client_id: int, field: str) -> Named:
        """The message; one that is not known here is taken at its word.

        Raises:
            UnprocessableError: it is one of ours that was not sent yet; ``field`` is named.
        """
        chat, ids = read_name(name)
        found = await self._database.read(find_by_message_id, client_id, ids)
        if found is not None:
            return Named(*found)
        view = await self._own(ids[-1], client_id)
        if view is None:
            return Named(name, chat_key(chat) if chat else "")
        if view.message_id is None:
            raise UnprocessableError("this message has not been sent yet", field=field)
        return Named(view.message_id, view.chat)

    async def ours(self, name: str, *, client_id: int, account: str | None) -> MessageView:
        """The message of ours that a name means. NotFoundError; ``account`` None: of any of the client's."""
        _, ids = read_name(name)
        for each in ids:
            which = MessageFilter(account=account, message_id=each)
            page = await self._messages.page(which, client_id=client_id, limit=1)
            if page.data:
                return page.data[0]
        view = await self._own(ids[-1], client_id)
        if view is None:
            raise NotFoundError("no message that we sent has this id")
        return view

    async def _own(self, text: str, client_id: int) -> MessageView | None:
        with suppress(ValueError, NotFoundError):
            return await self._messages.get(str(UUID(text)), client_id=client_id)
        return None


def read_name(name: str) -> tuple[str, list[str]]:
    """The chat that a name of WAHA's form names, else '', and the ids that the name may mean."""
    whose, _, rest = name.partition("_")
    chat, _, rest = rest.partition("_")
    if whose not in {"true", "false"} or not rest or not _is_jid(chat):
        return "", [name]
    own, _, participant = rest.rpartition("_")
    return chat, [name, own if own and _is_jid(participant) else rest]


def ids_of(name: str) -> list[str]:
    """The ids that a name may mean."""
    return read_name(name)[1]


def _is_jid(text: str) -> bool:
    local, _, domain = text.rpartition("@")
    return bool(local and domain)


def waha_name(view: MessageView) -> str:
    """The id that WAHA's clients get: the provider's, or one made of ours as long as there is none."""
    return view.message_id or f"true_{view.chat}_{view.id}"
