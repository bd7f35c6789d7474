"""Which message in Chatwoot is which on WhatsApp, and how far it got. One ledger for each inbox."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal, TypeVar

import msgspec

from wagate.hooks.context import Store
from wagate.parsing.message_ids import bare_id, is_unique

S = TypeVar("S", bound=msgspec.Struct)

_FORGOTTEN = ("cw", "wa", "part", "out", "chat", "conv", "seen", "tick")
_REFUSED = "refused"
_SITE = "site"
"""In rows of what waits, beside the message; '' or not there: of a version that did not keep it."""
TICKS = 64
"""Messages whose status was told last, about: each takes the place of its id's remainder."""
RANK = {"sent": 1, "delivered": 2, "read": 3}
"""Statuses that only go up. ``failed`` stands beside them: only a delivered or read message leaves it."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message in Chatwoot."""

    message: int
    """Its id there, unique over the whole server."""
    conversation: int
    """The conversation's display id."""
    site: str = ""
    """Whose conversation: `App.site`; '' of a version that did not keep it."""
    direction: Literal["in", "out", "own"]
    """From the customer; from an agent; from our own phone."""
    account: str = ""
    """wagate's account."""
    chat: str = ""
    """The chat's key."""
    whatsapp: tuple[str, ...] = ()
    """Ids on WhatsApp (the provider's), one for each part that has been sent."""
    parts: tuple[str, ...] = ()
    """wagate's own ids of the messages that its parts became, in order: text, then each file."""
    status: str = ""
    """sent, delivered, read or failed, as Chatwoot was told last; '' when it was told nothing."""
    error: str = ""
    """Why it failed, as Chatwoot was told."""
    waits: bool = False
    """It shows as failed because it waits for its provider: any status ends that, sent included."""
    retries: int = 0
    """How often an agent pressed Retry."""
    deleted: bool = False
    lacks_file: bool = False
    """It was written without its file, which may still come."""


class Handed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An agent's message as it was handed on.

    Only the deliveries from Chatwoot write it, one at a time; `Entry`, once it is there, only those to Chatwoot do. So
    neither can undo what the other wrote.
    """

    parts: tuple[str, ...] = ()
    """wagate's own ids of the messages that its parts became, in order: text, then each file; '' for one refused.
    A text that was too long for one message has several."""
    pieces: int = 1
    """How many of ``parts``, from the first one on, the first part became."""
    retry: int = 0
    """How often it was sent again. It shows as failed while ``Entry.status`` is failed with this many ``retries``."""
    reply_to: str = ""
    """The provider's id of the message that it quotes; Chatwoot's *Retry* forgets it."""
    deleted: bool = False
    """The agent deleted it."""

    def number(self, index: int) -> int:
        """Which part an id of ``parts`` is of."""
        return max(index - self.pieces + 1, 0)


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a chat's messages go in Chatwoot."""

    contact: int
    source_id: str
    """Of the contact in this inbox; always passed, so that Chatwoot makes no second one."""
    conversation: int | None = None
    """Display id; None: to be chosen."""
    name: str = ""
    """How we named the contact, '' when it had a name: what people wrote in its place is left alone."""
    aliases: tuple[str, ...] = ()
    """Other keys of the person, whose chats go to the same contact."""


class Ledger:
    """Rows of the plugin's store under ``<inbox>/``. Every method commits before it returns."""

    def __init__(self, store: Store, inbox: str, *, site: str = "") -> None:
        """``site`` tells apart inboxes of Chatwoot's that a table named one after the other (`App.site`)."""
        self._store = store
        self._prefix = inbox
        self._site = site

    async def by_message(self, message: int) -> Entry | None:
        """What is known of a message in Chatwoot."""
        return _read(await self._store.get(self._key("cw", str(message))), Entry)

    async def by_whatsapp(
        self, account: str, whatsapp: str, chats: Collection[str], *, anywhere: bool = True
    ) -> Entry | None:
        """The message in Chatwoot that this one on WhatsApp is, by what stays of the provider's id.

        ``chats`` are the keys of its chat; unless ``anywhere`` is False, a long id counts under other keys as well.
        """
        bare = bare_id(whatsapp)
        place = self._key("wa", account, bare) + "/"
        found = {key.removeprefix(place): message for key, message in (await self._store.items(place)).items()}
        message = next((found[chat] for chat in chats if chat in found), None)
        if message is None and anywhere and is_unique(bare) and len(found) == 1:
            [message] = found.values()
        if message is not None:
            return await self.by_message(message)
        return await self._by(self._key("wa", account, whatsapp))  # of a version that went by whole ids

    async def by_part(self, part: str) -> Entry | None:
        """The message in Chatwoot that one of our own messages is a part of."""
        return await self._by(self._key("part", part))

    async def write(self, entry: Entry) -> None:
        """Store an entry and what leads to it."""
        rows: dict[str, Any] = {self._key("cw", str(entry.message)): msgspec.to_builtins(entry)}
        rows |= {self._key("wa", entry.account, bare_id(each), entry.chat): entry.message for each in entry.whatsapp}
        rows |= {self._key("part", each): entry.message for each in entry.parts}
        if entry.status in RANK:
            rows[self._key("tick", str(entry.message % TICKS))] = entry.message
        await self._store.set_all(rows)

    async def ticked(self) -> list[Entry]:
        """Messages whose status was told lately: the last `TICKS`, but for those whose place a newer one took."""
        numbers = (await self._store.items(self._key("tick") + "/")).values()
        return [found for each in numbers if (found := await self.by_message(each)) is not None]

    async def handed(self, message: int) -> Handed | None:
        """How an agent's message was handed on; None: not yet."""
        return _read(await self._store.get(self._key("out", str(message))), Handed)

    async def hand(self, message: int, handed: Handed) -> None:
        """Store that, and what leads from its parts to it."""
        rows: dict[str, Any] = {self._key("out", str(message)): msgspec.to_builtins(handed)}
        rows |= {self._key("part", each): message for each in handed.parts if each}
        await self._store.set_all(rows)

    async def place(self, account: str, chat: str) -> Place | None:
        """Where a chat goes."""
        return _read(await self._store.get(self._key("chat", self._site, account, chat)), Place)

    async def put_place(self, account: str, chat: str, place: Place) -> None:
        """Remember where a chat goes, and whose chat a conversation is."""
        rows: dict[str, Any] = {self._key("chat", self._site, account, chat): msgspec.to_builtins(place)}
        if place.conversation is not None:
            rows[self._key("conv", self._site, str(place.conversation))] = [account, chat]
        await self._store.set_all(rows)

    async def drop_place(self, account: str, chat: str) -> None:
        """Forget it: the contact or the conversation was deleted or merged."""
        await self._store.delete(self._key("chat", self._site, account, chat))

    async def chat_of(self, conversation: int) -> tuple[str, str] | None:
        """(account, chat) of a conversation that we made or chose."""
        found = await self._store.get(self._key("conv", self._site, str(conversation)))
        return None if found is None else (found[0], found[1])

    async def wait(self, conversation: int, message: int, body: Mapping[str, Any]) -> None:
        """Keep an agent's message until it is its turn."""
        row = {**body, _SITE: self._site}
        await self._store.set(f"{self._key('turn', str(conversation))}/{message:020}", row)

    async def waiting(self, conversation: int, *, asked: int = 0) -> list[tuple[int, dict[str, Any]]]:
        """Agents' messages of a conversation that are not handed on yet, in the order of their writing.

        What waits in a conversation of the same number elsewhere is for somebody else, and stays. So does what was
        refused, unless it is the one that is ``asked`` for.
        """
        rows = await self._store.items(self._key("turn", str(conversation)) + "/")
        found = [(int(key.rpartition("/")[2]), row) for key, row in rows.items()]
        return [
            (message, row)
            for message, row in found
            if row.get(_SITE, "") in {"", self._site} and (message == asked or _REFUSED not in row)
        ]

    async def refuse(self, conversation: int, message: int) -> None:
        """It goes when somebody retries it, and with no other."""
        key = f"{self._key('turn', str(conversation))}/{message:020}"
        if (row := await self._store.get(key)) is not None:
            await self._store.set(key, row | {_REFUSED: True})

    async def done(self, conversation: int, message: int) -> None:
        """It was handed on."""
        await self._store.delete(f"{self._key('turn', str(conversation))}/{message:020}")

    async def forget(self, seconds: float) -> int:
        """Forget what was not touched for so long; how many rows. What waits for its turn stays.

        A chat that is forgotten so while people write in it is found again by its source_id.
        """
        return sum([await self._store.forget(f"{self._key(kind)}/", older=seconds) for kind in _FORGOTTEN])

    async def _by(self, key: str) -> Entry | None:
        message = await self._store.get(key)
        return None if message is None else await self.by_message(message)

    def _key(self, *parts: str) -> str:
        return "/".join((self._prefix, *parts))


def rises(before: str, after: str) -> bool:
    """Whether Chatwoot should be told of a status: never backwards, and never twice."""
    if after == "failed":
        return before not in {"failed", "delivered", "read"}
    if before == "failed":
        return after in {"delivered", "read"}
    return RANK.get(after, 0) > RANK.get(before, 0)


def _read(row: Any, kind: type[S]) -> S | None:
    return None if row is None else msgspec.convert(row, kind)
