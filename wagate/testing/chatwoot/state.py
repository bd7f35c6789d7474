"""What a Chatwoot knows: plain rows, and how they are found."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, TypeVar
from uuid import uuid4

Json = dict[str, Any]
T = TypeVar("T")
Role = Literal["administrator", "agent", "bot"]
Side = Literal["incoming", "outgoing", "activity", "template"]
SIDES: tuple[Side, ...] = ("incoming", "outgoing", "activity", "template")
"""A message's ``message_type`` is the place in this list, but in webhooks' top level, where it is the word."""


class RefusedError(Exception):
    """Chatwoot answers so, and changes nothing."""

    def __init__(self, status: int, body: Json | str | None) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body
        """An object: JSON; text: HTML or plain text; None: nothing."""


@dataclass(kw_only=True)
class Account:
    """One account of the server."""

    id: int
    name: str
    suspended: bool = False


@dataclass(kw_only=True)
class User:
    """Who has a token: an administrator, an agent or a bot."""

    id: int
    account: Account
    name: str
    email: str
    token: str
    role: Role = "agent"


@dataclass(kw_only=True)
class Inbox:
    """An inbox of type API, unless ``channel`` says otherwise."""

    id: int
    account: Account
    name: str
    webhook_url: str
    secret: str
    """'' on servers before 4.13, which don't sign."""
    identifier: str
    channel: str = "Channel::Api"
    hmac_token: str = "fakeHmacToken0123456789ab"  # noqa: S105
    hmac_mandatory: bool = False
    lock_to_single_conversation: bool = False
    allow_messages_after_resolved: bool = True
    agent_bot: bool = False
    """Re-opened conversations become pending."""
    greeting: str = ""
    """Sent to who writes in a conversation in which nobody answered yet; '' is switched off."""
    out_of_office: str = ""
    """Sent once a day to who writes; '' while somebody is there."""
    members: list[int] | None = None
    """Ids of agents who may see it; None: all. Administrators may in any case."""
    additional_attributes: Json = field(default_factory=dict)


@dataclass(kw_only=True)
class AccountWebhook:
    """A webhook of the account, beside the inbox's."""

    id: int
    account: Account
    url: str
    name: str
    subscriptions: list[str]
    secret: str


@dataclass(kw_only=True)
class Contact:
    """A person, a group, whatever writes."""

    id: int
    account: Account
    name: str = ""
    email: str | None = None
    phone_number: str | None = None
    identifier: str | None = None
    avatar_url: str = ""
    blocked: bool = False
    custom_attributes: Json = field(default_factory=dict)
    additional_attributes: Json = field(default_factory=dict)
    created_at: float = 0.0


@dataclass(kw_only=True)
class ContactInbox:
    """A contact's name in an inbox."""

    id: int
    contact: Contact
    inbox: Inbox
    source_id: str
    created_at: float
    pubsub_token: str = "Yoar8V4eoFAKEkAjH4JxD"  # noqa: S105


@dataclass(kw_only=True, eq=False)
class Conversation:
    """A conversation; ``id`` is the display id, counted by account."""

    id: int
    account: Account
    contact_inbox: ContactInbox
    created_at: float
    uuid: str = field(default_factory=lambda: str(uuid4()))
    status: str = "open"
    assignee: User | None = None
    muted: bool = False
    labels: list[str] = field(default_factory=list)
    priority: str | None = None
    snoozed_until: int | None = None
    custom_attributes: Json = field(default_factory=dict)
    additional_attributes: Json = field(default_factory=dict)
    first_reply_created_at: float | None = None
    waiting_since: float = 0.0
    agent_last_seen_at: float = 0.0
    contact_last_seen_at: float = 0.0
    last_activity_at: float = 0.0
    updated_at: float = 0.0

    @property
    def inbox(self) -> Inbox:
        """Where it is."""
        return self.contact_inbox.inbox

    @property
    def contact(self) -> Contact:
        """With whom."""
        return self.contact_inbox.contact


@dataclass(kw_only=True)
class Attachment:
    """A file of a message."""

    id: int
    message_id: int
    account_id: int
    file_type: str
    """image, audio, video or file."""
    filename: str
    content_type: str
    content: bytes
    """What is served at its URL; of a long upload the first 2 MB."""
    size: int
    sha256: str
    """Of the whole file, as ``size``."""
    voice: bool = False


@dataclass(kw_only=True, eq=False)
class Message:
    """One message; ids count over the whole server."""

    id: int
    conversation: Conversation
    message_type: Side
    content: str | None
    created_at: float
    sender: User | Contact | None = None
    private: bool = False
    status: str = "sent"
    source_id: str | None = None
    content_type: str = "text"
    content_attributes: Json = field(default_factory=dict)
    additional_attributes: Json = field(default_factory=dict)
    attachments: list[Attachment] = field(default_factory=list)
    echo_id: str | None = None
    updated_at: float = 0.0
    by_api: bool = False
    """It was posted over the API, not written by an agent."""


class Tell(Protocol):
    """Tell of a change: a webhook for it."""

    def __call__(self, event: str, subject: Any, *, changed: list[Json] | None = None, **extra: Any) -> None:
        """``subject``: the message, conversation or contact."""


@dataclass(kw_only=True)
class State:
    """One server. ``now`` is its clock, ``tell`` what is called with every change."""

    now: Callable[[], float]
    tell: Tell = lambda *_args, **_extra: None
    users: list[User] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    inboxes: list[Inbox] = field(default_factory=list)
    webhooks: list[AccountWebhook] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    contact_inboxes: list[ContactInbox] = field(default_factory=list)
    conversations: list[Conversation] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    racing: list[Json] = field(default_factory=list)
    """Contacts that somebody else makes between the check of the next new one and its row."""
    null_errors: bool = False
    """``external_error`` is null where there is none, as on some servers; else it is left out."""
    flood: int | None = 200
    """Messages a minute that one conversation takes; None: any number."""
    _ids: dict[str, itertools.count[int]] = field(default_factory=dict)

    def next_id(self, table: str, *, first: int = 1) -> int:
        """The next number of a table."""
        return next(self._ids.setdefault(table, itertools.count(first)))

    def inbox(self, account: Account, inbox_id: object) -> Inbox:
        """404 when there is none."""
        return _found(each for each in self.inboxes if each.account is account and str(each.id) == str(inbox_id))

    def contact(self, account: Account, contact_id: object) -> Contact:
        """404 when there is none."""
        return _found(each for each in self.contacts if each.account is account and str(each.id) == str(contact_id))

    def conversation(self, account: Account, display_id: object) -> Conversation:
        """404 when there is none."""
        return _found(
            each for each in self.conversations if each.account is account and str(each.id) == str(display_id)
        )

    def message(self, conversation: Conversation, message_id: object) -> Message:
        """404 when there is none."""
        return _found(each for each in self.messages_of(conversation) if str(each.id) == str(message_id))

    def messages_of(self, conversation: Conversation) -> list[Message]:
        """All of a conversation, in the order of their writing."""
        return [each for each in self.messages if each.conversation is conversation]

    def last(self, conversation: Conversation) -> Message | None:
        """The last message of any kind, notes and activities too, which lists carry."""
        return next(iter(reversed(self.messages_of(conversation))), None)

    def can_reply(self, conversation: Conversation) -> bool:
        """Whether the inbox's window for answers is open (app/services/conversations/message_window_service.rb)."""
        hours = conversation.inbox.additional_attributes.get("agent_reply_time_window")
        if not hours:
            return True
        theirs = [each.created_at for each in self.messages_of(conversation) if each.message_type == "incoming"]
        return bool(theirs) and self.now() < max(theirs) + int(hours) * 3600

    def shown(self, conversation: Conversation) -> Message | None:
        """The last public message of a conversation, which webhooks carry as ``messages[0]``."""
        return next(
            (
                each
                for each in reversed(self.messages)
                if each.conversation is conversation and not each.private and each.message_type != "activity"
            ),
            None,
        )

    def sources_of(self, contact: Contact) -> list[ContactInbox]:
        """A contact's names in inboxes."""
        return [each for each in self.contact_inboxes if each.contact is contact]

    def by_source(self, inbox: Inbox, source_id: str) -> ContactInbox | None:
        """Who has this name in an inbox."""
        return next(
            (each for each in self.contact_inboxes if each.inbox is inbox and each.source_id == source_id), None
        )

    def attachment(self, attachment_id: str) -> Attachment:
        """404 when there is none."""
        return _found(each for row in self.messages for each in row.attachments if str(each.id) == attachment_id)


def _found(rows: Iterable[T]) -> T:
    for row in rows:
        return row
    raise RefusedError(404, {"error": "Resource could not be found"})


def iso(moment: float) -> str:
    """``2026-06-17T12:40:00.123Z``."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
