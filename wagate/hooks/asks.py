"""What a provider may be asked beyond sending: people, chats, groups, channels, our own profile.

All of it is optional. `Provider.answers` maps an `Ask` to the function that does it; what is not in there, the provider
can't do. Whoever asks (`Sessions.ask`) gets a value of the ask's ``answer``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, Literal

import msgspec

from wagate.hooks.answers import ChannelMessage, ChannelView, GroupView, Label
from wagate.hooks.messages import OutFile

MemberChange = Literal["add", "remove", "promote", "demote"]
ChatMark = Literal["archive", "unarchive", "unread", "read", "delete", "clear"]
ChannelMark = Literal["follow", "unfollow", "mute", "unmute"]


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all asks."""

    answer: ClassVar[Any] = None
    """The type of what comes back; None: nothing."""


class FindNumber(Ask, frozen=True, kw_only=True):
    """The chat's key of a phone number on WhatsApp; '' when it is not there."""

    answer: ClassVar[Any] = str
    phone: str
    """Digits."""


class FindLid(Ask, frozen=True, kw_only=True):
    """The LID's key of a number; '' when it is not known."""

    answer: ClassVar[Any] = str
    chat: str
    """``<digits>@c.us``."""


class ReadAbout(Ask, frozen=True, kw_only=True):
    """The line that a person writes about themselves; '' when it can't be seen."""

    answer: ClassVar[Any] = str
    chat: str


class BlockPerson(Ask, frozen=True, kw_only=True):
    """Block or unblock someone."""

    chat: str
    on: bool


class NamePerson(Ask, frozen=True, kw_only=True):
    """Save someone's name in the phone's address book."""

    chat: str
    first_name: str
    full_name: str


class MarkChat(Ask, frozen=True, kw_only=True):
    """Do something to a chat as a whole, on all of our own devices."""

    chat: str
    mark: ChatMark
    last_id: str = ""
    """The provider's id of its last message; '' when it is not known."""
    last_at: int = 0
    """Unix seconds of that message; 0 when it is not known."""


class StarMessage(Ask, frozen=True, kw_only=True):
    """Put a star on a message, or take it away."""

    chat: str
    message_id: str
    """The provider's."""
    on: bool


class PinMessage(Ask, frozen=True, kw_only=True):
    """Pin a message for all in its chat, or unpin it."""

    chat: str
    message_id: str
    """The provider's."""
    seconds: int
    """For how long: a day, a week or 30 days; 0 unpins it."""


class VotePoll(Ask, frozen=True, kw_only=True):
    """Vote in a poll."""

    chat: str
    message_id: str
    """The provider's id of the poll."""
    options: tuple[str, ...]
    """Those that we choose, as the poll words them; () takes the vote back."""


class PostEvent(Ask, frozen=True, kw_only=True):
    """Invite a chat to an event; the provider's id of the message."""

    answer: ClassVar[Any] = str
    chat: str
    name: str
    start: int
    """Unix seconds, as ``end``."""
    end: int = 0
    """0: not said."""
    description: str = ""
    place: str = ""
    extra_guests: bool = False
    """Whether those who come may bring others."""
    reply_to: str = ""
    """The provider's id of a message that it answers."""


class PressButton(Ask, frozen=True, kw_only=True):
    """Answer a message that has buttons, as if one was pressed; the provider's id of the answer."""

    answer: ClassVar[Any] = str
    chat: str
    button_id: str
    text: str
    """What stands on it."""
    reply_to: str = ""
    """The provider's id of the message with the buttons."""


class SetOnline(Ask, frozen=True, kw_only=True):
    """Be shown as online, or not."""

    on: bool


class WatchPresence(Ask, frozen=True, kw_only=True):
    """Subscribe to someone's presence; it comes as events ``presence.update``."""

    chat: str


class RejectCall(Ask, frozen=True, kw_only=True):
    """Reject a call that rings."""

    chat: str
    """Who calls."""
    call_id: str


class SetOwnName(Ask, frozen=True, kw_only=True):
    """The name that people see of us."""

    name: str


class SetOwnAbout(Ask, frozen=True, kw_only=True):
    """Set the about text."""

    text: str


class SetPicture(Ask, frozen=True, kw_only=True):
    """Our own picture, or a group's."""

    chat: str
    """'' is our own."""
    file: OutFile | None
    """A JPEG with a ``path``; None takes the picture away."""


class PostStory(Ask, frozen=True, kw_only=True):
    """Publish a story (a status); the provider's id of it."""

    answer: ClassVar[Any] = str
    type: Literal["text", "image", "video", "voice"]
    text: str = ""
    """The text, or the caption of a file."""
    file: OutFile | None = None
    """With a ``path``."""
    background: str = ""
    """Of a text: ``#rrggbb``."""
    font: int = 0
    to: tuple[str, ...] = ()
    """Keys of those who may see it; (): all contacts."""


class DeleteStory(Ask, frozen=True, kw_only=True):
    """Take a story of ours back."""

    message_id: str
    """As `PostStory` answered."""


class ListGroups(Ask, frozen=True, kw_only=True):
    """The groups that we are in."""

    answer: ClassVar[Any] = tuple[GroupView, ...]


class ReadGroup(Ask, frozen=True, kw_only=True):
    """One group that we are in."""

    answer: ClassVar[Any] = GroupView
    chat: str


class CreateGroup(Ask, frozen=True, kw_only=True):
    """Make a group."""

    answer: ClassVar[Any] = GroupView
    subject: str
    members: tuple[str, ...]
    """Chat keys."""


class ChangeGroup(Ask, frozen=True, kw_only=True):
    """Change what is set here of a group; None leaves a thing as it is."""

    chat: str
    subject: str | None = None
    description: str | None = None
    only_admins_write: bool | None = None
    only_admins_edit: bool | None = None


class ChangeMembers(Ask, frozen=True, kw_only=True):
    """Add people to a group, or remove, promote or demote them; those for whom it was refused, with WhatsApp's code."""

    answer: ClassVar[Any] = dict[str, int]
    chat: str
    change: MemberChange
    members: tuple[str, ...]
    """Chat keys."""


class LeaveGroup(Ask, frozen=True, kw_only=True):
    """Leave a group."""

    chat: str


class InviteCode(Ask, frozen=True, kw_only=True):
    """The code in a group's invite link."""

    answer: ClassVar[Any] = str
    chat: str
    renew: bool = False
    """Make a new one; the old link ends."""


class ReadInvite(Ask, frozen=True, kw_only=True):
    """The group behind an invite code."""

    answer: ClassVar[Any] = GroupView
    code: str


class JoinGroup(Ask, frozen=True, kw_only=True):
    """Join by an invite code; the group's key."""

    answer: ClassVar[Any] = str
    code: str


class ListChannels(Ask, frozen=True, kw_only=True):
    """The channels that we follow."""

    answer: ClassVar[Any] = tuple[ChannelView, ...]


class ReadChannel(Ask, frozen=True, kw_only=True):
    """One channel, by its key or the code of its link."""

    answer: ClassVar[Any] = ChannelView
    chat: str


class ReadChannelMessages(Ask, frozen=True, kw_only=True):
    """The newest messages of a channel, followed or not; the oldest of them first."""

    answer: ClassVar[Any] = tuple[ChannelMessage, ...]
    chat: str
    """Its key, or the code of its link."""
    limit: int
    """At most so many, 1 to 100."""


class CreateChannel(Ask, frozen=True, kw_only=True):
    """Make a channel."""

    answer: ClassVar[Any] = ChannelView
    name: str
    description: str = ""
    picture: OutFile | None = None
    """A JPEG with a ``path``."""


class MarkChannel(Ask, frozen=True, kw_only=True):
    """Follow or mute a channel, or no longer."""

    chat: str
    mark: ChannelMark


class ListLabels(Ask, frozen=True, kw_only=True):
    """All labels; those of one chat."""

    answer: ClassVar[Any] = tuple[Label, ...]
    chat: str = ""
    """'': all."""


class ListLabeled(Ask, frozen=True, kw_only=True):
    """The keys of the chats that have a label."""

    answer: ClassVar[Any] = tuple[str, ...]
    label_id: str


class PutLabel(Ask, frozen=True, kw_only=True):
    """Make a label, or change one."""

    answer: ClassVar[Any] = Label
    name: str
    color: int
    label_id: str = ""
    """'': a new one."""


class DeleteLabel(Ask, frozen=True, kw_only=True):
    """Delete a label."""

    label_id: str


class LabelChat(Ask, frozen=True, kw_only=True):
    """Give a chat just these labels."""

    chat: str
    label_ids: tuple[str, ...]


Answer = Callable[[Any, Any], Awaitable[Any]]
"""(an `Ask`, the `ProviderAccount`) → a value of the ask's ``answer``. A few seconds at most: somebody waits. May raise
as ``Provider.send``."""
Answers = Mapping[type[Ask], Answer]
ASKS: tuple[type[Ask], ...] = tuple(Ask.__subclasses__())
"""All that can be asked."""
