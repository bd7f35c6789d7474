"""What few providers can: vote in polls, invite to events, press buttons, make channels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from wagate.errors import UnprocessableError
from wagate.hooks.asks import Ask, CreateChannel, PostEvent, PressButton, VotePoll
from wagate.web.messages.body import MessageId, Text
from wagate.web.messages.content import not_blank, read_chat
from wagate.web.waha.bodies import ChatBody, Success
from wagate.web.waha.desk import Call
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
    picture: Any = None


@dataclass(frozen=True)
class Asked:
    """What is done where a provider answers the ask."""

    ask: type[Ask]
    body: type[msgspec.Struct]
    handle: Callable[[Call], Awaitable[Any]]


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
    return {"id": await call.ask(posted)}


async def _make_channel(call: Call) -> Any:
    if call.body.picture is not None:
        raise UnprocessableError("wagate makes channels without a picture", field="picture")
    name = not_blank(call.body.name, "name")
    return shown_channel(await call.ask(CreateChannel(name=name, description=call.body.description or "")))


async def _id(call: Call, given: str | None, field: str) -> str:
    """The provider's id of a message; '' for none."""
    if not given:
        return ""
    return (await call.desk.names.find(given, client_id=call.account.client_id, field=field)).id


VOTE = Asked(VotePoll, VoteBody, _vote)
PRESS = Asked(PressButton, ButtonBody, _press)
INVITE = Asked(PostEvent, EventBody, _invite)
MAKE_CHANNEL = Asked(CreateChannel, ChannelBody, _make_channel)
