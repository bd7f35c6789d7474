"""Chatwoot's OpenAPI document with what it lacks laid over it, to hold requests against.

The document of v4.15.1 leaves out operations and fields that its server has, and lets unknown keys pass; here every
body that we send is closed, so that a misspelt field is found.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from functools import cache
from typing import Any

import msgspec
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest

from tests.openapi_documents import openapi
from wagate.testing.chatwoot import FakeChatwoot
from wagate.testing.multipart import Part
from wagate.testing.server import Seen

SERVER = "http://chatwoot.example"
ACCOUNT = "/api/v1/accounts/{account_id}"
CONVERSATION = f"{ACCOUNT}/conversations/{{conversation_id}}"
MESSAGE = f"{CONVERSATION}/messages/{{message_id}}"
Json = dict[str, Any]

FREE = {"content", "source_id", "echo_id", "name"}
"""Fields that may be any text."""
TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "integer"}
LIST: Json = {"type": "array"}
FLAG: Json = {"type": "string", "enum": ["true", "false"]}
STATUS: Json = {"enum": ["sent", "delivered", "read", "failed"]}
MESSAGE_FIELDS: Json = {
    "source_id": TEXT,
    "echo_id": TEXT,
    "external_created_at": {"type": ["integer", "string"]},
    "is_voice_message": {"type": "boolean"},
}
CONTACT_FIELDS: Json = {
    "source_id": TEXT,
    "phone_number": {"type": ["string", "null"], "pattern": r"^\+[1-9]\d{1,14}$"},
    "identifier": {"type": ["string", "null"]},
    "avatar_url": {"type": ["string", "null"]},
}


def overlaid(spec: Json) -> Json:
    """The document with our additions."""
    spec["servers"] = [{"url": SERVER}]
    schemas = spec["components"]["schemas"]
    for name, more in (
        ("contact_create_payload", CONTACT_FIELDS),
        ("contact_update_payload", CONTACT_FIELDS),
        ("conversation_message_create_payload", MESSAGE_FIELDS),
        ("conversation_create_payload", {}),
    ):
        schemas[name]["properties"] |= more
        schemas[name]["additionalProperties"] = False
    # A message may be files alone.
    schemas["conversation_message_create_payload"].pop("required", None)
    paths = spec["paths"]
    rows = body_of(paths[f"{ACCOUNT}/contacts/filter"]["post"])["properties"]["payload"]["items"]
    rows["required"] = ["attribute_key", "filter_operator", "values", "query_operator"]
    rows["properties"]["query_operator"] = {"enum": ["AND", "OR", None]}
    form = paths[f"{CONVERSATION}/messages"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    form["properties"] |= MESSAGE_FIELDS | {"content_attributes": TEXT, "external_created_at": TEXT}
    form["properties"] |= {"private": FLAG, "is_voice_message": FLAG}
    form["properties"]["attachments[]"] = LIST  # of bytes, which are no strings to the validator
    form["additionalProperties"] = False
    form.pop("required", None)
    for method, path, body in (
        (
            "patch",
            MESSAGE,
            closed({"status": STATUS, "external_error": TEXT}),
        ),
        ("post", f"{MESSAGE}/retry", None),
        ("post", f"{CONVERSATION}/update_last_seen", None),
        ("post", f"{ACCOUNT}/contact_inboxes/filter", closed({"inbox_id": NUMBER, "source_id": TEXT}, required=True)),
        (
            "post",
            f"{ACCOUNT}/contacts/{{id}}/destroy_custom_attributes",
            closed({"custom_attributes": LIST}),
        ),
        ("post", f"{ACCOUNT}/inboxes/{{id}}/reset_secret", None),
    ):
        paths.setdefault(path, {})[method] = operation(path, body)
    return spec


def body_of(given: Json) -> Json:
    found: Json = given["requestBody"]["content"]["application/json"]["schema"]
    return found


def closed(properties: Json, *, required: bool = False) -> Json:
    found = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | ({"required": list(properties)} if required else {})


def operation(path: str, body: Json | None) -> Json:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    found: Json = {
        "security": [{"userApiKey": []}],
        "parameters": [{"name": name, "in": "path", "required": True, "schema": NUMBER} for name in names],
        "responses": {"200": {"description": "OK"}},
    }
    if body is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return found


@cache
def document() -> OpenAPI:
    """Read once."""
    spec = overlaid(openapi("chatwoot"))
    # The document itself breaks the rules in places that no request of ours touches.
    return OpenAPI.from_dict(spec, config=Config(spec_validator_cls=None))


def as_request(seen: Seen) -> MockRequest:
    """A request that came, for openapi-core; files are shortened."""
    body, kind = seen.body or None, seen.headers.get("content-type", "")
    if seen.parts:
        body, kind = shortened(seen), "multipart/form-data; boundary=fence"
    token = seen.headers.get("api_access_token")
    headers = {"api_access_token": token} if token else {}
    return MockRequest(
        SERVER, seen.method.lower(), seen.path, args=seen.query, data=body, content_type=kind, headers=headers
    )


def shortened(seen: Seen) -> bytes:
    rows = []
    for part in seen.parts:
        name = f'name="{part.name}"'
        file = "" if part.filename is None else f'; filename="{part.filename}"'
        kind = f"\r\nContent-Type: {part.content_type}" if part.content_type else ""
        value = part.content if part.filename is None else b"file"
        rows.append(f"--fence\r\nContent-Disposition: form-data; {name}{file}{kind}\r\n\r\n".encode() + value + b"\r\n")
    return b"".join(rows) + b"--fence--\r\n"


def form_of(seen: Seen) -> Hashable:
    """What the document can say of a request: two of one form both fit it, or neither does."""
    if seen.parts:
        content: Any = [(each.name, each.filename is None or each.content_type, _free(each)) for each in seen.parts]
    else:
        content = _form(msgspec.json.decode(seen.body)) if seen.body else None
    token, kind = seen.headers.get("api_access_token"), seen.headers.get("content-type", "").partition(";")[0]
    path = re.sub(r"(?<=/)\d+(?=/|$)", "1", seen.path)
    return (seen.method, path, repr(seen.query), kind, bool(token), repr(content))


def _free(part: Part) -> bytes | bool:
    return bool(part.content) if part.filename is not None or part.name in FREE else part.content


def _form(value: Any, name: str = "") -> Any:
    """The value, without the words of what may be any text."""
    if isinstance(value, dict):
        return {each: _form(inner, each) for each, inner in value.items()}
    return bool(value) if isinstance(value, str) and name in FREE else value


@cache
def _fitting() -> set[Hashable]:
    """Forms of requests that were looked at."""
    return set()


def assert_requests_valid(fake: FakeChatwoot) -> None:
    """Every request that the fake has got fits the document; of those of one form one is looked at."""
    spec, fitting = document(), _fitting()
    for seen in fake.seen:
        if seen.path.startswith("/api/v1/") and (form := form_of(seen)) not in fitting:
            try:
                spec.validate_request(as_request(seen))
            except Exception as error:
                why = error.__cause__ or error
                raise AssertionError(f"{seen.method} {seen.path} {seen.body[:300]!r}: {why}") from error
            fitting.add(form)
