"""Deliver one event to one webhook: one signed POST, and which answers mean that nothing was taken yet.

n8n's, read in n8n 2.41.1: ``webhook-not-found.error.js`` (no active workflow), ``abstract-server.js`` (it listens long
before it knows its workflows: until its tables are migrated it answers 200, then Express's own 404 page until its
routes are there).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from http import HTTPStatus
from urllib.parse import urlsplit

import msgspec

from wagate.errors import ConfigError, NotFoundError, Reject, Retry
from wagate.events import Event
from wagate.hooks import (
    Delivery,
    DeliveryView,
    Endpoint,
    Handler,
    PluginContext,
    Receipt,
    RequestView,
    Target,
    TargetLimits,
)
from wagate.http.errors import BadUrlError, HttpError
from wagate.http.signing import standard_headers, waha_headers
from wagate.parsing.retry_after import seconds_asked_for
from wagate.parsing.waha import milliseconds
from wagate_webhook.options import Options, read_options, read_shown
from wagate_webhook.payload import WAHA, encode, letter_of

EVERY = "*"
"""As ``phone_number``: all numbers of the client."""
GRACE = 5.0
"""Seconds beyond the request's own deadline before the core cancels."""

_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""4xx that ask to come back."""
STARTING = b"n8n is starting up. Please wait"
STARTS = "n8n is starting"
INACTIVE = "n8n has no active workflow at this URL: publish it"
TEST_URL = "n8n's test URL takes one call after a click: register the production URL"

UNREADABLE = (
    "its secret or its headers can't be decrypted with auth.secret_key: put the old key back, "
    "or rotate the secret and set the headers anew"
)

_UNKNOWN = re.compile(
    r'The requested webhook ".*" is not registered\.|This webhook is not registered for [A-Z]+ requests\.'
)
_EXPRESS = re.compile(rb"<pre>Cannot POST /")
_WEBHOOK, _TEST = "/webhook/", "/webhook-test/"


def make_handler(
    context: PluginContext, *, request: Callable[[DeliveryView], Awaitable[RequestView | None]] | None = None
) -> Handler:
    """The push handler."""

    def targets(event: Event) -> Iterable[Target]:
        return [Target(id=each.id, max_retries=each.max_retries) for each in context.endpoints.wanting(event)]

    async def handle(delivery: Delivery) -> Receipt:
        return await deliver(context, await _endpoint(context, delivery), delivery)

    def limits(target: str) -> TargetLimits:
        found = context.endpoints.active(target)
        if found is None:
            return TargetLimits()
        options = read_shown(found.options)
        timeout = None if options.timeout is None else options.timeout + GRACE
        return TargetLimits(timeout=timeout, rate=options.rate, burst=options.burst or 1)

    return Handler(
        name=context.name,
        targets=targets,
        handle=handle,
        timeout=context.timeout + GRACE,
        limits=limits,
        request=request,
    )


async def deliver(context: PluginContext, endpoint: Endpoint, delivery: Delivery) -> Receipt:
    """POST the event, signed. Retry and Reject as `read_outcome` says, Retry as `not_taken` does.

    Retry, too, when what it is signed with can't be decrypted.
    """
    try:
        options = read_options(endpoint.options, context.decrypt)
        body = encode(letter_of(delivery, endpoint, context), options.format)
        headers = request_headers(endpoint, options, delivery, body, now=context.clock.now())
    except ConfigError as error:
        raise Retry(UNREADABLE, down=True) from error
    try:
        response = await context.http.request(
            "POST",
            endpoint.webhook_url,
            headers=headers,
            content=body,
            timeout=options.timeout or context.timeout,
        )
    except BadUrlError as error:
        raise Reject(error.reason) from error
    except HttpError as error:
        raise Retry(error.reason) from error
    why = not_taken(endpoint.webhook_url, response.status, response.body, retry_not_found=options.retry_not_found)
    if why is not None:
        text = response.body.decode("utf-8", "replace")
        raise Retry(why, down=True, http_status=response.status, response=text)
    return read_outcome(response.status, response.headers.get("retry-after"), response.body, now=context.clock.now())


def request_headers(
    endpoint: Endpoint, options: Options, delivery: Delivery | DeliveryView, body: bytes, *, now: datetime
) -> dict[str, str]:
    """The webhook's own headers, then ours: content type, and signatures by every secret that is live now.

    WAHA's HMAC has room for one: the newest secret, whole text (``whsec_…``), is its key. ConfigError: there is none.
    """
    secrets = live_secrets(endpoint, now)
    if not secrets:
        raise ConfigError(UNREADABLE)
    signed = standard_headers(secrets, delivery.id, int(now.timestamp()), body)
    headers = {**options.headers, "Content-Type": "application/json", **signed}
    if options.format == WAHA:
        headers |= waha_headers(secrets[0], delivery.id, milliseconds(delivery.created_at), body)
    return headers


def live_secrets(endpoint: Endpoint, now: datetime) -> list[str]:
    """Secrets that sign now, newest first."""
    return [each.secret for each in endpoint.secrets if each.expires_at is None or each.expires_at > now]


async def _endpoint(context: PluginContext, delivery: Delivery) -> Endpoint:
    found = context.endpoints.active(delivery.target)
    if found is not None:
        return found
    # Not in the snapshot: switched off or deleted after the event was routed, or made by another process just now.
    try:
        found = await context.endpoints.get(delivery.target)
    except NotFoundError as error:
        raise Reject("the webhook was deleted") from error
    if not found.is_active:
        raise Retry("the webhook is switched off")
    return found


def read_outcome(status: int, retry_after: str | None, body: bytes, *, now: datetime) -> Receipt:
    """The receipt of a 2xx.

    Raises:
        Retry: 5xx, 408, 425, 429; not before the answer's Retry-After.
        Reject: every other status. 410 also switches the webhook off; redirects are not followed.
    """
    response = body.decode("utf-8", "replace")
    if 200 <= status < 300:
        return Receipt(http_status=status, response=response)
    if status >= 500 or status in _LATER:
        after = seconds_asked_for(retry_after, now)
        raise Retry(_reason(status), after=after, http_status=status, response=response)
    gone = status == HTTPStatus.GONE
    raise Reject(_reason(status), http_status=status, response=response, disable=gone)


def _reason(status: int) -> str:
    if status >= 500:
        return f"Server error ({status})"
    if status >= 400:
        return f"Client error ({status})"
    return f"Redirect ({status}) not followed" if status >= 300 else f"Unexpected status ({status})"


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
