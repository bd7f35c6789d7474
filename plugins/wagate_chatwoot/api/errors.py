"""How Chatwoot can fail: the class says what is certain, and so what to do; `classify` alone decides."""

from __future__ import annotations

from typing import Any

import msgspec

from wagate.errors import WagateError
from wagate.http import AddressNotAllowedError, BadUrlError, HttpError, Response, TimedOutError
from wagate.parsing.fields import first_text, mapping
from wagate.parsing.retry_after import seconds_asked_for

MINUTE = 60.0
"""Chatwoot counts messages of a conversation by the minute."""
LONGEST = 15.0
"""Seconds after which Chatwoot gives up on a request itself (rack-timeout's default there)."""
_CUT = frozenset({502, 503, 504})
"""A proxy gave up on Chatwoot, which may go on; a 500 is Chatwoot's own, when it is done."""
_MOST_SHOWN = 300
_UNDERSCORES = "; behind a proxy, the header api_access_token needs nginx's underscores_in_headers on"


class ChatwootError(WagateError):
    """Base. ``reason`` is plain and holds no secret; ``http_status`` is None when no answer came."""

    def __init__(self, reason: str, *, http_status: int | None = None, response: str | None = None) -> None:
        """``response`` is the first part of what Chatwoot said."""
        super().__init__(reason)
        self.reason = reason
        self.http_status = http_status
        self.response = response


class ChatwootStoppedError(ChatwootError):
    """Nothing will be taken until somebody changes the configuration: token, account, address."""


class NotThereError(ChatwootError):
    """404: the contact, conversation, message, inbox or account is not there (any more)."""


class TakenError(ChatwootError):
    """422: somebody has this phone number, identifier, e-mail or source_id already. ``attributes`` names which."""

    attributes: tuple[str, ...] = ()


class TooLargeError(ChatwootError):
    """413: a proxy, or Chatwoot, does not take a body of this size."""


class RefusedError(ChatwootError):
    """Another 4xx: it will not be taken as it is."""


class BusyError(ChatwootError):
    """Over a limit of Chatwoot's; nothing was done. ``after`` seconds."""

    after: float = MINUTE


class AwayError(ChatwootError):
    """Certainly not done, and may succeed later."""


class AmbiguousError(ChatwootError):
    """The request left and nobody knows whether it was done: look before doing it again.

    ``lingers``: nobody waited for Chatwoot to be done with it, so that it may still be done, for that many seconds.
    """

    lingers: float = 0.0


_KINDS: dict[int, type[ChatwootError]] = {
    401: ChatwootStoppedError,
    402: ChatwootStoppedError,
    403: ChatwootStoppedError,
    404: NotThereError,
    413: TooLargeError,
    429: BusyError,
}


def classify(answer: Response | HttpError, *, creates: bool) -> ChatwootError | None:
    """What an answer means; None: it was done.

    ``creates``: doing it twice makes two, so that an unknown outcome is an `AmbiguousError`, else an `AwayError`.
    """
    if isinstance(answer, HttpError):
        return _of_error(answer, creates=creates)
    if 200 <= answer.status < 300:
        return None
    said = said_of(answer.body)
    kind = _kind(answer.status, said.lower(), creates=creates)
    error = kind(_reason(answer.status, said), http_status=answer.status, response=said or None)
    if isinstance(error, BusyError):
        error.after = _retry_after(answer.headers)
    if isinstance(error, TakenError):
        error.attributes = _attributes(answer.body, said)
    if isinstance(error, AmbiguousError) and answer.status in _CUT:
        error.lingers = LONGEST
    return error


def _kind(status: int, said: str, *, creates: bool) -> type[ChatwootError]:
    if status in _KINDS:
        return _KINDS[status]
    if 300 <= status < 400:
        return ChatwootStoppedError
    if status in {408, 425} or status >= 500:
        return AmbiguousError if creates else AwayError
    if status == 422 and "too many messages" in said:
        return BusyError
    if status == 422 and ("already been taken" in said or "should be unique" in said):
        return TakenError
    return RefusedError


def _of_error(error: HttpError, *, creates: bool) -> ChatwootError:
    if isinstance(error, BadUrlError | AddressNotAllowedError):
        return ChatwootStoppedError(f"Chatwoot's url can't be used: {error.reason}")
    if not (error.sent and creates):
        return AwayError(error.reason)
    ambiguous = AmbiguousError(error.reason)
    # Our own timeout is longer than Chatwoot's.
    ambiguous.lingers = 0.0 if isinstance(error, TimedOutError) else LONGEST
    return ambiguous


def said_of(body: bytes) -> str:
    """Chatwoot's own words in an error's body, at most 300 characters; '' for HTML."""
    found = mapping(_json(body))
    text = first_text(found, "error", "message", "description")
    if not text and body.lstrip()[:1] not in {b"<", b"{", b"["}:
        text = body[:_MOST_SHOWN].decode("utf-8", "replace").strip()
    return text[:_MOST_SHOWN]


def _reason(status: int, said: str) -> str:
    if status < 400:
        return f"Redirected ({status}): Chatwoot's url leads elsewhere"
    word = "Server error" if status >= 500 else "Client error"
    return f"{word} ({status})" + (f": {said}" if said else "") + (_UNDERSCORES if status == 401 else "")


def _attributes(body: bytes, said: str) -> tuple[str, ...]:
    told = mapping(_json(body)).get("attributes")
    if isinstance(told, list) and told:
        return tuple(str(each) for each in told)
    return ("source_id",) if "source_id" in said else ("phone_number",)


def _retry_after(headers: dict[str, str]) -> float:
    asked = seconds_asked_for(headers.get("retry-after"))
    return MINUTE if asked is None else min(max(asked, 1.0), 3600.0)


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
