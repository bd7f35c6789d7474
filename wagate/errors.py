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


class TooSlowError(StorageError):
    """The database works, but this took longer than it may. Asking for less helps; asking again may."""


class QueueError(WagateError):
    """Redis could not be reached or refused. Ids not queued are put back from the tables by the sweep."""


class AlreadyRunningError(WagateError):
    """Another process holds the data folder; the message says which."""


class PluginError(WagateError):
    """A plugin failed, or returned what its contract does not allow; the message names plugin and fault."""

    def __init__(self, plugin: str, what: str) -> None:
        """``what`` says what is wrong, without any text of the plugin's own: ``handle gave str, not Receipt``."""
        super().__init__(f"plugin {plugin}: {what}")
        self.plugin = plugin
        self.what = what


class FieldError(msgspec.Struct, frozen=True, kw_only=True):
    """One wrong field of a request."""

    field: str
    """Path of the field: ``webhook_url``, ``message.text``, ``?limit``; '' is the whole body."""
    detail: str
    """What is wrong, and what is allowed."""


class RequestError(WagateError):
    """A request that wagate refuses; answered as ``application/problem+json``."""

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
    """403: the token is valid, but may not do this."""

    status = 403
    title = "Forbidden"


class NotFoundError(RequestError):
    """404: no such thing, or it is another client's."""

    status = 404
    title = "Not found"


class MethodNotAllowedError(RequestError):
    """405: the path exists, but not for this method."""

    status = 405
    title = "Method not allowed"


class RequestTimeoutError(RequestError):
    """408: the body comes too slowly; the sender may try again."""

    status = 408
    title = "Request timeout"


class ConflictError(RequestError):
    """409: the name is taken, the lease has expired, or the key was used with another body."""

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


class NotSupportedError(RequestError):
    """501: what is behind can't do this; the detail names it."""

    status = 501
    title = "Not implemented"


class BadGatewayError(RequestError):
    """502: a provider failed, or the outcome is unknown."""

    status = 502
    title = "Bad gateway"


class GatewayTimeoutError(RequestError):
    """504: what is behind did not answer in time; whether it did what was asked is unknown."""

    status = 504
    title = "Gateway timeout"


class NoRoomError(RequestError):
    """507: the client's files, or the disk, have reached their limit; ``detail`` has the figure."""

    status = 507
    title = "Insufficient storage"


class UnavailableError(RequestError):
    """503: database or disk accept nothing at the moment; the sender should try again."""

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
    """Try again: not before ``after`` seconds if given, else by the retry schedule.

    ``down``: the target accepts nothing until somebody acts. It is down at once: its deliveries are held in order,
    wagate probes it, and this spends no attempt. With ``http_status`` 408, 425 or 429, or with 503 and ``after``, the
    target asks to slow down: this spends no attempt, and all its deliveries are slower for a while.
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
    """Wait ``after`` seconds, first in the chat, without an attempt: nothing is spent or recorded.

    Raise it if the target was not asked; its health stays unknown. A delivery that waits in this way for longer than
    ``delivery.recover`` (24 h if that is 0) is given up. ``slow``: the target asked to slow down; all its deliveries
    are slower for a while. ``own``: it waits for something of its own, such as a file, which says nothing about the
    target; if the target is down, another delivery probes it meanwhile.
    """

    def __init__(self, reason: str, *, after: float, slow: bool = False, own: bool = False) -> None:
        super().__init__(reason)
        self.after = after
        self.slow = slow
        self.own = own


class Reject(DeliveryError):  # noqa: N818  (a verb of the plugin API)
    """Never try again: the delivery becomes a dead letter. ``disable`` also turns the target off (410 Gone)."""

    def __init__(
        self, reason: str, *, http_status: int | None = None, response: str | None = None, disable: bool = False
    ) -> None:
        super().__init__(reason, http_status=http_status, response=response)
        self.disable = disable


class SendError(WagateError):
    """A provider did not send a message; the subclass says what is certain. ``reason`` is for people."""

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
    """Certainly not sent, but may succeed later: in ``after`` seconds if given, else by the retry schedule.

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
    """Can never be sent as it is: wrong recipient, wrong content, or outside the 24 h window (``window``)."""

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
    """Certainly not sent, and the account sends nothing until somebody acts: wrong token, blocked, unpaid."""


class OutcomeUnknownError(SendError):
    """May have been sent: the request left, but no answer said whether it succeeded."""


class NoAnswerError(OutcomeUnknownError):
    """No answer came in time."""
