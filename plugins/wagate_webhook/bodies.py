"""What the routes take: bodies and queries."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from wagate_webhook.options import Options

Retries = Annotated[int, Meta(ge=1, le=100, description="Total number of attempts.")]
PhoneNumber = Annotated[
    str,
    Meta(
        description="The number that the event belongs to (digits), an account's name, or `*` for all.",
        extra_json_schema={"minLength": 1},
    ),
]
Name = Annotated[str, Meta(max_length=100, description="Distinguishes several webhooks of the same number.")]
Url = Annotated[str, Meta(description="Must be https and public.", extra_json_schema={"format": "uri"})]
Events = Annotated[
    list[str],
    Meta(
        description="Event names; `*` is all but message.any, `group.*` every group event.",
        extra_json_schema={"minItems": 1, "maxItems": 100},
    ),
]
Metadata = Annotated[dict[str, Any], Meta(description="The client's own data, up to 16 KiB.")]
Secret = Annotated[
    str,
    Meta(description="`whsec_` and base64 of 24 to 64 bytes; with the format `waha` any key; generated if omitted."),
]
Tenant = Annotated[str, Meta(description="With the admin token: slug or id of the client.")]
Limit = Annotated[int, Meta(ge=1, le=200, description="Rows of a page.")]
Cursor = Annotated[
    str,
    Meta(
        pattern="^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        description="`next_cursor` of the page before.",
    ),
]


class RegisterWebhook(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``POST /api/webhooks/register``."""

    phone_number: PhoneNumber
    webhook_url: Url
    name: Name = ""
    max_retries: Retries | None = None
    """None: ``delivery.max_retries``."""
    events: Events = msgspec.field(default_factory=lambda: ["message"])
    metadata: Metadata = msgspec.field(default_factory=dict)
    secret: Secret | None = None
    tenant_id: Tenant | None = None


def _changes() -> list[tuple[str, Any, Any]]:
    """All that can be registered, but for the owner and the secret: left out it stays, null is its default again."""
    fields = [each for each in msgspec.structs.fields(RegisterWebhook) if each.name not in {"secret", "tenant_id"}]
    types = {each.name: each.type if each.required else each.type | None for each in fields}
    return [(name, kind | UnsetType, UNSET) for name, kind in (types | {"is_active": bool}).items()]


ChangeWebhook = msgspec.defstruct(
    "ChangeWebhook",
    _changes(),
    namespace={"__doc__": "``PATCH /api/webhooks/{webhook_id}``: omitted fields stay unchanged, null resets a field."},
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    module=__name__,
)


class ToggleWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``POST /api/webhooks/{webhook_id}/toggle``; without a body, the other way round."""

    is_active: bool | None = None


class RotateSecret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``POST /api/webhooks/{webhook_id}/rotate-secret``."""

    secret: Secret | None = None


class ListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """``GET /api/webhooks/list``."""

    limit: Limit = 50
    cursor: Cursor | None = None
    phone_number: str | None = None
    tenant_id: Tenant | None = None


class EventsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """``GET /api/webhooks/{webhook_id}/events``."""

    limit: Limit = 50
    cursor: Cursor | None = None
    status: Annotated[str, Meta(pattern="^(pending|delivering|delivered|failed|cancelled)$")] | None = None
    message_id: str | None = None


class RecoverQuery(msgspec.Struct, frozen=True, kw_only=True):
    """``POST /api/webhooks/{webhook_id}/recover``."""

    since: Annotated[str, Meta(description="A time (RFC 3339) or how long ago (`24h`); if omitted: all.")] | None = None
