"""What a session engine is asked beyond sending: people, chats, groups, our own profile.

Source: avoylenko/wwebjs-api, src/controllers/; whatsapp-web.js 1.34, src/Client.js, src/structures/GroupChat.js.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from wagate.errors import OutcomeUnknownError, SendRefusedError
from wagate.hooks import ProviderAccount, asks
from wagate.hooks.answers import GroupView, Member
from wagate.hooks.asks import Answer, Answers
from wagate.http import HttpClient
from wagate.parsing.chats import LID, USER, chat_key
from wagate.parsing.fields import first_text, mapping, whole
from wagate_session.client import SessionClient
from wagate_session.send import bare_id, chat_id

MARKS: Final[dict[asks.ChatMark, str]] = {
    "archive": "/client/archiveChat",
    "unarchive": "/client/unarchiveChat",
    "unread": "/client/markChatUnread",
    "read": "/chat/sendSeen",
    "delete": "/chat/delete",
    "clear": "/chat/clearMessages",
}
MEMBERS: Final[dict[asks.MemberChange, str]] = {
    "add": "/groupChat/addParticipants",
    "remove": "/groupChat/removeParticipants",
    "promote": "/groupChat/promoteParticipants",
    "demote": "/groupChat/demoteParticipants",
}
_NO_ADMIN = "WhatsApp refused it; are we an admin of the group?"

Act = Callable[[SessionClient, Any], Awaitable[Any]]


def answers(http: HttpClient) -> Answers:
    """For `Provider.answers`."""

    def bound(act: Act) -> Answer:
        async def answer(ask: Any, account: ProviderAccount) -> Any:
            return await act(SessionClient(http, account), ask)

        return answer

    return {kind: bound(act) for kind, act in _ACTS.items()}


async def _done(client: SessionClient, path: str, why: str = "WhatsApp refused it", **body: Any) -> dict[str, Any]:
    """The answer. SendRefusedError: it says that nothing was done."""
    found = await client.call("POST", path, body=body)
    if found.get("result") is False:
        raise SendRefusedError(why)
    return found


async def _find_number(client: SessionClient, ask: asks.FindNumber) -> str:
    found = await client.call("POST", "/client/getNumberId", body={"number": ask.phone})
    key = chat_key(first_text(mapping(found.get("result")), "_serialized"))
    return f"{ask.phone}@{USER}" if key.endswith(f"@{LID}") else key


async def _find_lid(client: SessionClient, ask: asks.FindLid) -> str:
    found = await client.call("POST", "/client/getContactLidAndPhone", body={"userIds": [chat_id(ask.chat)]})
    return next((chat_key(lid) for each in _rows(found.get("data")) if (lid := first_text(each, "lid"))), "")


async def _about(client: SessionClient, ask: asks.ReadAbout) -> str:
    found = await client.call("POST", "/contact/getAbout", body={"contactId": chat_id(ask.chat)})
    return first_text(found, "result")


async def _block(client: SessionClient, ask: asks.BlockPerson) -> None:
    await _done(client, "/contact/block" if ask.on else "/contact/unblock", contactId=chat_id(ask.chat))


async def _mark(client: SessionClient, ask: asks.MarkChat) -> None:
    """Whether a chat is archived now is the result of archiving and taking it back, and no refusal."""
    await client.call("POST", MARKS[ask.mark], body={"chatId": chat_id(ask.chat)})


async def _star(client: SessionClient, ask: asks.StarMessage) -> None:
    path = "/message/star" if ask.on else "/message/unstar"
    await client.call("POST", path, body={"chatId": chat_id(ask.chat), "messageId": bare_id(ask.message_id)})


async def _online(client: SessionClient, ask: asks.SetOnline) -> None:
    await client.call("POST", f"/client/sendPresence{'Available' if ask.on else 'Unavailable'}", body={})


async def _own_name(client: SessionClient, ask: asks.SetOwnName) -> None:
    await _done(client, "/client/setDisplayName", displayName=ask.name)


async def _own_about(client: SessionClient, ask: asks.SetOwnAbout) -> None:
    await _done(client, "/client/setStatus", status=ask.text)


async def _list_groups(client: SessionClient, _ask: asks.ListGroups) -> tuple[GroupView, ...]:
    found = (await client.call("GET", "/client/getChats")).get("chats")
    if not isinstance(found, list):
        raise OutcomeUnknownError("the engine's answer has no chats, or is too large")
    return tuple(read_group(each) for each in _rows(found) if each.get("isGroup") is True)


async def _read_group(client: SessionClient, ask: asks.ReadGroup) -> GroupView:
    found = mapping((await client.call("POST", "/client/getChatById", body={"chatId": ask.chat})).get("chat"))
    if found.get("isGroup") is not True:
        raise SendRefusedError("the engine knows no such group", http_status=404)
    return read_group(found)


async def _create_group(client: SessionClient, ask: asks.CreateGroup) -> GroupView:
    body = {"title": ask.subject, "participants": [chat_id(each) for each in ask.members]}
    found = mapping((await client.call("POST", "/client/createGroup", body=body)).get("response"))
    if not (made := _id(found.get("gid"))):
        raise OutcomeUnknownError("the engine's answer does not name the new group")
    return await _read_group(client, asks.ReadGroup(chat=made))


async def _change_group(client: SessionClient, ask: asks.ChangeGroup) -> None:
    """One after the other; what was changed before one is refused stays changed."""
    if ask.subject is not None:
        await _done(client, "/groupChat/setSubject", _NO_ADMIN, chatId=ask.chat, subject=ask.subject)
    if ask.description is not None:
        await _done(client, "/groupChat/setDescription", _NO_ADMIN, chatId=ask.chat, description=ask.description)
    for path, only in (("setMessagesAdminsOnly", ask.only_admins_write), ("setInfoAdminsOnly", ask.only_admins_edit)):
        if only is not None:
            await _done(client, f"/groupChat/{path}", _NO_ADMIN, chatId=ask.chat, adminsOnly=only)


async def _change_members(client: SessionClient, ask: asks.ChangeMembers) -> dict[str, int]:
    """Adding is answered for each person, the rest for all of them."""
    body = {"chatId": ask.chat, "participantIds": [chat_id(each) for each in ask.members]}
    result = (await client.call("POST", MEMBERS[ask.change], body=body)).get("result")
    if isinstance(result, str):  # an error, in words
        raise SendRefusedError(f"WhatsApp refused it: {result[:200]}")
    if ask.change != "add":
        status = whole(mapping(result).get("status")) or 200
        return {} if status == 200 else dict.fromkeys(ask.members, status)
    codes = {chat_key(each): whole(mapping(told).get("code")) or 200 for each, told in mapping(result).items()}
    return {each: code for each in ask.members if (code := codes.get(each, 200)) != 200}


async def _leave(client: SessionClient, ask: asks.LeaveGroup) -> None:
    await client.call("POST", "/groupChat/leave", body={"chatId": ask.chat})


async def _invite(client: SessionClient, ask: asks.InviteCode) -> str:
    if ask.renew:
        await _done(client, "/groupChat/revokeInvite", _NO_ADMIN, chatId=ask.chat)
    found = await client.call("POST", "/groupChat/getInviteCode", body={"chatId": ask.chat})
    if not (code := first_text(found, "inviteCode")):
        raise SendRefusedError(_NO_ADMIN)
    return code


async def _join(client: SessionClient, ask: asks.JoinGroup) -> str:
    found = await client.call("POST", "/client/acceptInvite", body={"inviteCode": ask.code})
    return chat_key(first_text(found, "acceptInvite"))


def read_group(found: dict[str, Any]) -> GroupView:
    """A chat of the engine's that is a group. Pure."""
    about = mapping(found.get("groupMetadata"))
    return GroupView(
        chat=_id(found.get("id")),
        subject=first_text(about, "subject") or first_text(found, "name"),
        description=first_text(about, "desc"),
        owner=_id(about.get("owner")),
        created_at=max(0, whole(about.get("creation")) or 0),
        only_admins_write=about.get("announce") is True,
        only_admins_edit=about.get("restrict") is True,
        members=tuple(_member(each) for each in _rows(about.get("participants"))),
    )


def _member(found: dict[str, Any]) -> Member:
    key = _id(found.get("id"))
    role: Any = "owner" if found.get("isSuperAdmin") is True else "admin" if found.get("isAdmin") is True else "member"
    return Member(chat=key, lid=key if key.endswith(f"@{LID}") else "", role=role)


def _id(found: object) -> str:
    """The key of an id, which is a text or an object."""
    text = found if isinstance(found, str) else first_text(mapping(found), "_serialized")
    return chat_key(text) if text else ""


def _rows(found: object) -> list[dict[str, Any]]:
    return [mapping(each) for each in found] if isinstance(found, list) else []


_ACTS: Final[dict[type[asks.Ask], Act]] = {
    asks.FindNumber: _find_number,
    asks.FindLid: _find_lid,
    asks.ReadAbout: _about,
    asks.BlockPerson: _block,
    asks.MarkChat: _mark,
    asks.StarMessage: _star,
    asks.SetOnline: _online,
    asks.SetOwnName: _own_name,
    asks.SetOwnAbout: _own_about,
    asks.ListGroups: _list_groups,
    asks.ReadGroup: _read_group,
    asks.CreateGroup: _create_group,
    asks.ChangeGroup: _change_group,
    asks.ChangeMembers: _change_members,
    asks.LeaveGroup: _leave,
    asks.InviteCode: _invite,
    asks.JoinGroup: _join,
}
