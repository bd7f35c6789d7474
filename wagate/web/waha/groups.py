"""WAHA's groups, in the form of its NOWEB engine; by the provider."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from wagate.errors import UnprocessableError
from wagate.hooks.answers import GroupView, Member
from wagate.hooks.asks import (
    ChangeGroup,
    ChangeMembers,
    CreateGroup,
    InviteCode,
    JoinGroup,
    LeaveGroup,
    ListGroups,
    MemberChange,
    ReadGroup,
    ReadInvite,
)
from wagate.parsing.chats import is_group
from wagate.web.messages.content import not_blank, read_chat
from wagate.web.waha.archived import Paging
from wagate.web.waha.bodies import Success
from wagate.web.waha.chats import picture_of
from wagate.web.waha.desk import Call, Row

ROLES = {"member": "participant", "admin": "admin", "owner": "superadmin"}
LINK = "https://chat.whatsapp.com/"


class GroupsQuery(Paging, frozen=True, kw_only=True):
    """Which groups."""

    limit: int = 1000
    exclude: str = ""
    """``participants``: leave them out."""


class Participant(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody."""

    id: str


Participants = Annotated[list[Participant], Meta(min_length=1, max_length=1024)]


class CreateBody(msgspec.Struct, frozen=True, kw_only=True):
    """A group to make."""

    name: Annotated[str, Meta(max_length=100)]
    participants: Participants


class ParticipantsBody(msgspec.Struct, frozen=True, kw_only=True):
    """Who."""

    participants: Participants


class CodeBody(msgspec.Struct, frozen=True, kw_only=True):
    """An invite: its code, or its whole link."""

    code: Annotated[str, Meta(min_length=1, max_length=200)]


class CodeQuery(msgspec.Struct, frozen=True, kw_only=True):
    """An invite."""

    code: str = ""


class SubjectBody(msgspec.Struct, frozen=True, kw_only=True):
    """The group's name."""

    subject: Annotated[str, Meta(max_length=100)]


class DescriptionBody(msgspec.Struct, frozen=True, kw_only=True):
    """What it is about."""

    description: Annotated[str, Meta(max_length=2048)]


class AdminsBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who may."""

    admins_only: bool


def shown(group: GroupView, *, members: bool = True) -> dict[str, Any]:
    """One group."""
    found: dict[str, Any] = {
        "id": group.chat,
        "subject": group.subject,
        "name": group.subject,
        "desc": group.description or None,
        "owner": group.owner or None,
        "creation": group.created_at or None,
        "size": len(group.members),
        "announce": group.only_admins_write,
        "restrict": group.only_admins_edit,
    }
    return found | ({"participants": [shown_member(each) for each in group.members]} if members else {})


def shown_member(member: Member) -> dict[str, Any]:
    """Somebody of it, as NOWEB does."""
    admin = {"admin": "admin", "owner": "superadmin"}.get(member.role)
    return {"id": member.chat, "lid": member.lid or None, "admin": admin}


def group_of(call: Call) -> str:
    """The key of the group in the path. UnprocessableError."""
    given = call.parts["id"]
    key = read_chat(given if "@" in given else f"{given}@g.us", "id")
    if not is_group(key):
        raise UnprocessableError("id must be a group's, like 120363000000000000@g.us", field="id")
    return key


async def _list(call: Call) -> Any:
    groups = await call.ask(ListGroups())
    whole = [shown(each, members="participants" not in call.query.exclude) for each in groups]
    return call.query.of(sorted(whole, key=lambda each: str(each["id"]), reverse=call.query.sort_order == "desc"))


async def _count(call: Call) -> Any:
    return {"count": len(await call.ask(ListGroups()))}


async def _refresh(call: Call) -> Any:
    await call.ask(ListGroups())
    return Success()


async def _create(call: Call) -> Any:
    name = not_blank(call.body.name, "name")
    return shown(await call.ask(CreateGroup(subject=name, members=_keys(call))))


def _keys(call: Call) -> tuple[str, ...]:
    return tuple(read_chat(each.id, "participants") for each in call.body.participants)


async def _one(call: Call) -> Any:
    return shown(await call.ask(ReadGroup(chat=group_of(call))))


async def _leave(call: Call) -> Any:
    await call.ask(LeaveGroup(chat=group_of(call)))
    return Success()


async def _picture(call: Call) -> Any:
    return {"url": await picture_of(call, group_of(call))}


def _change(field: str, given: str) -> Any:
    async def change(call: Call) -> Any:
        await call.ask(ChangeGroup(**{"chat": group_of(call), field: getattr(call.body, given)}))
        return Success()

    return change


def _setting(field: str) -> Any:
    async def read(call: Call) -> Any:
        return {"adminsOnly": getattr(await call.ask(ReadGroup(chat=group_of(call))), field)}

    return read


async def _code(call: Call) -> Any:
    return await call.ask(InviteCode(chat=group_of(call)))


async def _new_code(call: Call) -> Any:
    return await call.ask(InviteCode(chat=group_of(call), renew=True))


async def _join_info(call: Call) -> Any:
    return shown(await call.ask(ReadInvite(code=code_of(call.query.code))))


async def _join(call: Call) -> Any:
    return {"id": await call.ask(JoinGroup(code=code_of(call.body.code)))}


def code_of(text: str) -> str:
    """The code in an invite link. UnprocessableError."""
    code = text.strip().removeprefix(LINK)
    if not code or not code.isascii() or not code.isalnum():
        raise UnprocessableError(f"code must be an invite's code, or its link {LINK}…", field="code")
    return code


async def _members(call: Call) -> Any:
    return [shown_member(each) for each in (await call.ask(ReadGroup(chat=group_of(call)))).members]


async def _members_v2(call: Call) -> Any:
    members = (await call.ask(ReadGroup(chat=group_of(call)))).members
    return [
        {"id": each.lid or each.chat, "role": ROLES[each.role]}
        | ({"pn": each.chat} if each.chat.endswith("@c.us") else {})
        for each in members
    ]


def _members_change(change: MemberChange) -> Any:
    async def act(call: Call) -> Any:
        keys = _keys(call)
        failed = await call.ask(ChangeMembers(chat=group_of(call), change=change, members=keys))
        return [{"id": each, "status": failed.get(each, 200)} for each in keys]

    return act


GROUP = "{session}/groups/{id}"
_INFO, _WRITE = (f"{GROUP}/settings/security/{each}-admin-only" for each in ("info", "messages"))
GROUPS = (
    Row(verb="GET /{session}/groups", doc="Our groups.", handle=_list, query=GroupsQuery),
    Row(
        verb="POST /{session}/groups",
        doc="Make a group.",
        handle=_create,
        act="create group",
        body=CreateBody,
        status=201,
    ),
    Row(verb="GET /{session}/groups/count", doc="How many.", handle=_count),
    Row(verb="POST /{session}/groups/refresh", doc="They are always read anew.", handle=_refresh, status=201),
    Row(verb="GET /{session}/groups/join-info", doc="What an invite leads to.", handle=_join_info, query=CodeQuery),
    Row(
        verb="POST /{session}/groups/join",
        doc="Join by an invite.",
        handle=_join,
        act="join group",
        body=CodeBody,
        status=201,
    ),
    Row(verb=f"GET /{GROUP}", doc="One group.", handle=_one),
    Row(verb=f"POST /{GROUP}/leave", doc="Leave it.", handle=_leave, act="leave group", status=201),
    Row(verb=f"GET /{GROUP}/picture", doc="Its picture.", handle=_picture),
    Row(
        verb=f"PUT /{GROUP}/description",
        doc="What it is about.",
        handle=_change("description", "description"),
        act="change group",
        body=DescriptionBody,
    ),
    Row(
        verb=f"PUT /{GROUP}/subject",
        doc="Its name.",
        handle=_change("subject", "subject"),
        act="change group",
        body=SubjectBody,
    ),
    Row(verb=f"GET /{_INFO}", doc="Who may edit it.", handle=_setting("only_admins_edit")),
    Row(
        verb=f"PUT /{_INFO}",
        doc="Who may edit it.",
        handle=_change("only_admins_edit", "admins_only"),
        act="change group",
        body=AdminsBody,
    ),
    Row(verb=f"GET /{_WRITE}", doc="Who may write.", handle=_setting("only_admins_write")),
    Row(
        verb=f"PUT /{_WRITE}",
        doc="Who may write.",
        handle=_change("only_admins_write", "admins_only"),
        act="change group",
        body=AdminsBody,
    ),
    Row(verb=f"GET /{GROUP}/invite-code", doc="Its invite.", handle=_code),
    Row(
        verb=f"POST /{GROUP}/invite-code/revoke",
        doc="A new one.",
        handle=_new_code,
        act="renew group invite",
        status=201,
    ),
    Row(verb=f"GET /{GROUP}/participants", doc="Who is in it.", handle=_members),
    Row(verb=f"GET /{GROUP}/participants/v2", doc="Who is in it.", handle=_members_v2),
    *(
        Row(
            verb=f"POST /{GROUP}/{path}",
            doc=doc,
            handle=handle,
            act="change group members",
            body=ParticipantsBody,
            status=201,
        )
        for path, doc, handle in (
            ("participants/add", "Add people.", _members_change("add")),
            ("participants/remove", "Remove people.", _members_change("remove")),
            ("admin/promote", "Make admins.", _members_change("promote")),
            ("admin/demote", "No longer.", _members_change("demote")),
        )
    ),
)
