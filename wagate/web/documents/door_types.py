"""What the doors for events and files take and answer, for the OpenAPI document: they have no Quart routes to ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from wagate.hooks.routes import Contract
from wagate.web.inbound.engine_door import ENGINE_PATH, Accepted

FILE, UPLOAD, ROW = "/media/{id}/{filename}", "/api/media", "/api/media/{id}"
"""The paths, also as the metrics name them."""


class InboundMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message in the engine's format; other fields are kept in the stored body."""

    from_: str = msgspec.field(name="from")
    """A phone number, or a chat's key."""
    message: str | dict[str, Any]
    """Text, or an object such as `{"text": "Hello"}`."""
    tenant_id: str | None = None
    """Whose it is; needed with the admin token."""
    to: str | None = None
    """Our number; a number that the tenant does not have makes an account. Without it: the tenant's first account."""
    message_id: str | None = None
    """Without it, nothing counts as a duplicate."""
    timestamp: str | float | None = None
    """RFC 3339, or Unix seconds."""
    contact_name: str | None = None
    reply_to_message_id: str | None = None


class SessionEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a session engine; the form `{dataType, data, sessionId}` is taken, too."""

    event: str
    """qr, ready, authenticated, disconnected, auth_failure, change_state, loading_screen, message, message_create …"""
    data: Any = None
    """What the event brings: `qr`, `message`, `percent` …"""


class SessionAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """The event is stored."""

    success: Literal[True]
    session_id: str = msgspec.field(name="sessionId")
    event_id: str | None
    duplicate: bool


class DoorOpen(msgspec.Struct, frozen=True, kw_only=True):
    """The path is right."""

    success: Literal[True]
    session_id: str = msgspec.field(name="sessionId")


class ChallengeQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Verification of the address."""

    challenge: str | None = None
    """Echoed as text/plain when the token is right."""
    hub_challenge: str | None = msgspec.field(default=None, name="hub.challenge")
    """The same."""
    hub_verify_token: str | None = msgspec.field(default=None, name="hub.verify_token")
    """The account's webhook secret."""
    token: str | None = None
    """The same."""


@dataclass(frozen=True)
class DoorContract:
    """A door of the hot path."""

    method: str
    path: str
    doc: str
    contract: Contract
    echoes: bool = False
    """Its 200 may be text/plain, too."""


DOORS = (
    DoorContract(
        "POST",
        ENGINE_PATH,
        "Take in one message in the engine's own format.\n\n202 once it is stored; a duplicate answers 200 with the "
        "first one's ids.",
        Contract(
            body=InboundMessage,
            answers={200: Accepted, 202: Accepted},
            problems=frozenset({400, 401, 404, 409, 413, 422, 429, 503}),
        ),
    ),
    DoorContract(
        "GET",
        "/api/whatsapp/webhook/{sessionId}",
        "Whether the address is right; echoes a challenge when the token matches.",
        Contract(answers={200: DoorOpen}, query=ChallengeQuery, problems=frozenset({400, 401, 404, 429}), public=True),
        echoes=True,
    ),
    DoorContract(
        "POST",
        "/api/whatsapp/webhook/{sessionId}",
        "Take in one event of a session engine.\n\nGuarded by the account's webhook secret (`X-Webhook-Secret`, "
        "`X-Api-Key`, `?token=`, or an HMAC) or an API token, with which an unknown session is made.",
        Contract(
            body=SessionEvent,
            answers={200: SessionAccepted},
            problems=frozenset({400, 401, 404, 409, 413, 422, 429, 503}),
        ),
    ),
    DoorContract(
        "GET",
        "/webhooks/{account}",
        "Whether the address is right; echoes the challenge of the account's provider when its token matches.",
        Contract(answers={200: DoorOpen}, problems=frozenset({400, 403, 404, 503}), public=True),
        echoes=True,
    ),
    DoorContract(
        "POST",
        "/webhooks/{account}",
        "Take in what the account's provider posts.\n\nGuarded as the provider does it: by a signature, a secret "
        "header or a password. 200 once it is stored; a duplicate answers 200, too.",
        Contract(answers={200: None}, problems=frozenset({400, 401, 403, 404, 413, 422, 429, 503}), public=True),
    ),
)


class MediaAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A file."""

    id: str
    """A message to send names its file by it; of a file that came in, the id of its event."""
    mimetype: str
    filename: str
    size: int | None
    """Bytes; null until it is known."""
    url: str
    """Where anyone can fetch it for 7 days: signed, on `server.public_url`, else a path."""
    status: str
    """pending, stored, failed or gone."""
    direction: str
    """in or out."""
    error: str | None
    """Why it is not stored."""
    created_at: datetime


class LinkQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The signature of a link. Without it, a token of the file's owner is needed."""

    exp: str | None = None
    """When the link expires, Unix seconds."""
    sig: str | None = None
    """The signature over id and time."""


class UploadQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What the body does not say."""

    filename: str | None = None
    """What the receiver will see; with a form, its file's own name unless this is given."""
    tenant_id: str | None = None
    """With the admin token: slug or id of the client."""


MEDIA = (
    DoorContract(
        "GET",
        FILE,
        "A file, by its link or with a token of its owner.\n\nOne that is not fetched yet is fetched now, for up to "
        "30 s. Takes `Range`, `If-Range`, `If-None-Match`. The name in the path is for people.",
        Contract(
            answers={200: None, 206: None, 304: None},
            query=LinkQuery,
            problems=frozenset({401, 403, 404, 416, 429, 503}),
            media_type="*/*",
            public=True,
        ),
    ),
    DoorContract(
        "POST",
        UPLOAD,
        "Take in a file to send: a form with a field `file`, or the file itself as the body.\n\nBounded by "
        "`media.max_size`, not by `server.max_body`. A message names it by its `id`. Takes no "
        "Idempotency-Key: equal files are kept once.",
        Contract(
            answers={201: MediaAnswer},
            query=UploadQuery,
            problems=frozenset({400, 401, 404, 408, 409, 413, 422, 429, 503, 507}),
            takes_file=True,
        ),
    ),
    DoorContract(
        "GET",
        ROW,
        "What is known about a file.",
        Contract(answers={200: MediaAnswer}, problems=frozenset({401, 404, 429})),
    ),
    DoorContract(
        "DELETE",
        ROW,
        "Forget a file to send. Files that came in go with `retention.media`.",
        Contract(answers={204: None}, problems=frozenset({401, 404, 429, 503})),
    ),
)
