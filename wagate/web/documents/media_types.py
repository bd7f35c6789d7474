"""What `wagate.web.media.media_door` takes and answers, for the OpenAPI document: it has no Quart routes to ask."""

from __future__ import annotations

from datetime import datetime

import msgspec

from wagate.hooks.routes import Contract
from wagate.web.documents.inbound_types import DoorContract

FILE, UPLOAD, ROW = "/media/{id}/{filename}", "/api/media", "/api/media/{id}"
"""The paths, also as the metrics name them."""


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
