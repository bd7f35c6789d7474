"""``[plugins.chatwoot]``: inboxes, and how messages look in them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import field

from wagate.hooks import Duration, Rate, SecretText

Id = Annotated[int, msgspec.Meta(ge=1)]


class Conversations(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which conversation a message goes to."""

    mode: Literal["reuse", "new"] = "reuse"
    """``reuse``: one conversation for a chat while it is in one of ``status``; ``new``: a resolved one is followed by
    a new one."""
    status: tuple[Literal["open", "pending", "snoozed", "resolved"], ...] = ("open", "pending", "snoozed", "resolved")
    """Conversations in these states are used again. A message re-opens a resolved one by itself."""
    sort: Literal["activity_newest", "activity_oldest", "created_newest", "created_oldest"] = "activity_newest"
    """Which of several."""


class Commands(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What agents may tell wagate in the status conversation."""

    enabled: bool = True
    agents: tuple[str, ...] = ()
    """E-mail addresses of the agents who may; () is everybody who can write in the inbox."""


class Inbox(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One API inbox of Chatwoot and the number behind it."""

    url: str
    """Chatwoot's address, as in ``https://chat.example.org``."""
    account_id: Id
    """The number in Chatwoot's URLs: ``/app/accounts/<id>``."""
    token: SecretText
    """Access token of an agent or administrator; a bot's does not do."""
    inbox_id: Id
    """The API inbox."""
    accounts: tuple[str, ...] = ()
    """wagate's accounts that this inbox shows; () is all of ``client``. Several inboxes may show one account."""
    client: str = "default"
    """Whose accounts, by slug."""
    secret: SecretText = ""
    """The webhook's secret (an administrator sees it in the inbox's settings). '' for servers before 4.13 that don't
    sign; then ``webhook_token`` is needed."""
    webhook_token: SecretText = ""
    """What ``?token=`` of the webhook's URL must be, when there is no ``secret``."""
    locale: str = "en"
    """Of the texts that wagate writes: en, pt, es, de, fr, it, id, ar, tr, ru, or one of ``templates``."""
    own_messages: Literal["outgoing", "private", "off"] = "outgoing"
    """Messages sent from the phone: shown as an agent's, as a private note, or not."""
    conversations: Conversations = Conversations()
    profiles: bool = True
    """Ask the provider for the name of a group or channel, and for everybody's picture, when a contact is made."""
    mark_read: bool = True
    """Show blue ticks on WhatsApp when an agent replies."""
    mark_read_assigned: bool = False
    """Show them already when somebody takes the conversation."""
    typing_delay: Duration = Duration("0s")
    """How long WhatsApp shows "typing" before a message of an agent."""
    show_typing: bool = True
    """Show agents that a customer types or records, where the provider tells (WAHA does)."""
    voice: Literal["recorded", "all"] = "recorded"
    """Which sounds of agents leave as voice messages: what was recorded in Chatwoot, or every sound file."""
    signature: bool = False
    """Put the agent's name in front of what they write."""
    files_from: tuple[str, ...] = ()
    """Where agents' files may be but in Chatwoot, as in ``https://files.example.org``: for links that lead
    straight to a bucket. Private addresses are refused all the same."""
    error_notes: bool = True
    """Write a private note, with a link to the delivery, when a message could not be sent."""
    status_conversation: bool = True
    """Keep a contact "WhatsApp integration" that tells of session changes, shows the QR code and takes commands."""
    reorder: Duration = Duration("0.25s")
    """How long an agent's message waits for one written before it: Chatwoot's webhooks come in any order."""
    commands: Commands = Commands()
    pull: Rate = Rate("2/s")
    """How fast contacts and older messages are written when somebody asks for them."""

    def __repr__(self) -> str:
        return f"Inbox(url={self.url!r}, account_id={self.account_id}, inbox_id={self.inbox_id})"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[plugins.chatwoot]``."""

    inboxes: dict[str, Inbox] = field(default_factory=dict)
    """``[plugins.chatwoot.inboxes.<name>]``; the name is ``app_id`` in the webhook's URL."""
    templates: str = ""
    """A folder with texts of your own: ``<locale>.toml``."""
    keep: Duration = Duration("365d")
    """How long it is remembered which message in Chatwoot is which on WhatsApp."""
