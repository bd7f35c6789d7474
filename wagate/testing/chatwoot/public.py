"""The public API: no token, the inbox's identifier is the secret."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from wagate.testing.chatwoot import answers, contacts, conversations, messages
from wagate.testing.chatwoot.payloads import attachment_data
from wagate.testing.chatwoot.routes import given, matched, uploads
from wagate.testing.chatwoot.state import SIDES, ContactInbox, Conversation, Inbox, Json, RefusedError, State
from wagate.testing.server import Reply, Seen

_P = "public/api/v1/inboxes/*/contacts"


class Public:
    """Answers below ``/public/api/v1/inboxes/``."""

    def __init__(self, state: State, base: Callable[[], str]) -> None:
        self._state = state
        self._base = base

    def answer(self, seen: Seen) -> Reply | None:
        """None: no path of this API."""
        for method, pattern, act in (
            ("POST", _P, self._create),
            ("GET", f"{_P}/*", self._show),
            ("PATCH", f"{_P}/*", self._update),
            ("GET", f"{_P}/*/conversations", self._conversations),
            ("POST", f"{_P}/*/conversations", self._start),
            ("GET", f"{_P}/*/conversations/*", self._conversation),
            ("POST", f"{_P}/*/conversations/*/toggle_status", self._resolve),
            ("POST", f"{_P}/*/conversations/*/toggle_typing", self._typing),
            ("POST", f"{_P}/*/conversations/*/update_last_seen", self._seen),
            ("POST", f"{_P}/*/conversations/*/messages", self._post),
        ):
            parts = matched(pattern, seen.path)
            if method == seen.method and parts is not None:
                inbox = next((each for each in self._state.inboxes if each.identifier == parts[0]), None)
                if inbox is None:
                    raise RefusedError(404, {"error": "Resource could not be found"})
                return act(inbox, list(parts[1:]), seen)
        return None

    def _source(self, inbox: Inbox, source_id: str) -> ContactInbox:
        found = self._state.by_source(inbox, source_id)
        if found is None:
            raise RefusedError(404, {"error": "Resource could not be found"})
        return found

    def _at(self, inbox: Inbox, parts: list[str]) -> Conversation:
        source = self._source(inbox, parts[0])
        for each in self._state.conversations:
            if each.contact_inbox is source and str(each.id) == parts[1]:
                return each
        raise RefusedError(404, {"error": "Resource could not be found"})

    def _create(self, inbox: Inbox, _parts: list[str], seen: Seen) -> Reply:
        body = given(seen)
        if inbox.hmac_mandatory:
            wanted = hmac.new(inbox.hmac_token.encode(), (body.get("identifier") or "").encode(), hashlib.sha256)
            if body.get("identifier_hash") != wanted.hexdigest():
                raise RefusedError(500, "<html><body>HMAC failed: Invalid Identifier Hash Provided</body></html>")
        return Reply(json=_shown(contacts.upsert(self._state, inbox, body)))  # who is there already is not updated

    def _show(self, inbox: Inbox, parts: list[str], _seen: Seen) -> Reply:
        return Reply(json=_shown(self._source(inbox, parts[0])))

    def _update(self, inbox: Inbox, parts: list[str], seen: Seen) -> Reply:
        found = self._source(inbox, parts[0])
        contacts.update(self._state, found.contact, given(seen))
        return Reply(json=_shown(found))

    def _conversations(self, inbox: Inbox, parts: list[str], _seen: Seen) -> Reply:
        source = self._source(inbox, parts[0])
        rows = [each for each in self._state.conversations if each.contact_inbox is source]
        return Reply(json=[self._shown(each) for each in rows])

    def _start(self, inbox: Inbox, parts: list[str], seen: Seen) -> Reply:
        return Reply(json=self._shown(conversations.start(self._state, self._source(inbox, parts[0]), given(seen))))

    def _conversation(self, inbox: Inbox, parts: list[str], _seen: Seen) -> Reply:
        return Reply(json=self._shown(self._at(inbox, parts)))

    def _resolve(self, inbox: Inbox, parts: list[str], _seen: Seen) -> Reply:
        row = self._at(inbox, parts)
        conversations.set_status(self._state, row, "resolved")
        return Reply(json=self._shown(row))

    def _typing(self, inbox: Inbox, parts: list[str], seen: Seen) -> Reply:
        row = self._at(inbox, parts)
        conversations.typing(self._state, row, row.contact, given(seen).get("typing_status") == "on")
        return Reply()

    def _seen(self, inbox: Inbox, parts: list[str], _request: Seen) -> Reply:
        """Everything that was written to the contact up to now counts as read."""
        row = self._at(inbox, parts)
        row.contact_last_seen_at = self._state.now()
        for each in self._state.messages_of(row):
            if each.message_type == "outgoing" and each.status in {"sent", "delivered"}:
                messages.set_status(self._state, each, "read")
        return Reply()

    def _post(self, inbox: Inbox, parts: list[str], seen: Seen) -> Reply:
        row, body = self._at(inbox, parts), given(seen)
        made = messages.write(
            self._state,
            row,
            "incoming",
            body.get("content"),
            sender=row.contact,
            files=uploads(seen),
            echo_id=body.get("echo_id"),
            by_api=True,
        )
        found: Json = {
            "id": made.id,
            "content": made.content,
            "message_type": SIDES.index(made.message_type),
            "content_type": made.content_type,
            "content_attributes": made.content_attributes,
            "created_at": int(made.created_at),
            "conversation_id": row.id,
            "attachments": [attachment_data(self._base(), each) for each in made.attachments],
        }
        return Reply(json=found)

    def _shown(self, row: Conversation) -> Json:
        rows = [answers.message(self._base(), each) for each in self._state.messages_of(row) if not each.private]
        contact = answers.contact(self._state, row.contact, inboxes=False)
        shown: Json = {"id": row.id, "uuid": row.uuid, "inbox_id": row.inbox.id, "status": row.status}
        return shown | {"contact_last_seen_at": int(row.contact_last_seen_at), "messages": rows, "contact": contact}


def _shown(row: ContactInbox) -> Json:
    contact = row.contact
    return {
        "source_id": row.source_id,
        "pubsub_token": row.pubsub_token,
        "id": contact.id,
        "name": contact.name,
        "email": contact.email,
        "phone_number": contact.phone_number,
    }
