"""Try an inbox in both directions: write a note in Chatwoot, and see whether Chatwoot's webhook about it came."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from wagate.hooks import Finding
from wagate.http import HttpClient
from wagate.parsing.fields import first_text, mapping
from wagate_chatwoot.agents.asks import STATUS_SOURCE
from wagate_chatwoot.api.client import Chatwoot
from wagate_chatwoot.api.errors import ChatwootError, TakenError
from wagate_chatwoot.settings import Inbox
from wagate_chatwoot.setup.check import failure_finding, token_finding
from wagate_chatwoot.to_chatwoot.posts import Post

PATIENCE: Final = 12.0
"""Seconds: Chatwoot gives a webhook 5, and its queue takes its time."""
EVERY: Final = 0.25
OUT: Final = "wagate to Chatwoot"
BACK: Final = "Chatwoot to wagate"

Heard = Callable[[], Awaitable[float | None]]
"""When the gateway last heard of Chatwoot, Unix seconds; None: it does not know the inbox."""


async def trial(http: HttpClient, inbox: Inbox, *, note: str, name: str, heard: Heard) -> list[Finding]:
    """One line for each direction. ``note`` is what is written; only agents see it."""
    chatwoot = Chatwoot(http, inbox)
    before = await heard()
    try:
        conversation = await _conversation(chatwoot, inbox, name)
        post = Post(content=note, message_type="outgoing", private=True)
        message = await chatwoot.post(conversation, post)
        found = [Finding(level="ok", what=OUT, detail="a note was written")]
        return [*found, await _back(chatwoot, conversation, message.id, before, heard)]
    except ChatwootError as error:
        finding = token_finding(error)
        return [Finding(level="fail", what=OUT, detail=finding.detail, next_step=finding.next_step)]


async def _back(chatwoot: Chatwoot, conversation: int, message: int, before: float | None, heard: Heard) -> Finding:
    with trio.move_on_after(PATIENCE):
        while True:
            now = await heard()
            if now is not None and now > (before or 0.0):
                return Finding(level="ok", what=BACK, detail="its webhook arrived and was verified")
            if said := await _error(chatwoot, conversation, message):
                return _failed(said, known=now is not None)
            await trio.sleep(EVERY)
    step = "check Chatwoot's worker (Sidekiq): its webhooks may be late, or the inbox has a different webhook URL"
    return Finding(level="warn", what=BACK, detail=f"nothing came in {PATIENCE:g} s", next_step=step)


def _failed(said: str, *, known: bool) -> Finding:
    if said.startswith("404") and not known:
        step = "restart the gateway, so that it knows the inbox, and try again with: wagate chatwoot test"
        return Finding(level="warn", what=BACK, detail="Chatwoot reaches a gateway (404)", next_step=step)
    finding = failure_finding(said)
    step = finding.next_step if finding is not None else "check the gateway's log"
    return Finding(level="fail", what=BACK, detail=said, next_step=step)


async def _error(chatwoot: Chatwoot, conversation: int, message: int) -> str:
    for row in await chatwoot.messages(conversation):
        if row.get("id") == message and row.get("status") == "failed":
            return first_text(mapping(row.get("content_attributes")), "external_error") or "failed"
    return ""


async def _conversation(chatwoot: Chatwoot, inbox: Inbox, name: str) -> int:
    """The conversation of the integration, as the gateway would find or make it."""
    contact = await chatwoot.contact_by_source(STATUS_SOURCE)
    if contact is None:
        try:
            contact = await chatwoot.create_contact(STATUS_SOURCE, name=name, identifier=STATUS_SOURCE)
        except TakenError:
            [contact, *_] = await chatwoot.contacts_with([("identifier", STATUS_SOURCE)])
            await chatwoot.add_source(contact.id, STATUS_SOURCE)
    ours = [each for each in await chatwoot.conversations_of(contact.id) if each.inbox_id == inbox.inbox_id]
    if ours:
        return max(each.id for each in ours)
    return (await chatwoot.create_conversation(contact.id, STATUS_SOURCE)).id
