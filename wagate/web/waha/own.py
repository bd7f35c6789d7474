"""What WAHA does about ourselves: profile, presence, calls; and channels. By the provider."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from wagate.errors import NotSupportedError, UnprocessableError
from wagate.events import Event, kinds
from wagate.hooks.answers import ChannelView
from wagate.hooks.asks import (
    ChannelMark,
    ListChannels,
    MarkChannel,
    ReadChannel,
    RejectCall,
    SetOnline,
    SetOwnAbout,
    SetOwnName,
    SetPicture,
    WatchPresence,
)
from wagate.hooks.messages import Signal
from wagate.hooks.providers import Profile
from wagate.storage.threads.archive import presences
from wagate.web.messages.content import not_blank, read_chat
from wagate.web.waha.bodies import Success, WahaFile
from wagate.web.waha.desk import Call, Row
from wagate.web.waha.groups import group_of


class NameBody(msgspec.Struct, frozen=True, kw_only=True):
    """Our name."""

    name: Annotated[str, Meta(max_length=25)]


class StatusBody(msgspec.Struct, frozen=True, kw_only=True):
    """Set the about text."""

    status: Annotated[str, Meta(max_length=139)]


class PictureBody(msgspec.Struct, frozen=True, kw_only=True):
    """A JPEG."""

    file: WahaFile


class PresenceBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to show."""

    chat_id: str | None = None
    presence: Literal["offline", "online", "typing", "recording", "paused"]


class CallBody(msgspec.Struct, frozen=True, kw_only=True):
    """A call."""

    from_: str = msgspec.field(name="from")
    id: Annotated[str, Meta(min_length=1, max_length=200)]


class ChannelsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which channels."""

    role: str = ""
    """OWNER, ADMIN or SUBSCRIBER."""


async def _profile(call: Call) -> Any:
    own = f"{call.account.phone}@c.us" if call.account.phone else ""
    seen = await call.desk.profile(call.account, own) if own else Profile()
    return {"id": own or None, "name": seen.name or call.account.name, "picture": seen.picture or None}


async def _name(call: Call) -> Any:
    await call.ask(SetOwnName(name=not_blank(call.body.name, "name")))
    return Success()


async def _about(call: Call) -> Any:
    await call.ask(SetOwnAbout(text=call.body.status))
    return Success()


def _set_picture(*, group: bool, there: bool) -> Any:
    async def act(call: Call) -> Any:
        chat = group_of(call) if group else ""
        if SetPicture not in call.desk.answers(call.account):
            raise NotSupportedError(f"{call.desk.title(call.account)} can't do this: set picture")
        if not there:
            await call.ask(SetPicture(chat=chat, file=None))
            return Success()
        await call.ask(SetPicture(chat=chat, file=await call.jpeg(call.body.file)))
        return Success()

    return act


async def _presence(call: Call) -> Any:
    word = call.body.presence
    if word in {"online", "offline"}:
        await call.ask(SetOnline(on=word == "online"))
        return Success()
    if call.body.chat_id is None:
        raise UnprocessableError(f"{word} is shown in a chat: set chatId", field="chatId")
    chat = read_chat(call.body.chat_id, "chatId")
    signal = Signal(kind=word, chat=chat)
    await call.desk.sending.signal(signal, client_id=call.account.client_id, account=call.account.name)
    return Success()


async def _presences(call: Call) -> Any:
    return [_shown_presence(each) for each in await _told(call, None)]


async def _presence_of(call: Call) -> Any:
    chat = call.chat()
    found = await _told(call, chat)
    if WatchPresence in call.desk.answers(call.account):
        await call.ask(WatchPresence(chat=chat))
    return _shown_presence(found[0]) if found else {"id": chat, "presences": []}


async def _told(call: Call, chat: str | None) -> list[Event]:
    found: list[Event] = await call.desk.database.browse(
        presences,
        client_id=call.account.client_id,
        account=call.account.name,
        chat=chat,
        kind=kinds.PRESENCE_UPDATE,
        now=call.desk.clock.now(),
    )
    return found


def _shown_presence(event: Event) -> dict[str, Any]:
    return {"id": event.chat, "presences": event.extra.get("presences", [])}


async def _watch(call: Call) -> Any:
    await call.ask(WatchPresence(chat=call.chat()))
    return Success()


async def _reject(call: Call) -> Any:
    await call.ask(RejectCall(chat=read_chat(call.body.from_, "from"), call_id=call.body.id))
    return Success()


def shown_channel(channel: ChannelView) -> dict[str, Any]:
    """One channel."""
    return {
        "id": channel.chat,
        "name": channel.name,
        "description": channel.description,
        "invite": f"https://whatsapp.com/channel/{channel.invite}" if channel.invite else "",
        "picture": channel.picture or None,
        "preview": channel.picture or None,
        "role": channel.role.upper(),
        "verified": channel.verified,
        "subscribersCount": channel.subscribers,
    }


async def _channels(call: Call) -> Any:
    found = [shown_channel(each) for each in await call.ask(ListChannels())]
    return [each for each in found if call.query.role in {"", each["role"]}]


async def _channel(call: Call) -> Any:
    return shown_channel(await call.ask(ReadChannel(chat=call.parts["id"])))


def _mark_channel(mark: ChannelMark) -> Any:
    async def act(call: Call) -> Any:
        chat = call.parts["id"]
        if not chat.endswith("@newsletter"):
            raise UnprocessableError("id must be a channel's, like 120363000000000000@newsletter", field="id")
        await call.ask(MarkChannel(chat=chat, mark=mark))
        return Success()

    return act


_PROFILE, _GROUP = "{session}/profile", "{session}/groups/{id}"
OWN = (
    Row(verb=f"GET /{_PROFILE}", doc="Our profile.", handle=_profile),
    Row(verb=f"PUT /{_PROFILE}/name", doc="Our name.", handle=_name, act="change own name", body=NameBody),
    Row(
        verb=f"PUT /{_PROFILE}/status",
        doc="Set the about text.",
        handle=_about,
        act="change own about",
        body=StatusBody,
    ),
    *(
        row
        for path, group in ((_PROFILE, False), (_GROUP, True))
        for row in (
            Row(
                verb=f"PUT /{path}/picture",
                doc="Set the picture.",
                handle=_set_picture(group=group, there=True),
                act="set picture",
                body=PictureBody,
                large=True,
            ),
            Row(
                verb=f"DELETE /{path}/picture",
                doc="Remove the picture.",
                handle=_set_picture(group=group, there=False),
                act="delete picture",
            ),
        )
    ),
    Row(
        verb="POST /{session}/presence",
        doc="Be online.",
        handle=_presence,
        act="set presence",
        body=PresenceBody,
        status=201,
    ),
    Row(verb="GET /{session}/presence", doc="The presence of all known contacts.", handle=_presences),
    Row(verb="GET /{session}/presence/{chatId}", doc="The presence of one contact.", handle=_presence_of),
    Row(
        verb="POST /{session}/presence/{chatId}/subscribe",
        doc="Subscribe to a contact's presence.",
        handle=_watch,
        status=201,
    ),
    Row(
        verb="POST /{session}/calls/reject",
        doc="Reject a call.",
        handle=_reject,
        act="reject call",
        body=CallBody,
        status=201,
    ),
    Row(verb="GET /{session}/channels", doc="Channels that we follow.", handle=_channels, query=ChannelsQuery),
    Row(verb="GET /{session}/channels/{id}", doc="One channel.", handle=_channel),
    *(
        Row(
            verb=f"POST /{{session}}/channels/{{id}}/{mark}",
            doc=f"{mark} it.",
            handle=handle,
            act="mark channel",
            status=201,
        )
        for mark, handle in (
            ("follow", _mark_channel("follow")),
            ("unfollow", _mark_channel("unfollow")),
            ("mute", _mark_channel("mute")),
            ("unmute", _mark_channel("unmute")),
        )
    ),
)
