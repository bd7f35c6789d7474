"""In front of the API: ``/ui`` is the dashboard's, and a browser that asks for ``/`` is led there."""

from __future__ import annotations

from typing import Final

from quart_trio import QuartTrio

from wagate.errors import TooLargeError, WagateError
from wagate.web.http.asgi import App, ClientGoneError, Receive, Request, Scope, Send, respond
from wagate.web.http.bodies import Bodies, NoBody, WholeBody, read_body
from wagate.web.problems import problem_of
from wagate.web.ui.render import PREFIX, render
from wagate.web.ui.signin import COOKIE

LED: Final = {"/": f"{PREFIX}/", PREFIX: f"{PREFIX}/", "/jobs": f"{PREFIX}/deliveries"}
"""Where a browser is led from."""
MOST: Final = 64 * 1024
"""Bytes of a form."""
MOST_FIELDS: Final = 500
"""Of a form: the loop waits while they are taken apart."""
MOST_TOKEN: Final = 4096
"""Bytes of the form to sign in: anybody may send one."""
SAFE: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""Headers of every answer."""


class UiDoor:
    """Serves pages; all else goes on to the API."""

    def __init__(self, ui: QuartTrio, api: App, *, bodies: Bodies) -> None:
        self._ui = ui
        self._api = api
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and scope["path"] in LED and _is_browser(scope):
            await respond(send, 303, b"", {"location": LED[scope["path"]], "cache-control": "no-store"})
        elif scope["type"] == "http" and scope["path"].startswith(f"{PREFIX}/"):
            await self._serve(scope, receive, send)
        else:
            await self._api(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: App = self._ui  # type: ignore[assignment]  # hypercorn's types for the same thing.
        most = _most(scope)
        if most is None:
            await app(scope, NoBody(receive), send)
            return
        with self._bodies.hold() as held:
            try:
                body = await read_body(scope, receive, most, held, limit="the limit for a form")
                if body.count(b"&") >= MOST_FIELDS:
                    raise TooLargeError("the form has too many fields")
            except ClientGoneError:
                return
            except WagateError as error:
                await respond(send, *_refusal(error, scope))
                return
            await app(scope, WholeBody(body, receive), send)


def _most(scope: Scope) -> int | None:
    """How long the body may be; None where nobody may send one."""
    if scope["method"] != "POST":
        return None
    if scope["path"] in {f"{PREFIX}/signin", f"{PREFIX}/scan", f"{PREFIX}/enter"}:
        return MOST_TOKEN
    return MOST if COOKIE in Request(scope, ()).headers.get("cookie", "") else None


def _refusal(error: WagateError, scope: Scope) -> tuple[int, bytes, dict[str, str]]:
    """For a person a page, in which what they typed is not lost: it is one step back."""
    status, headers, problem = problem_of(error, scope["path"])
    headers |= {**SAFE, "Cache-Control": "no-store", "connection": "close"}
    if "text/html" in Request(scope, ()).headers.get("accept", ""):
        said = f"{error}. Go back: what you typed is still there."
        said = said[:1].upper() + said[1:]
        problem = render("problem", text=said, theme="", signed_in=True, status=status, to="", label="").encode()
        headers["content-type"] = "text/html; charset=utf-8"
    return status, problem, headers


def _is_browser(scope: Scope) -> bool:
    return scope["method"] in {"GET", "HEAD"} and "text/html" in Request(scope, ()).headers.get("accept", "")
