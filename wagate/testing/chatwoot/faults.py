"""What goes wrong with a request at Chatwoot, ready to give to `FakeServer.fail`; and its rate limits."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field

from wagate.testing.server import Fault, Reply, Seen

WENT_WRONG = b"<!DOCTYPE html><html><body>We're sorry, but something went wrong (500)</body></html>"
BAD_GATEWAY = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
HTML = {"content-type": "text/html"}
UNAUTHORIZED = (
    "Invalid Access Token",
    "You are not authorized to access this account",
    "Account is suspended",
    "Access to this endpoint is not authorized for bots",
    "You are not authorized to do this action",
)
"""All that a 401 says."""
RETRY_LATER = b"Retry later\n"


def late(seconds: float, *, path: str = "/messages") -> Fault:
    """Done, and answered after so many seconds."""
    return Fault(wait=seconds, path=path, method="POST")


def done_then_500(*, path: str = "/messages") -> Fault:
    """Done, and answered with 500."""
    return Fault(accept=True, reply=Reply(status=500, body=WENT_WRONG, headers=HTML), path=path, method="POST")


def refused_500(*, path: str = "/messages") -> Fault:
    """Not done, and answered with 500: looks the same."""
    return Fault(reply=Reply(status=500, body=WENT_WRONG, headers=HTML), path=path, method="POST")


def done_then_reset(*, path: str = "/messages") -> Fault:
    """Done, and the connection is reset."""
    return Fault(accept=True, reset=True, path=path, method="POST")


def reset(*, path: str = "/messages") -> Fault:
    """Not done, and the connection is reset: looks the same."""
    return Fault(reset=True, path=path, method="POST")


def bad_gateway(*, path: str = "/messages") -> Fault:
    """A proxy's HTML."""
    return Fault(reply=Reply(status=502, body=BAD_GATEWAY, headers=HTML), path=path)


def too_many_messages() -> Fault:
    """More than 200 in a minute in one conversation."""
    return _json(422, "Validation failed: Too many messages", "/messages")


def unauthorized(why: str = UNAUTHORIZED[0], *, path: str = "") -> Fault:
    """One of `UNAUTHORIZED`."""
    return _json(401, why, path)


def gone(*, path: str = "/messages") -> Fault:
    """The conversation or contact was deleted."""
    return _json(404, "Resource could not be found", path)


def throttled(after: int = 60, *, path: str = "") -> Fault:
    """Rack::Attack."""
    return Fault(reply=retry_later(after), path=path)


def retry_later(after: int) -> Reply:
    """Rack::Attack's answer."""
    return Reply(status=429, body=RETRY_LATER, headers={"content-type": "text/plain", "retry-after": str(after)})


def _json(status: int, why: str, path: str) -> Fault:
    return Fault(reply=Reply(status=status, json={"error": why}), path=path)


@dataclass(kw_only=True)
class Limits:
    """Requests a minute; None: any number. 127.0.0.1 is exempt from the real ``ip``, so it is off here."""

    search: int | None = 100
    """contacts/search, for one account."""
    ip: int | None = None
    """All requests; Chatwoot's default is 3000."""
    _came: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def refuse(self, seen: Seen, now: float) -> Reply | None:
        """429 when it is one too many."""
        if seen.path.endswith("/contacts/search") and (found := self._over(seen.path, self.search, now)):
            return found
        return self._over("", self.ip, now)

    def _over(self, key: str, limit: int | None, now: float) -> Reply | None:
        if limit is None:
            return None
        came = self._came[key]
        while came and came[0] <= now - 60:
            came.popleft()
        if len(came) >= limit:
            return retry_later(max(1, int(came[0] + 60 - now)))
        came.append(now)
        return None
