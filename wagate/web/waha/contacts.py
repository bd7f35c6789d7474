"""WAHA's contacts and LIDs: the people that wagate knows, whatever provider is behind."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from wagate.errors import NotFoundError
from wagate.hooks.asks import BlockPerson, FindLid, FindNumber, NamePerson, ReadAbout
from wagate.parsing.chats import LID, USER, chat_key, digits_of
from wagate.storage.threads.contacts import ContactRow, contacts_of, count_lids, people_of
from wagate.web.messages.content import read_chat
from wagate.web.waha.archived import Paging
from wagate.web.waha.bodies import Session, Success
from wagate.web.waha.chats import picture_of
from wagate.web.waha.desk import Call, Row


class ContactQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which contact."""

    session: str | None = None
    contact_id: str = msgspec.field(default="", name="contactId")
    phone: str = ""

    @property
    def chat(self) -> str:
        """The contact's key. UnprocessableError."""
        return read_chat(self.contact_id, "contactId")


class ContactBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``block``."""

    session: Session | None = None
    contact_id: str


class NameBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A contact's name."""

    first_name: Annotated[str, Meta(max_length=200)]
    last_name: Annotated[str, Meta(max_length=200)] = ""


def shown(key: str, person: ContactRow | None, own: str) -> dict[str, Any]:
    """One person. ``own``: the digits of our number."""
    phone = person.phone if person is not None else key if key.endswith(f"@{USER}") else ""
    name = (person.name if person is not None else "") or None
    chat = phone or key
    return {
        "id": chat,
        "lid": next((each for each in (person.keys if person else [key]) if each.endswith(f"@{LID}")), None),
        "number": digits_of(phone) or None,
        "name": name,
        "pushname": name,
        "shortName": name,
        "isMe": bool(own) and digits_of(phone) == own,
        "isGroup": key.endswith("@g.us"),
        "isWAContact": True,
        "isMyContact": person is not None,
    }


async def _all(call: Call) -> Any:
    paging: Paging = call.query
    found = await call.desk.database.browse(
        people_of,
        client_id=call.account.client_id,
        limit=paging.most,
        offset=paging.start,
        falling=paging.sort_order == "desc",
    )
    return [shown(key, person, call.account.phone) for key, person in found]


async def _person(call: Call, chat: str) -> ContactRow | None:
    key = (call.account.client_id, chat)
    found: dict[tuple[int, str], ContactRow] = await call.desk.database.browse(contacts_of, [key])
    return found.get(key)


async def _one(call: Call) -> Any:
    chat = call.query.chat if call.query is not None else call.chat("id")
    return shown(chat, await _person(call, chat), call.account.phone)


async def _exists(call: Call) -> Any:
    chat = read_chat(call.query.phone, "phone")
    found = await call.ask(FindNumber(phone=digits_of(chat)))
    return {"numberExists": bool(found)} | ({"chatId": found} if found else {})


async def _about(call: Call) -> Any:
    return {"about": await call.ask(ReadAbout(chat=call.query.chat)) or None}


async def _picture(call: Call) -> Any:
    return {"profilePictureURL": await picture_of(call, call.query.chat)}


async def _block(call: Call) -> Any:
    return await _blocked(call, on=True)


async def _unblock(call: Call) -> Any:
    return await _blocked(call, on=False)


async def _blocked(call: Call, *, on: bool) -> Any:
    await call.ask(BlockPerson(chat=read_chat(call.body.contact_id, "contactId"), on=on))
    return Success()


async def _name(call: Call) -> Any:
    first, last = call.body.first_name.strip(), call.body.last_name.strip()
    await call.ask(NamePerson(chat=call.chat(), first_name=first, full_name=f"{first} {last}".strip()))
    return Success()


async def _lids(call: Call) -> Any:
    paging: Paging = call.query
    found = await call.desk.database.browse(
        people_of, client_id=call.account.client_id, limit=paging.most, offset=paging.start, which="lids"
    )
    return [{"lid": key, "pn": person.phone} for key, person in found]


async def _count_lids(call: Call) -> Any:
    return {"count": await call.desk.database.browse(count_lids, client_id=call.account.client_id)}


async def _of_lid(call: Call) -> Any:
    given = call.parts["lid"]
    lid = given if given.endswith(f"@{LID}") else f"{given}@{LID}"
    person = await _person(call, chat_key(lid))
    phone = person.phone if person is not None else ""
    provider = call.desk.providers.get(call.account.provider)
    if not phone and provider is not None and provider.number_of is not None:
        phone = await call.desk.number_of(call.account, chat_key(lid))
    return {"lid": lid, "pn": phone or None}


async def _of_number(call: Call) -> Any:
    phone = read_chat(call.parts["phoneNumber"], "phoneNumber")
    person = await _person(call, phone)
    lid = next((each for each in (person.keys if person is not None else ()) if each.endswith(f"@{LID}")), "")
    if not lid and FindLid in call.desk.answers(call.account):
        lid = await call.ask(FindLid(chat=phone))
    if not lid and person is None:
        raise NotFoundError("nothing is known about this number")
    return {"lid": lid or None, "pn": phone}


CONTACTS = (
    Row(verb="GET /contacts/all", doc="People that wagate knows.", handle=_all, query=Paging),
    Row(verb="GET /contacts", doc="One person.", handle=_one, query=ContactQuery),
    Row(verb="GET /{session}/contacts/{id}", doc="One person.", handle=_one),
    Row(
        verb="GET /contacts/check-exists",
        doc="Check whether a number is on WhatsApp.",
        handle=_exists,
        query=ContactQuery,
    ),
    Row(verb="GET /checkNumberStatus", doc="The same.", handle=_exists, query=ContactQuery),
    Row(verb="GET /contacts/about", doc="The contact's about text.", handle=_about, query=ContactQuery),
    Row(verb="GET /contacts/profile-picture", doc="Their picture.", handle=_picture, query=ContactQuery),
    Row(
        verb="POST /contacts/block",
        doc="Block someone.",
        handle=_block,
        act="block person",
        body=ContactBody,
        status=201,
    ),
    Row(
        verb="POST /contacts/unblock",
        doc="No longer.",
        handle=_unblock,
        act="unblock person",
        body=ContactBody,
        status=201,
    ),
    Row(
        verb="PUT /{session}/contacts/{chatId}",
        doc="Save a contact's name.",
        handle=_name,
        act="name person",
        body=NameBody,
    ),
    Row(verb="GET /{session}/lids", doc="LIDs with a known number.", handle=_lids, query=Paging),
    Row(verb="GET /{session}/lids/count", doc="How many.", handle=_count_lids),
    Row(verb="GET /{session}/lids/{lid}", doc="The number behind a LID.", handle=_of_lid),
    Row(verb="GET /{session}/lids/pn/{phoneNumber}", doc="The LID of a number.", handle=_of_number),
)
