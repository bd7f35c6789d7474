"""WAHA's groups: their forms in all of its engines, and what they are asked.

Source: WAHA's OpenAPI document, ``/api/{session}/groups…``; the forms are its engines' own: GOWS writes
go.mau.fi/whatsmeow's ``types.GroupInfo``, NOWEB Baileys' ``GroupMetadata``, WEBJS whatsapp-web.js' ``GroupChat``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from wagate.errors import OutcomeUnknownError, SendRefusedError
from wagate.hooks.answers import GroupView, Member, Role
from wagate.hooks.asks import (
    ChangeGroup,
    ChangeMembers,
    CreateGroup,
    InviteCode,
    JoinGroup,
    LeaveGroup,
    ListGroups,
    ReadGroup,
    ReadInvite,
)
from wagate.http import Response
from wagate.parsing.chats import LID, chat_key
from wagate.parsing.fields import first_text, mapping
from wagate_waha.asking import Asking, done
from wagate_waha.client import document_of, in_path
from wagate_waha.send import chat_id

MOST: Final = 1000
"""Groups in one answer."""
_CHANGES: Final = {
    "add": "participants/add",
    "remove": "participants/remove",
    "promote": "admin/promote",
    "demote": "admin/demote",
}
_FINE: Final = frozenset({0, 200})


def _of(chat: str) -> str:
    return f"/api/{{session}}/groups/{in_path(chat_id(chat))}"


async def list_groups(_ask: ListGroups, waha: Asking) -> tuple[GroupView, ...]:
    """Our groups, at most `MOST`. NOWEB answers with an object, by id."""
    found = await waha.read("/api/{session}/groups", query={"limit": str(MOST), "offset": "0"})
    rows = list(found.values()) if isinstance(found, dict) else found if isinstance(found, list) else []
    views = (read_group(mapping(row)) for row in rows)
    return tuple(view for view in views if view.chat)[:MOST]


async def one_group(ask: ReadGroup, waha: Asking) -> GroupView:
    """One group; SendRefusedError with 404 when we are in no such group."""
    view = read_group(mapping(await waha.read(_of(ask.chat))))
    if not view.chat:
        raise SendRefusedError("WAHA knows no such group", http_status=404)
    return view


async def create_group(ask: CreateGroup, waha: Asking) -> GroupView:
    """Make a group."""
    body = {"name": ask.subject, "participants": _people(ask.members)}
    view = read_group(mapping(await waha.post("/api/{session}/groups", body)))
    if not view.chat:
        raise OutcomeUnknownError("WAHA did not say which group it made")
    return view


async def change_group(ask: ChangeGroup, waha: Asking) -> None:
    """One request for each thing that changes."""
    place = _of(ask.chat)
    if ask.subject is not None:
        await waha.put(f"{place}/subject", {"subject": ask.subject})
    if ask.description is not None:
        await waha.put(f"{place}/description", {"description": ask.description})
    for name, value in (("info", ask.only_admins_edit), ("messages", ask.only_admins_write)):
        if value is not None:
            await waha.put(f"{place}/settings/security/{name}-admin-only", {"adminsOnly": value})


async def change_members(ask: ChangeMembers, waha: Asking) -> dict[str, int]:
    """Who was refused."""
    path = f"{_of(ask.chat)}/{_CHANGES[ask.change]}"
    return read_refused(done(await waha.post(path, {"participants": _people(ask.members)})))


async def leave_group(ask: LeaveGroup, waha: Asking) -> None:
    """Leave."""
    done(await waha.post(f"{_of(ask.chat)}/leave"))


async def invite_code(ask: InviteCode, waha: Asking) -> str:
    """The code; WAHA writes it as plain text, or as JSON's."""
    method, path = ("POST", "invite-code/revoke") if ask.renew else ("GET", "invite-code")
    code = _text(await waha.ask(method, f"{_of(ask.chat)}/{path}")).rpartition("/")[2]
    if not code:
        raise OutcomeUnknownError("WAHA answered no invite code")
    return code


async def read_invite(ask: ReadInvite, waha: Asking) -> GroupView:
    """The group behind a code."""
    view = read_group(mapping(await waha.read("/api/{session}/groups/join-info", query={"code": ask.code})))
    if not view.chat:
        raise SendRefusedError("WAHA knows no group behind this code", http_status=404)
    return view


async def join_group(ask: JoinGroup, waha: Asking) -> str:
    """Join it."""
    chat = _jid(mapping(await waha.post("/api/{session}/groups/join", {"code": ask.code})), "id")
    if not chat:
        raise OutcomeUnknownError("WAHA did not say which group was joined")
    return chat


def _people(members: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"id": chat_id(each)} for each in members]


def _text(answer: Response) -> str:
    found = document_of(answer)
    if isinstance(found, str):
        return found.strip()
    if isinstance(found, dict):
        return first_text(found, "code", "inviteCode", "link")
    return answer.body[:300].decode("utf-8", "replace").strip()


def read_group(found: dict[str, Any]) -> GroupView:
    """A group in any engine's form; its ``chat`` is '' when it is none. Pure."""
    more = mapping(found.get("groupMetadata"))
    both = more | {name: value for name, value in found.items() if value is not None and name != "groupMetadata"}
    people = both.get("Participants") or both.get("participants") or []
    people = [each if isinstance(each, dict) else {} for each in people] if isinstance(people, list) else []
    members = tuple(member for each in people if (member := _member(each)).chat)
    return GroupView(
        chat=_jid(both, "JID", "id", "gid"),
        subject=first_text(both, "subject", "Name", "name", "title"),
        description=first_text(both, "desc", "Topic", "description"),
        owner=_jid(both, "ownerPn", "OwnerPN", "owner", "OwnerJID"),
        created_at=_moment(both.get("creation") or both.get("GroupCreated") or both.get("createdAt")),
        only_admins_write=(both.get("announce") or both.get("IsAnnounce")) is True,
        only_admins_edit=(both.get("restrict") or both.get("IsLocked")) is True,
        members=members,
    )


def _member(found: dict[str, Any]) -> Member:
    keys = [_jid(found, name) for name in ("PhoneNumber", "phoneNumber", "pn", "JID", "id", "LID", "lid")]
    lid = next((each for each in keys if each.endswith(f"@{LID}")), "")
    phone = next((each for each in keys if each and not each.endswith(f"@{LID}")), "")
    return Member(chat=phone or lid, lid=lid, role=_role(found))


def _role(found: dict[str, Any]) -> Role:
    word = found.get("admin") or found.get("role")
    if word in {"superadmin", "owner"} or (found.get("isSuperAdmin") or found.get("IsSuperAdmin")) is True:
        return "owner"
    if word == "admin" or (found.get("isAdmin") or found.get("IsAdmin")) is True:
        return "admin"
    return "member"


def _jid(found: dict[str, Any], *names: str) -> str:
    """The key of the first of these that has one."""
    for name in names:
        value = found.get(name)
        value = value.get("_serialized") if isinstance(value, dict) else value
        if isinstance(value, str) and "@" in value:
            return chat_key(value)
    return ""


def _moment(value: object) -> int:
    """Unix seconds of a number, or of a time as Go writes it."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 2**40:
        return int(value)
    if isinstance(value, str):
        try:
            return max(0, int(datetime.fromisoformat(value).timestamp()))
        except (ValueError, OverflowError, OSError):
            return 0
    return 0


def read_refused(answer: Any) -> dict[str, int]:
    """Chat → WhatsApp's code, of those to whom it was not done. Pure.

    GOWS: ``[{"JID", "Error"}]``; NOWEB: ``[{"jid", "status": "200"}]``; WEBJS: ``{<id>: {"code", "message"}}``.
    """
    if isinstance(answer, dict):
        rows = [mapping(value) | {"id": name} for name, value in answer.items() if isinstance(value, dict)]
    else:
        rows = [mapping(each) for each in answer] if isinstance(answer, list) else []
    found = {}
    for row in rows:
        code = next((row[name] for name in ("Error", "status", "code") if name in row), 0)
        number = int(code) if str(code).isdecimal() and len(str(code)) < 10 else 0
        chat = _jid(row, "JID", "jid", "id")
        if chat and number not in _FINE:
            found[chat] = number
    return found
