"""What few providers can: vote in polls, invite to events, press buttons, make and look into channels, end groups."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from wagate.errors import UnprocessableError
from wagate.hooks.answers import ChannelMessage
from wagate.hooks.asks import (
    Ask,
    ChangeMembers,
    CreateChannel,
    LeaveGroup,
    PostEvent,
    PressButton,
    ReadChannelMessages,
    ReadGroup,
    VotePoll,
)
from wagate.storage.owners.directory import Account
from wagate.web.messages.body import MessageId, Text
from wagate.web.messages.content import not_blank, read_chat
from wagate.web.waha.archived import INCOMING_ACK
from wagate.web.waha.bodies import ChatBody, Success, WahaFile
from wagate.web.waha.desk import Call
from wagate.web.waha.groups import group_of
from wagate.web.waha.own import shown_channel

LONGEST_NAME, LONGEST_DESCRIPTION = 100, 2048
LATEST = 1 << 40
"""Unix seconds."""


class VoteBody(ChatBody, frozen=True, kw_only=True, rename="camel"):
    """``sendPollVote``."""

    poll_message_id: MessageId
    votes: Annotated[list[Annotated[str, Meta(min_length=1, max_length=100)]], Meta(max_length=12)]


class ButtonBody(ChatBody, frozen=True, kw_only=True, rename="camel"):
    """``send/buttons/reply``."""

    reply_to: MessageId | None = None
    selected_display_text: Text
    selected_button_id: Annotated[str, Meta(min_length=1, max_length=1000)] = msgspec.field(name="selectedButtonID")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where it is."""

    name: Annotated[str, Meta(max_length=1000)] = ""


Moment = Annotated[int, Meta(ge=1, lt=LATEST)]


class Party(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An event."""

    name: Annotated[str, Meta(max_length=LONGEST_NAME)]
    description: Annotated[str, Meta(max_length=LONGEST_DESCRIPTION)] | None = None
    start_time: Moment
    end_time: Moment | None = None
    location: Place | None = None
    extra_guests_allowed: bool = False


class EventBody(msgspec.Struct, frozen=True, kw_only=True):
    """``events``."""

    chat_id: str = msgspec.field(name="chatId")
    reply_to: MessageId | None = None
    event: Party


class ChannelBody(msgspec.Struct, frozen=True, kw_only=True):
    """A channel to make."""

    name: Annotated[str, Meta(max_length=LONGEST_NAME)]
    description: Annotated[str, Meta(max_length=LONGEST_DESCRIPTION)] | None = None
    picture: WahaFile | None = None
    """A JPEG."""


class PreviewQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a channel."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 10


@dataclass(frozen=True)
class Asked:
    """What is done where a provider answers the ask."""

    ask: type[Ask]
    handle: Callable[[Call], Awaitable[Any]]
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None


async def _vote(call: Call) -> Any:
    body: VoteBody = call.body
    poll = await _id(call, body.poll_message_id, "pollMessageId")
    await call.ask(VotePoll(chat=read_chat(body.chat_id, "chatId"), message_id=poll, options=tuple(body.votes)))
    return Success()


async def _press(call: Call) -> Any:
    body: ButtonBody = call.body
    quoted = await _id(call, body.reply_to, "replyTo")
    pressed = PressButton(
        chat=read_chat(body.chat_id, "chatId"),
        button_id=body.selected_button_id,
        text=body.selected_display_text,
        reply_to=quoted,
    )
    return {"id": await call.ask(pressed)}


async def _invite(call: Call) -> Any:
    party: Party = call.body.event
    if party.end_time is not None and party.end_time < party.start_time:
        raise UnprocessableError("the event ends before it begins", field="event.endTime")
    posted = PostEvent(
        chat=read_chat(call.body.chat_id, "chatId"),
        name=not_blank(party.name, "event.name"),
        start=party.start_time,
        end=party.end_time or 0,
        description=party.description or "",
        place=party.location.name if party.location is not None else "",
        extra_guests=party.extra_guests_allowed,
        reply_to=await _id(call, call.body.reply_to, "reply_to"),
    )
    found = _short(await call.ask(posted), posted.chat, call.account, posted.name)
    ours = found["to"]
    now = int(call.desk.clock.time())
    ours_now = {"timestamp": now, "from": ours, "to": posted.chat, "fromMe": True, "source": "api"}
    return found | ours_now | {"ack": 1, "ackName": "SERVER"}


async def _make_channel(call: Call) -> Any:
    name, given = not_blank(call.body.name, "name"), call.body.picture
    # An object of WAHA's clients in which nobody filled in a file is none.
    picture = await call.jpeg(given, field="picture") if given is not None and (given.data or given.url) else None
    made = CreateChannel(name=name, description=call.body.description or "", picture=picture)
    return shown_channel(await call.ask(made))


async def _preview(call: Call) -> Any:
    chat = call.parts["id"]
    found: tuple[ChannelMessage, ...] = await call.ask(ReadChannelMessages(chat=chat, limit=call.query.limit))
    return [_shown_in_channel(each, chat, call.account) for each in found]


def _shown_in_channel(each: ChannelMessage, chat: str, account: Account) -> dict[str, Any]:
    """WAHA's ``ChannelMessage``; when it was posted is not known."""
    message = _short(f"false_{chat}_{each.id}", chat, account, each.text) | {"hasMedia": each.has_media}
    return {"reactions": each.reactions, "message": message, "viewCount": each.views}


def _short(message_id: str, chat: str, account: Account, text: str) -> dict[str, Any]:
    """WAHA's ``WAMessage`` of one that came from there, as far as it is known."""
    ack, ack_name = INCOMING_ACK
    return {
        "id": message_id,
        "timestamp": 0,
        "from": chat,
        "fromMe": False,
        "source": "app",
        "to": f"{account.phone}@c.us" if account.phone else "",
        "participant": "",
        "body": text,
        "hasMedia": False,
        "mediaUrl": "",
        "ack": ack,
        "ackName": ack_name,
    }


async def _close_group(call: Call) -> Any:
    """Remove everybody, then leave, as WhatsApp's own app does; nobody is removed unless we may remove all."""
    chat = group_of(call)
    members = (await call.ask(ReadGroup(chat=chat))).members
    us = next((each for each in members if each.chat == f"{call.account.phone}@c.us"), None)
    if us is None or us.role == "member":
        raise UnprocessableError("only an admin can remove everybody")
    others = tuple(each.chat for each in members if each is not us)
    if others and (failed := await call.ask(ChangeMembers(chat=chat, change="remove", members=others))):
        raise UnprocessableError(
            f"WhatsApp did not remove {', '.join(failed)}: they are still in the group, and so are we"
        )
    await call.ask(LeaveGroup(chat=chat))
    return Success()


async def _id(call: Call, given: str | None, field: str) -> str:
    """The provider's id of a message; '' for none."""
    if not given:
        return ""
    return (await call.desk.names.find(given, client_id=call.account.client_id, field=field)).id


VOTE = Asked(VotePoll, _vote, VoteBody)
PRESS = Asked(PressButton, _press, ButtonBody)
INVITE = Asked(PostEvent, _invite, EventBody)
MAKE_CHANNEL = Asked(CreateChannel, _make_channel, ChannelBody)
PREVIEW = Asked(ReadChannelMessages, _preview, query=PreviewQuery)
CLOSE_GROUP = Asked(ChangeMembers, _close_group)
