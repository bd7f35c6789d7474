"""What WAHA does about ourselves: profile, presence, calls; and channels and labels. By the provider."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from wagate.errors import NotFoundError, NotSupportedError, UnprocessableError
from wagate.events import Event, kinds
from wagate.hooks.answers import ChannelView, Label
from wagate.hooks.asks import (
    ChannelMark,
    DeleteLabel,
    LabelChat,
    ListChannels,
    ListLabeled,
    ListLabels,
    MarkChannel,
    PutLabel,
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

COLORS = (
    *("#ff9485", "#64c4ff", "#ffd429", "#dfaef0", "#99b6c1", "#55ccb3", "#ff9dff", "#d3a91d", "#6d7cce", "#d7e752"),
    *("#00d0e2", "#ffc5c7", "#93ceac", "#f74848", "#00a0f2", "#83e422", "#ffaf04", "#b5ebff", "#9ba6ff", "#9368cf"),
)
"""WhatsApp's, by number (source: WAHA's documentation, labels)."""


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


class LabelBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A label."""

    name: Annotated[str, Meta(max_length=100)]
    color: Annotated[int, Meta(ge=0, le=19)] | None = None
    color_hex: str | None = None


class LabelId(msgspec.Struct, frozen=True, kw_only=True):
    """One."""

    id: str


class LabelsBody(msgspec.Struct, frozen=True, kw_only=True):
    """A chat's labels."""

    labels: Annotated[list[LabelId], Meta(max_length=100)]


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


def shown_label(label: Label) -> dict[str, Any]:
    """One label."""
    color = COLORS[label.color] if 0 <= label.color < len(COLORS) else COLORS[0]
    return {"id": label.id, "name": label.name, "color": label.color, "colorHex": color}


async def _labels(call: Call) -> Any:
    return [shown_label(each) for each in await call.ask(ListLabels())]


async def _labels_of(call: Call) -> Any:
    return [shown_label(each) for each in await call.ask(ListLabels(chat=call.chat()))]


async def _labeled(call: Call) -> Any:
    return [{"id": each} for each in await call.ask(ListLabeled(label_id=call.parts["labelId"]))]


async def _put_label(call: Call) -> Any:
    color = call.body.color
    if color is None and call.body.color_hex:
        if call.body.color_hex.lower() not in COLORS:
            raise UnprocessableError(f"colorHex must be one of {', '.join(COLORS)}", field="colorHex")
        color = COLORS.index(call.body.color_hex.lower())
    name = not_blank(call.body.name, "name")
    return shown_label(await call.ask(PutLabel(name=name, color=color or 0, label_id=call.parts.get("labelId", ""))))


async def _delete_label(call: Call) -> Any:
    label = call.parts["labelId"]
    if DeleteLabel not in call.desk.answers(call.account):
        raise NotSupportedError(f"{call.desk.title(call.account)} can't do this: delete label")
    if all(each.id != label for each in await call.ask(ListLabels())):
        raise NotFoundError("Label not found")
    await call.ask(DeleteLabel(label_id=label))
    return {"result": True}


async def _label_chat(call: Call) -> Any:
    await call.ask(LabelChat(chat=call.chat(), label_ids=tuple(each.id for each in call.body.labels)))
    return Success()


_PROFILE, _GROUP, _LABEL = "{session}/profile", "{session}/groups/{id}", "{session}/labels/{labelId}"
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
    Row(verb="GET /{session}/labels", doc="Labels.", handle=_labels),
    Row(
        verb="POST /{session}/labels",
        doc="Make one.",
        handle=_put_label,
        act="create label",
        body=LabelBody,
        status=201,
    ),
    Row(verb=f"PUT /{_LABEL}", doc="Change one.", handle=_put_label, act="change label", body=LabelBody),
    Row(verb=f"DELETE /{_LABEL}", doc="Delete one.", handle=_delete_label, act="delete label"),
    Row(verb="GET /{session}/labels/chats/{chatId}", doc="A chat's labels.", handle=_labels_of),
    Row(
        verb="PUT /{session}/labels/chats/{chatId}",
        doc="Set them.",
        handle=_label_chat,
        act="label chat",
        body=LabelsBody,
    ),
    Row(verb=f"GET /{_LABEL}/chats", doc="Chats with a label.", handle=_labeled),
)
