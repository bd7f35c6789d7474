"""Groups and channels, asked of WhatsApp."""

from __future__ import annotations

from typing import Any

from wagate.errors import SendRefusedError
from wagate.hooks.answers import ChannelMessage, ChannelView, GroupView, Member
from wagate.hooks.asks import (
    ChangeGroup,
    ChangeMembers,
    CreateChannel,
    CreateGroup,
    InviteCode,
    JoinGroup,
    LeaveGroup,
    ListChannels,
    ListGroups,
    MarkChannel,
    ReadChannel,
    ReadChannelMessages,
    ReadGroup,
    ReadInvite,
)
from wagate.parsing.chats import LID, chat_key
from wagate_whatsapp.ask_people import picture_at
from wagate_whatsapp.asking import Act, Asked
from wagate_whatsapp.content import content_of
from wagate_whatsapp.ids import jid_of
from wagate_whatsapp.people import person
from wagate_whatsapp.process import Json

LINK = "https://chat.whatsapp.com/"
CHANNEL_LINK = "https://whatsapp.com/channel/"


async def list_groups(to: Asked, _ask: ListGroups) -> tuple[GroupView, ...]:
    """With their members, as WhatsApp lists them."""
    return tuple(view(each) for each in await to.read("groups"))


async def read_group(to: Asked, ask: ReadGroup) -> GroupView:
    """SendRefusedError: we are not in it."""
    return view(await to.read("group_read", chat=jid_of(ask.chat)))


async def create_group(to: Asked, ask: CreateGroup) -> GroupView:
    """WhatsApp leaves out whom it may not add."""
    members = [jid_of(each) for each in ask.members]
    return view(await to.change("group_create", subject=ask.subject, members=members))


async def change_group(to: Asked, ask: ChangeGroup) -> None:
    """One after the other; what was changed before one is refused stays changed."""
    wanted = {"subject": ask.subject, "description": ask.description}
    rules = {"write": ask.only_admins_write, "edit": ask.only_admins_edit}
    await to.change("group_change", chat=jid_of(ask.chat), **wanted, **rules)


async def change_members(to: Asked, ask: ChangeMembers) -> dict[str, int]:
    """WhatsApp says for each by LID or by phone whether it was done."""
    jids = [jid_of(each) for each in ask.members]
    told = await to.change("group_members", chat=jid_of(ask.chat), change=ask.change, members=jids)
    failed = {chat_key(each[name]): each["error"] for each in told for name in ("jid", "lid", "phone") if each["error"]}
    return {each: failed[each] for each in ask.members if each in failed}


async def leave_group(to: Asked, ask: LeaveGroup) -> None:
    """Leave it."""
    await to.change("group_leave", chat=jid_of(ask.chat))


async def invite_code(to: Asked, ask: InviteCode) -> str:
    """SendRefusedError: only admins may."""
    how = to.change if ask.renew else to.read
    return str(await how("group_invite", chat=jid_of(ask.chat), renew=ask.renew)).removeprefix(LINK)


async def read_invite(to: Asked, ask: ReadInvite) -> GroupView:
    """As far as those see it who are not in the group."""
    return view(await to.read("group_invited", code=ask.code))


async def join_group(to: Asked, ask: JoinGroup) -> str:
    """Or ask to be let in, where admins decide."""
    return chat_key(await to.change("group_join", code=ask.code))


def view(told: Json) -> GroupView:
    """A group as the engine tells it."""
    return GroupView(
        chat=chat_key(told["jid"]),
        subject=told["subject"],
        description=told["description"],
        owner=chat_key(told["owner"]) if told["owner"] else "",
        created_at=max(0, told["created"]),
        only_admins_write=told["write"],
        only_admins_edit=told["edit"],
        members=tuple(map(_member, told["members"])),
    )


def _member(told: Json) -> Member:
    key = person(told["jid"], told["phone"])
    lid = told["lid"] or (told["jid"] if told["jid"].endswith(f"@{LID}") else "")
    return Member(chat=key, lid=chat_key(lid) if lid else "", role=told["role"])


async def list_channels(to: Asked, _ask: ListChannels) -> tuple[ChannelView, ...]:
    """Those that the number follows or owns."""
    return tuple(map(_channel, await to.read("channels")))


async def read_channel(to: Asked, ask: ReadChannel) -> ChannelView:
    """SendRefusedError: there is none such."""
    by: dict[str, Any] = {"chat": ask.chat} if ask.chat.endswith("@newsletter") else {"code": _code(ask.chat)}
    told = await to.read("channel_read", **by)
    if not told or not told["jid"]:
        raise SendRefusedError("this channel does not exist", code="NOT_FOUND")
    return _channel(told)


async def channel_messages(to: Asked, ask: ReadChannelMessages) -> tuple[ChannelMessage, ...]:
    """Without what a person would not see."""
    chat = (await read_channel(to, ReadChannel(chat=ask.chat))).chat
    told = await to.read("channel_messages", chat=chat, limit=ask.limit)
    return tuple(shown for each in told if (shown := _channel_message(each)) is not None)


async def mark_channel(to: Asked, ask: MarkChannel) -> None:
    """Follow, unfollow, mute, unmute."""
    await to.change("channel_mark", chat=jid_of(ask.chat), mark=ask.mark)


async def create_channel(to: Asked, ask: CreateChannel) -> ChannelView:
    """SendRefusedError: the picture is too large."""
    path = await picture_at(ask.picture.path) if ask.picture is not None and ask.picture.path is not None else ""
    return _channel(await to.change("channel_create", name=ask.name, description=ask.description, picture=path))


def _code(given: str) -> str:
    return given.removeprefix(CHANNEL_LINK)


def _channel(told: Json) -> ChannelView:
    return ChannelView(
        chat=told["jid"],
        name=told["name"],
        description=told["description"],
        invite=told["invite"],
        picture=told["picture"],
        subscribers=told["subscribers"],
        role=told["role"],
        verified=told["verified"],
    )


def _channel_message(told: Json) -> ChannelMessage | None:
    content = content_of(told["message"])
    if content is None:
        return None
    return ChannelMessage(
        id=str(told["number"]),
        type=content.type,
        text=content.text,
        has_media=content.media is not None,
        views=told["views"],
        reactions=told["reactions"],
    )


GROUPS: dict[type, Act] = {
    ListGroups: list_groups,
    ReadGroup: read_group,
    CreateGroup: create_group,
    ChangeGroup: change_group,
    ChangeMembers: change_members,
    LeaveGroup: leave_group,
    InviteCode: invite_code,
    ReadInvite: read_invite,
    JoinGroup: join_group,
    ListChannels: list_channels,
    ReadChannel: read_channel,
    ReadChannelMessages: channel_messages,
    MarkChannel: mark_channel,
    CreateChannel: create_channel,
}
"""What can be asked → how it is."""
