"""A fake Chatwoot: a real HTTP server with its API, its webhooks and all their misbehaviour."""

from wagate.testing.chatwoot import faults
from wagate.testing.chatwoot.agent import Agent
from wagate.testing.chatwoot.messages import Upload
from wagate.testing.chatwoot.server import FakeChatwoot
from wagate.testing.chatwoot.state import (
    Account,
    AccountWebhook,
    Attachment,
    Contact,
    ContactInbox,
    Conversation,
    Inbox,
    Message,
    User,
)
from wagate.testing.chatwoot.webhooks import Habits, Webhook, encoded, signature

__all__ = [
    "Account",
    "AccountWebhook",
    "Agent",
    "Attachment",
    "Contact",
    "ContactInbox",
    "Conversation",
    "FakeChatwoot",
    "Habits",
    "Inbox",
    "Message",
    "Upload",
    "User",
    "Webhook",
    "encoded",
    "faults",
    "signature",
]
