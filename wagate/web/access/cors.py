"""Which browser pages may call the API: those of ``server.cors_origins``, no others."""

from __future__ import annotations

from collections.abc import Collection

from quart import Response, request

METHODS = "GET, POST, PUT, PATCH, DELETE"
HEADERS = "Authorization, X-Api-Key, Content-Type, Idempotency-Key, Prefer, Last-Event-ID"
EXPOSED = "Retry-After, Idempotent-Replayed, Preference-Applied"
MAX_AGE = "600"


class Cors:
    """Answers preflights, and marks answers that a page of an allowed origin may read.

    Cookies are never allowed: the API knows none.
    """

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origin.rstrip("/") for origin in origins)

    def preflight(self) -> Response | None:
        """The answer to a browser's question before the request itself; None when this is none, or not allowed."""
        asked = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if not asked or not self._allows(request.headers.get("Origin")):
            return None
        headers = {
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": HEADERS,
            "Access-Control-Max-Age": MAX_AGE,
        }
        return Response(b"", status=204, headers=headers)

    def mark(self, response: Response) -> None:
        """Add what the browser looks for."""
        for name, text in self.headers(request.headers.get("Origin")).items():
            response.headers.add(name, text)

    def headers(self, origin: str | None) -> dict[str, str]:
        """What the browser looks for in an answer to a page of this origin."""
        if not self._origins:
            return {}
        if origin is None or not self._allows(origin):
            return {"Vary": "Origin"}
        return {"Vary": "Origin", "Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": EXPOSED}

    def _allows(self, origin: str | None) -> bool:
        return origin is not None and (origin in self._origins or "*" in self._origins)
