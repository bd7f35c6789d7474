"""Answers of a receiver that says it took nothing, but will once somebody acts or it has started. Pure.

n8n's, read in n8n 2.41.1: ``webhook-not-found.error.js`` (no active workflow), ``abstract-server.js`` (it listens long
before it knows its workflows: until its tables are migrated it answers 200, then Express's own 404 page until its
routes are there).
"""

from __future__ import annotations

import re
from http import HTTPStatus
from urllib.parse import urlsplit

import msgspec

STARTING = b"n8n is starting up. Please wait"
STARTS = "n8n is starting"
INACTIVE = "n8n has no active workflow at this URL: publish it"
TEST_URL = "n8n's test URL takes one call after a click: register the production URL"

_UNKNOWN = re.compile(
    r'The requested webhook ".*" is not registered\.|This webhook is not registered for [A-Z]+ requests\.'
)
_EXPRESS = re.compile(rb"<pre>Cannot POST /")
_WEBHOOK, _TEST = "/webhook/", "/webhook-test/"


class _Error(msgspec.Struct, frozen=True):
    code: int
    message: str


def not_taken(url: str, status: int, body: bytes, *, retry_not_found: bool | None) -> str | None:
    """Why the receiver took nothing and should get it later; None: the status line says it all.

    ``retry_not_found`` is the webhook's option: None is only n8n's own 404.
    """
    if status == HTTPStatus.OK and body.strip() == STARTING:
        return STARTS
    if status != HTTPStatus.NOT_FOUND or retry_not_found is False:
        return None
    return _of_n8n(urlsplit(url).path, body) or (f"Client error ({status})" if retry_not_found else None)


def _of_n8n(path: str, body: bytes) -> str | None:
    if _EXPRESS.search(body) and _WEBHOOK in path:
        return STARTS
    try:
        error = msgspec.json.decode(body, type=_Error)
    except msgspec.DecodeError:
        return None
    if error.code != HTTPStatus.NOT_FOUND or not _UNKNOWN.match(error.message):
        return None
    return TEST_URL if _TEST in path else INACTIVE
