"""Errors as application/problem+json (RFC 9457)."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import msgspec

from wagate.errors import QueueError, RequestError, StorageError, UnavailableError, WagateError

CONTENT_TYPE = "application/problem+json"
SESSION_PREFIX = "/api/whatsapp/"
"""Answers under this path carry ``"success": false`` too, as their specification says."""
WAHA_PATHS = re.compile(
    r"/mcp|/api/(send[A-Z]\w*|send/.+|startTyping|stopTyping|reaction|star|reply|forwardMessage|checkNumberStatus"
    r"|messages|version|screenshot|(sessions|contacts|server|apps|keys)(/.*)?"
    r"|(?!(accounts|clients|conversations|deliveries|jobs|media|tenants|webhooks|whatsapp|n8n|chatwoot)/)[^/]+/"
    r"(auth|chats|contacts|lids|groups|channels|labels|presence|profile|status|calls|events|media|new-message-id)"
    r"(/.*)?)"
)
"""WAHA's paths: answers carry ``statusCode``, ``message`` and ``error`` too, which its clients read."""


def problem_of(error: WagateError, path: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body for an error, as the path's specification wants them."""
    request_error = _as_request_error(error)
    headers = {"content-type": CONTENT_TYPE}
    if request_error.retry_after is not None:
        headers["retry-after"] = str(request_error.retry_after)
    if request_error.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = 'Bearer realm="wagate"'
    return request_error.status, headers, msgspec.json.encode(_document(request_error, path))


def _as_request_error(error: WagateError) -> RequestError:
    if isinstance(error, RequestError):
        return error
    if isinstance(error, StorageError):
        return UnavailableError("the database is overloaded or unavailable; nothing was stored, so send it again")
    if isinstance(error, QueueError):
        return UnavailableError("Redis is not answering right now; try again")
    return UnavailableError("this is not possible right now; see the gateway's log")


def _document(error: RequestError, path: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
    }
    if error.errors:
        document["errors"] = [{"field": each.field, "detail": each.detail} for each in error.errors]
    document |= {name: value for name, value in error.members.items() if value}
    if path.startswith(SESSION_PREFIX):
        document["success"] = False
    elif WAHA_PATHS.fullmatch(path):
        document |= {"statusCode": error.status, "message": error.detail, "error": error.title}
    return document
