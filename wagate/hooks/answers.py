"""What providers tell of groups, channels and labels, when they are asked (`wagate.hooks.asks`)."""

from __future__ import annotations

from typing import Literal

import msgspec

Role = Literal["member", "admin", "owner"]


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in a group."""

    chat: str
    """Their key: the phone's when it is known, else the LID."""
    lid: str = ""
    """The key of their LID; '' when it is not known."""
    role: Role = "member"


class GroupView(msgspec.Struct, frozen=True, kw_only=True):
    """A group."""

    chat: str
    """``<id>@g.us``."""
    subject: str = ""
    description: str = ""
    owner: str = ""
    """The key of who made it; '' when that is not known."""
    created_at: int = 0
    """Unix seconds; 0 when not known."""
    only_admins_write: bool = False
    only_admins_edit: bool = False
    """Whether only admins change subject, description and picture."""
    members: tuple[Member, ...] = ()


class ChannelView(msgspec.Struct, frozen=True, kw_only=True):
    """A channel."""

    chat: str
    """``<id>@newsletter``."""
    name: str = ""
    description: str = ""
    invite: str = ""
    """The code in its link."""
    picture: str = ""
    """A URL."""
    subscribers: int = 0
    role: Literal["owner", "admin", "subscriber", "guest"] = "subscriber"
    verified: bool = False


class ChannelMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message in a channel."""

    id: str
    """Its number in the channel."""
    type: str
    """As of events."""
    text: str = ""
    has_media: bool = False
    views: int = 0
    reactions: dict[str, int] = {}
    """How often each emoji was given."""


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """A label of WhatsApp Business."""

    id: str
    name: str
    color: int = 0
    """Its number, 0 to 19."""
