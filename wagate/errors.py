"""One tree of errors: the class tells the caller what to do, the message tells the operator why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec


class WagateError(Exception):
    """Base of every error that wagate raises on purpose."""


class ConfigError(WagateError):
    """The configuration is wrong; the message names the file, the key, the reason and the nearest right key."""


class NotInstalledError(ConfigError):
    """A plugin that is there needs something that is not installed; the message has the line that installs it."""


class StorageError(WagateError):
    """The database could not do what was asked (down, full, locked). Nothing was stored; the sender may try again."""


class QueueError(WagateError):
    """Redis could not be reached or refused. Ids not queued are put back from the tables by the sweep."""


class AlreadyRunningError(WagateError):
    """Another process holds the data folder; the message says which."""


class PluginError(WagateError):
    """A plugin failed, or handed over what its contract does not allow; the message names the plugin and the fault."""

    def __init__(self, plugin: str, what: str) -> None:
        """``what`` says what is wrong, without any text of the plugin's own: ``handle gave str, not Receipt``."""
        super().__init__(f"plugin {plugin}: {what}")
        self.plugin = plugin
        self.what = what


class FieldError(msgspec.Struct, frozen=True, kw_only=True):
    """One wrong field of a request."""

    field: str
    """Where it stands: ``webhook_url``, ``message.text``, ``?limit``; '' when it is the whole body."""
    detail: str
    """What is wrong and what would be right."""


class RequestError(WagateError):
    """A request that can't be done as it is; turned into ``application/problem+json`` at the edge."""

    status = 400
    title = "Bad request"

    def __init__(self, detail: str, *, field: str | None = None, errors: tuple[FieldError, ...] = ()) -> None:
        """``field`` is short for one FieldError with the same detail."""
        super().__init__(detail)
        self.detail = detail
        self.errors = errors or ((FieldError(field=field, detail=detail),) if field is not None else ())
        self.retry_after: int | None = None
        """Seconds for the Retry-After header, when waiting helps."""
        self.members: Mapping[str, str] = {}
        """Further members of the problem document: ``code``, ``id``."""


class BadRequestError(RequestError):
    """400: the request can't be read (malformed JSON, wrong types)."""


class UnauthorizedError(RequestError):
    """401: no token, or a wrong one."""

    status = 401
    title = "Unauthorized"


class ForbiddenError(RequestError):
    """403: a right token that may not do this."""

    status = 403
    title = "Forbidden"


class NotFoundError(RequestError):
    """404: no such thing, or it is another client's."""

    status = 404
    title = "Not found"


class MethodNotAllowedError(RequestError):
    """405: the path is right, the method is not."""

    status = 405
    title = "Method not allowed"


class RequestTimeoutError(RequestError):
    """408: the body drips in; the sender may try again."""

    status = 408
    title = "Request timeout"


class ConflictError(RequestError):
    """409: the name is taken, the lease is stale, the key was used with another body."""

    status = 409
    title = "Conflict"


class TooLargeError(RequestError):
    """413: the body is over ``server.max_body``."""

    status = 413
    title = "Content too large"


class UnprocessableError(RequestError):
    """422: readable, but a value is not allowed; ``errors`` names each field and the cure."""

    status = 422
    title = "Unprocessable content"


class TooManyRequestsError(RequestError):
    """429: over the limit; ``retry_after`` says when to come back."""

    status = 429
    title = "Too many requests"

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class BadGatewayError(RequestError):
    """502: a provider can't do it now, or nobody knows whether it did."""

    status = 502
    title = "Bad gateway"


class NoRoomError(RequestError):
    """507: the client's files, or the disk, have reached their limit; the figure stands in ``detail``."""

    status = 507
    title = "Insufficient storage"


class UnavailableError(RequestError):
    """503: database or disk can take no more right now; the sender should try again."""

    status = 503
    title = "Service unavailable"

    def __init__(self, detail: str, *, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class DeliveryError(WagateError):
    """What a handler raises to say how its delivery ended. Carries what the attempt's record shows."""

    def __init__(self, reason: str, *, http_status: int | None = None, response: str | None = None) -> None:
        """``reason`` is the attempt's ``error``, for example ``Server error (503)``."""
        super().__init__(reason)
        self.reason = reason
        self.http_status = http_status
        self.response = response


class Retry(DeliveryError):  # noqa: N818  (a verb of the plugin API, raised like StopIteration)
    """Try again later: ``after`` seconds from now if given (never sooner), else by the retry schedule.

    ``down``: nothing else will be accepted either, until somebody acts. The target counts as down at once, what waits
    for it is held in order, and it is probed; the try spends no attempt. With ``http_status`` 408, 425 or 429, or 503
    and ``after``, the target asked to slow down: the try spends no attempt, all that goes there is slower for a while.
    """

    def __init__(
        self,
        reason: str,
        *,
        after: float | None = None,
        down: bool = False,
        http_status: int | None = None,
        response: str | None = None,
    ) -> None:
        super().__init__(reason, http_status=http_status, response=response)
        self.after = after
        self.down = down


class Postpone(DeliveryError):  # noqa: N818  (a verb of the plugin API)
    """Not now: wait ``after`` seconds at the head of the chat. It is no try: it spends no attempt and is not recorded.

    Nothing was asked of the target, so nothing is known of its health. What waits so for longer than
    ``delivery.recover`` (24 h when that is 0) is given up. ``slow``: the target itself asked for it; all that goes
    there is slower for a while.
    """

    def __init__(self, reason: str, *, after: float, slow: bool = False) -> None:
        super().__init__(reason)
        self.after = after
        self.slow = slow


class Reject(DeliveryError):  # noqa: N818  (a verb of the plugin API)
    """Never try again: the delivery goes to the dead letters. ``disable`` also switches the target off (410 Gone)."""

    def __init__(
        self, reason: str, *, http_status: int | None = None, response: str | None = None, disable: bool = False
    ) -> None:
        super().__init__(reason, http_status=http_status, response=response)
        self.disable = disable


class SendError(WagateError):
    """A provider did not send a message; which subclass says what is certain. ``reason`` is plain, for the caller."""

    def __init__(
        self, reason: str, *, code: str = "", http_status: int | None = None, response: str | None = None
    ) -> None:
        """``code`` is the provider's own error code; ``response`` the first part of its answer, without secrets."""
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.http_status = http_status
        self.response = response


class NotSentError(SendError):
    """Certainly not sent, and may succeed later: at the provider's ``after`` seconds if given, else by the schedule.

    ``slow`` says what must slow down: "chat" (this pair of numbers), "account" (the whole number), "" nothing. A
    message that is only slowed down spends no attempt.
    """

    def __init__(
        self,
        reason: str,
        *,
        after: float | None = None,
        slow: Literal["", "chat", "account"] = "",
        code: str = "",
        http_status: int | None = None,
        response: str | None = None,
    ) -> None:
        super().__init__(reason, code=code, http_status=http_status, response=response)
        self.after = after
        self.slow = slow


class SendRefusedError(SendError):
    """Never will be sent as it is: wrong recipient, wrong content, outside the 24 h window (``window``)."""

    def __init__(
        self,
        reason: str,
        *,
        window: bool = False,
        code: str = "",
        http_status: int | None = None,
        response: str | None = None,
    ) -> None:
        super().__init__(reason, code=code, http_status=http_status, response=response)
        self.window = window


class AccountStoppedError(SendError):
    """Certainly not sent, and nothing of this account will be until somebody acts: wrong token, blocked, unpaid."""


class OutcomeUnknownError(SendError):
    """May have been sent or not: the request left, and no answer that says so came back."""
