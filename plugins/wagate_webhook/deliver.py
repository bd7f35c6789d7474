"""Deliver one event to one webhook: one signed POST."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from http import HTTPStatus

from wagate.errors import NotFoundError, Reject, Retry
from wagate.events import Event
from wagate.hooks import Delivery, Endpoint, Handler, PluginContext, Receipt, Target, TargetLimits
from wagate.http.errors import BadUrlError, HttpError
from wagate.http.signing import standard_headers, waha_headers
from wagate.parsing.retry_after import seconds_asked_for
from wagate.parsing.waha import milliseconds
from wagate_webhook.not_taken import not_taken
from wagate_webhook.options import Options, read_options, read_shown
from wagate_webhook.payload import WAHA, encode, letter_of

EVERY = "*"
"""As ``phone_number``: all numbers of the client."""
GRACE = 5.0
"""Seconds beyond the request's own deadline before the core cancels."""

_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""4xx that ask to come back."""


def make_handler(context: PluginContext) -> Handler:
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

    return Handler(name=context.name, targets=targets, handle=handle, timeout=context.timeout + GRACE, limits=limits)


async def deliver(context: PluginContext, endpoint: Endpoint, delivery: Delivery) -> Receipt:
    """POST the event, signed. Retry and Reject as `read_outcome` says, Retry as `not_taken` does."""
    options = read_options(endpoint.options, context.decrypt)
    body = encode(letter_of(delivery, endpoint, context), options.format)
    try:
        response = await context.http.request(
            "POST",
            endpoint.webhook_url,
            headers=request_headers(endpoint, options, delivery, body, now=context.clock.now()),
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
    endpoint: Endpoint, options: Options, delivery: Delivery, body: bytes, *, now: datetime
) -> dict[str, str]:
    """The webhook's own headers, then ours: content type, and signatures by every secret that is live now.

    WAHA's HMAC has room for one: the newest secret, whole text (``whsec_…``), is its key.
    """
    secrets = live_secrets(endpoint, now)
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
