"""What the gateway may ask about groups, and about channels, which whatsmeow calls newsletters.

Source of what whatsmeow does with each: ``group.go``, ``newsletter.go``; of what its C functions take: neonize,
``goneonize/main.go``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict

from wagate_whatsapp_child.flat import Json, jid, slim
from wagate_whatsapp_child.library import Library
from wagate_whatsapp_child.session import Act, Session, as_jid, as_jids


def listed(library: Library, session: Session, _line: Json) -> list[Json]:
    """All groups that the number is in, with their members."""
    found = library.answer("GetJoinedGroupsReturnFunction", library.go.GetJoinedGroups(session.key))
    return [_group(each) for each in found.Group]


def read(library: Library, session: Session, line: Json) -> Json:
    """One group (``chat``) that the number is in."""
    raw = library.go.GetGroupInfo(*session.of(as_jid(library, line["chat"])))
    return _group(library.answer("GetGroupInfoReturnFunction", raw).GroupInfo)


def invited(library: Library, session: Session, line: Json) -> Json:
    """The group behind an invite's ``code``; the number does not join it."""
    raw = library.go.GetGroupInfoFromLink(session.key, line["code"].encode())
    return _group(library.answer("GetGroupInfoReturnFunction", raw).GroupInfo)


def create(library: Library, session: Session, line: Json) -> Json:
    """A new group with a ``subject`` and ``members``."""
    wanted = library.types.ReqCreateGroup(
        name=line["subject"], Participants=as_jids(library, line["members"]), CreateKey=""
    ).SerializeToString()
    raw = library.go.CreateGroup(*session.of(wanted))
    return _group(library.answer("GetGroupInfoReturnFunction", raw).GroupInfo)


def change(library: Library, session: Session, line: Json) -> None:
    """Set what the line has of a group: ``subject``, ``description``, ``write`` and ``edit`` (only admins may)."""
    go, chat = library.go, session.of(as_jid(library, line["chat"]))
    if line.get("subject") is not None:
        library.done(go.SetGroupName(*chat, line["subject"].encode()))
    if line.get("description") is not None:
        library.done(go.SetGroupTopic(*chat, b"", b"", line["description"].encode()))
    if line.get("write") is not None:
        library.done(go.SetGroupAnnounce(*chat, line["write"]))
    if line.get("edit") is not None:
        library.done(go.SetGroupLocked(*chat, line["edit"]))


def members(library: Library, session: Session, line: Json) -> list[Json]:
    """``change`` (add, remove, promote, demote) ``members`` of a group; each with WhatsApp's ``error``, 0 for none."""
    who = library.types.JIDArray(JIDS=as_jids(library, line["members"])).SerializeToString()
    arguments = session.of(as_jid(library, line["chat"]), who)
    raw = library.go.UpdateGroupParticipants(*arguments, line["change"].encode())
    found = library.answer("UpdateGroupParticipantsReturnFunction", raw).participants
    return [_member(each) | {"error": each.Error} for each in found]


def leave(library: Library, session: Session, line: Json) -> None:
    """Leave a group."""
    library.done(library.go.LeaveGroup(*session.of(as_jid(library, line["chat"]))))


def invite(library: Library, session: Session, line: Json) -> str:
    """A group's invite link; ``renew`` ends the old one."""
    raw = library.go.GetGroupInviteLink(*session.of(as_jid(library, line["chat"])), line["renew"])
    return str(library.answer("GetGroupInviteLinkReturnFunction", raw).InviteLink)


def join(library: Library, session: Session, line: Json) -> str:
    """Join by an invite's ``code``; the group's JID."""
    raw = library.go.JoinGroupWithLink(session.key, line["code"].encode())
    return jid(library.answer("JoinGroupWithLinkReturnFunction", raw).Jid)


def _group(found: Any) -> Json:
    return {
        "jid": jid(found.JID),
        "subject": found.GroupName.Name,
        "description": found.GroupTopic.Topic,
        "owner": jid(found.OwnerPN) or jid(found.OwnerJID),
        "created": int(found.GroupCreated),
        "write": found.GroupAnnounce.IsAnnounce,
        "edit": found.GroupLocked.isLocked,
        "members": [_member(each) for each in found.Participants],
    }


def _member(found: Any) -> Json:
    return {
        "jid": jid(found.JID),
        "lid": jid(found.LID),
        "phone": jid(found.PhoneNumber),
        "role": "owner" if found.IsSuperAdmin else "admin" if found.IsAdmin else "member",
    }


GROUPS: dict[str, Act] = {
    "groups": listed,
    "group_read": read,
    "group_invited": invited,
    "group_create": create,
    "group_change": change,
    "group_members": members,
    "group_leave": leave,
    "group_invite": invite,
    "group_join": join,
}
"""By the name that the gateway asks with."""


def followed(library: Library, session: Session, _line: Json) -> list[Json]:
    """The channels that the number follows."""
    raw = library.go.GetSubscribedNewsletters(session.key)
    found = library.answer("GetSubscribedNewslettersReturnFunction", raw)
    return [_channel(library, each) for each in found.Newsletter]


def read_channel(library: Library, session: Session, line: Json) -> Json | None:
    """One channel, by its JID (``chat``) or the ``code`` of its link; None when there is none."""
    if line.get("code"):
        raw = library.go.GetNewsletterInfoWithInvite(session.key, line["code"].encode())
    else:
        raw = library.go.GetNewsletterInfo(*session.of(as_jid(library, line["chat"])))
    found = library.answer("CreateNewsLetterReturnFunction", raw)
    return _channel(library, found.NewsletterMetadata) if found.HasField("NewsletterMetadata") else None


def posted(library: Library, session: Session, line: Json) -> list[Json]:
    """The newest ``limit`` messages of a channel; the library gives neither their ids nor their times, only numbers."""
    raw = library.go.GetNewsletterMessages(*session.of(as_jid(library, line["chat"])), line["limit"], 0)
    found = library.answer("GetNewsletterMessageUpdateReturnFunction", raw).NewsletterMessage
    return [
        {
            "number": int(each.MessageServerID),
            "views": int(each.ViewsCount),
            "reactions": {one.type: int(one.count) for one in each.ReactionCounts},
            "message": slim(MessageToDict(each.Message, preserving_proto_field_name=True)),
        }
        for each in found
    ]


def mark(library: Library, session: Session, line: Json) -> None:
    """``follow``, ``unfollow``, ``mute`` or ``unmute`` a channel."""
    chat, word = session.of(as_jid(library, line["chat"])), line["mark"]
    if word == "follow":
        library.done(library.go.FollowNewsletter(*chat))
    elif word == "unfollow":
        library.done(library.go.UnfollowNewsletter(*chat))
    else:
        library.done(library.go.NewsletterToggleMute(*chat, word == "mute"))


def create_channel(library: Library, session: Session, line: Json) -> Json:
    """A new channel with a ``name``, a ``description``, and the JPEG at ``picture`` ('' for none)."""
    picture = Path(line["picture"]).read_bytes() if line["picture"] else b""
    wanted = library.types.CreateNewsletterParams(
        Name=line["name"], Description=line["description"], Picture=picture
    ).SerializeToString()
    raw = library.go.CreateNewsletter(*session.of(wanted))
    return _channel(library, library.answer("CreateNewsLetterReturnFunction", raw).NewsletterMetadata)


def _channel(library: Library, found: Any) -> Json:
    about, viewer = found.ThreadMeta, found.ViewerMeta
    role = library.types.NewsletterRole.Name(viewer.Role).lower() if found.HasField("ViewerMeta") else "guest"
    return {
        "jid": jid(found.ID),
        "name": about.Name.Text,
        "description": about.Description.Text,
        "invite": about.InviteCode,
        "picture": about.Picture.URL or about.Preview.URL,
        "subscribers": about.SubscriberCount,
        "role": role,
        "verified": about.VerificationState == library.types.NewsletterThreadMetadata.VERIFIED,
    }


CHANNELS: dict[str, Act] = {
    "channels": followed,
    "channel_read": read_channel,
    "channel_messages": posted,
    "channel_mark": mark,
    "channel_create": create_channel,
}
"""By the name that the gateway asks with."""
