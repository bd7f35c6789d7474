"""Chatwoot's application API, as far as it is needed (source: github.com/chatwoot/chatwoot, v4.15.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from wagate.http import HttpClient, HttpError, Response
from wagate_chatwoot.api.errors import AmbiguousError, AwayError, NotThereError, classify
from wagate_chatwoot.api.posts import File, Post, as_fields, as_json, upload
from wagate_chatwoot.settings import Inbox

S = TypeVar("S", bound=msgspec.Struct)

PATIENCE = 20.0
"""Seconds for an answer; more than `wagate_chatwoot.api.errors.LONGEST`, so that what timed out is over."""
TYPING = 5.0
"""Seconds for what is soon of no interest."""
MOST_ANSWER = 8_000_000
"""Bytes of an answer that are read: 100 messages of 150,000 characters hardly ever come."""


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """A person, a group or a channel."""

    id: int
    name: str | None = None
    phone_number: str | None = None
    identifier: str | None = None
    contact_inboxes: list[dict[str, Any]] = []
    """``source_id`` and ``inbox.id`` of each."""


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation; ``id`` is its display id."""

    id: int
    inbox_id: int | None = None
    status: str = ""
    created_at: Any = None
    """Unix seconds, as ``last_activity_at``."""
    last_activity_at: Any = None
    messages: list[dict[str, Any]] = []
    """The last one, when there is one."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message as lists and answers show it."""

    id: int
    conversation_id: int | None = None
    """Display id."""
    message_type: int | None = None
    """0 incoming, 1 outgoing, 2 activity, 3 template."""
    source_id: str | None = None
    created_at: Any = None
    """Unix seconds."""
    status: str | None = None
    attachments: list[Any] = []


class Chatwoot:
    """One account of one server. Every method raises what `wagate_chatwoot.api.errors.classify` gives."""

    def __init__(self, http: HttpClient, inbox: Inbox) -> None:
        self._http = http
        self._inbox = inbox
        self._base = f"{inbox.url.rstrip('/')}/api/v1/accounts/{inbox.account_id}"
        self._headers = {"api_access_token": inbox.token, "Accept": "application/json"}

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        creates: bool = False,
    ) -> Any:
        """One request for ``/api/v1/accounts/<id>/<path>``; the answer's JSON, None when it has none.

        ``creates``: twice would make two of it; then an unknown outcome is an AmbiguousError.
        """
        content = b"" if body is None else msgspec.json.encode(body)
        return await self._call(method, path, content, query=query, creates=creates)

    async def contact_by_source(self, source_id: str) -> Contact | None:
        """Whose source_id this is in our inbox."""
        body = {"inbox_id": self._inbox.inbox_id, "source_id": source_id}
        try:
            found = await self.call("POST", "contact_inboxes/filter", body)
        except NotThereError:
            return None
        return _typed(_inside(found, "payload", "contact"), Contact)

    async def contact(self, number: int) -> Contact | None:
        """The contact with this id, with all that it has in inboxes."""
        try:
            found = await self.call("GET", f"contacts/{number}")
        except NotThereError:
            return None
        return _typed(_inside(found, "payload"), Contact)

    async def contacts_with(self, pairs: Sequence[tuple[str, str]]) -> list[Contact]:
        """Contacts of which an attribute (``phone_number`` with +, ``identifier``) has one of these values."""
        last = len(pairs) - 1
        rows = [
            {
                "attribute_key": name,
                "filter_operator": "equal_to",
                "values": [value],
                "query_operator": None if number == last else "OR",
            }
            for number, (name, value) in enumerate(pairs)
        ]
        return _all_typed((await self.call("POST", "contacts/filter", {"payload": rows})), Contact) if rows else []

    async def search_contacts(self, text: str) -> list[Contact]:
        """Contacts with this text in name, e-mail, phone or identifier; Chatwoot allows 100 of these a minute."""
        return _all_typed(await self.call("GET", "contacts/search", query={"q": text}), Contact)

    async def create_contact(self, source_id: str, **fields: Any) -> Contact:
        """Make a contact in our inbox. TakenError: its phone number or identifier is another's."""
        body = {"inbox_id": self._inbox.inbox_id, "source_id": source_id, **fields}
        made = await self.call("POST", "contacts", body, creates=True)
        return _made(_inside(made, "payload", "contact"), Contact)

    async def update_contact(self, contact: int, **fields: Any) -> None:
        """Change it; attributes are merged. TakenError."""
        await self.call("PUT", f"contacts/{contact}", fields)

    async def add_source(self, contact: int, source_id: str) -> None:
        """Give a contact a source_id in our inbox; harmless when it has it. AwayError: it is another's."""
        body = {"inbox_id": self._inbox.inbox_id, "source_id": source_id}
        await self.call("POST", f"contacts/{contact}/contact_inboxes", body)

    async def merge(self, base: int, mergee: int) -> None:
        """Make two contacts one; ``mergee`` is gone afterwards. NotThereError: it was already."""
        await self.call("POST", "actions/contact_merge", {"base_contact_id": base, "mergee_contact_id": mergee})

    async def conversations_of(self, contact: int) -> list[Conversation]:
        """A contact's latest 20, of all inboxes."""
        return _all_typed(await self.call("GET", f"contacts/{contact}/conversations"), Conversation)

    async def create_conversation(self, contact: int, source_id: str, **fields: Any) -> Conversation:
        """Start one. With Chatwoot's ``lock_to_single_conversation`` it is the last one, whatever its status."""
        body = {"inbox_id": self._inbox.inbox_id, "contact_id": contact, "source_id": source_id, **fields}
        return _made(await self.call("POST", "conversations", body, creates=True), Conversation)

    def url_of(self, conversation: int | str) -> str:
        """Where messages are written."""
        return f"{self._base}/conversations/{conversation}/messages"

    async def post(self, conversation: int, post: Post, files: Sequence[File] = ()) -> Message:
        """Write a message. Not idempotent: after an AmbiguousError look for its source_id in `messages`."""
        path = f"conversations/{conversation}/messages"
        if not files:
            return _made(await self._call("POST", path, as_json(post), creates=True), Message)
        try:
            answer = await upload(
                self._http, self.url_of(conversation), headers=self._headers, fields=as_fields(post), files=files
            )
        except HttpError as error:
            raise _need(classify(error, creates=True)) from error
        return _made(_read(answer, creates=True), Message)

    async def messages(
        self, conversation: int, *, after: int | None = None, before: int | None = None
    ) -> list[dict[str, Any]]:
        """As they came, oldest first: the latest 20, up to 100 ``after`` an id, or 20 ``before`` one."""
        query = {name: value for name, value in (("after", after), ("before", before)) if value is not None}
        found = await self.call("GET", f"conversations/{conversation}/messages", query=query)
        return _objects(found)

    async def set_status(self, conversation: int, message: int, status: str, error: str | None = None) -> None:
        """sent, delivered, read or failed (with why). API inboxes only. Chatwoot does not keep it from falling."""
        body = {"status": status} | ({"external_error": error} if error is not None else {})
        await self.call("PATCH", f"conversations/{conversation}/messages/{message}", body)

    async def inbox(self) -> dict[str, Any]:
        """Our inbox; an administrator sees its ``secret``."""
        found = await self.call("GET", f"inboxes/{self._inbox.inbox_id}")
        return found if isinstance(found, dict) else {}

    async def type_as(self, identifier: str, source_id: str, conversation: int, *, on: bool) -> None:
        """Show the contact as typing, or no longer; only the public API can, whose secret is the inbox's identifier."""
        path = f"contacts/{quote(source_id, safe='')}/conversations/{conversation}/toggle_typing"
        url = f"{self._inbox.url.rstrip('/')}/public/api/v1/inboxes/{quote(identifier, safe='')}/{path}"
        content = msgspec.json.encode({"typing_status": "on" if on else "off"})
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        try:
            answer = await self._http.request(
                "POST", url, headers=headers, content=content, timeout=TYPING, body_limit=1000, trust="operator"
            )
        except HttpError as error:
            raise _need(classify(error, creates=False)) from error
        if (refused := classify(answer, creates=False)) is not None:
            raise refused

    async def _call(
        self, method: str, path: str, content: bytes, *, query: Mapping[str, Any] | None = None, creates: bool = False
    ) -> Any:
        url = f"{self._base}/{quote(path, safe='/')}" + (f"?{urlencode(query)}" if query else "")
        headers = self._headers | ({"Content-Type": "application/json"} if content else {})
        try:
            answer = await self._http.request(
                method,
                url,
                headers=headers,
                content=content,
                timeout=PATIENCE,
                body_limit=MOST_ANSWER,
                trust="operator",
            )
        except HttpError as error:
            raise _need(classify(error, creates=creates)) from error
        return _read(answer, creates=creates)


def typed_message(row: Mapping[str, Any]) -> Message | None:
    """A row of `Chatwoot.messages`; None when it is none."""
    return _typed(row, Message)


def _read(answer: Response, *, creates: bool) -> Any:
    if (error := classify(answer, creates=creates)) is not None:
        raise error
    if not answer.body.strip():
        return None
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        kind = AmbiguousError if creates else AwayError
        raise kind("Chatwoot's answer is not JSON", http_status=answer.status) from error


def _inside(found: Any, *keys: str) -> Any:
    """What stands under the keys; a key that is not there is passed over."""
    for key in keys:
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    return found


def _objects(found: Any) -> list[dict[str, Any]]:
    rows = found.get("payload") if isinstance(found, dict) else found
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _all_typed(found: Any, kind: type[S]) -> list[S]:
    return [each for row in _objects(found) if (each := _typed(row, kind)) is not None]


def _typed(row: Any, kind: type[S]) -> S | None:
    try:
        return msgspec.convert(row, kind, strict=False)
    except msgspec.ValidationError:
        return None


def _made(row: Any, kind: type[S]) -> S:
    made = _typed(row, kind)
    if made is None:
        raise AmbiguousError(f"Chatwoot's answer shows no {kind.__name__.lower()}")
    return made


def _need(error: Exception | None) -> Exception:
    assert error is not None  # a request without an answer is always a failure
    return error
