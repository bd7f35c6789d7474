"""The dashboard as an application of its own: sign-in, safety, errors, and the pages."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import structlog
from quart import Response, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as WerkzeugResponse

from wagate.errors import (
    NotFoundError,
    RequestError,
    StorageError,
    TooManyRequestsError,
    TooSlowError,
    UnauthorizedError,
    WagateError,
)
from wagate.hooks.routes import finish
from wagate.storage.audit import write_sign_in
from wagate.web.access.acts import ADMIN
from wagate.web.finish import Finishing
from wagate.web.http.url_rules import UrlRule
from wagate.web.ui import (
    bulk,
    client_links,
    clients,
    conversations,
    deliveries,
    delivery,
    doctor,
    first_run,
    live,
    machine,
    mend,
    messages,
    number_acts,
    number_new,
    numbers,
    overview,
    panels,
    receivers,
    scan,
    webhooks,
    words,
)
from wagate.web.ui.door import MOST, SAFE
from wagate.web.ui.guests import refuse_guest
from wagate.web.ui.parts import Parts, back
from wagate.web.ui.render import PREFIX, render, static_files
from wagate.web.ui.signin import FIELD, forget_cookie, refuse_foreign, set_cookie

OPEN: Final = ("/signin", "/static/", "/scan", "/enter")
"""Below ``/ui``, open to who is not signed in."""
TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
FOREVER: Final = "public, max-age=31536000, immutable"
NOT_HERE: Final = "This page doesn't exist, or you may not see it."
Problem = tuple[str, int, dict[str, str]]
"""A page, its status and headers."""

log = structlog.get_logger("wagate.ui")


def create_ui(parts: Parts) -> Finishing:
    """All pages, below ``/ui``."""
    ui = Finishing("wagate.web.ui", static_folder=None, template_folder=None)
    ui.url_rule_class = UrlRule
    ui.config.update(MAX_CONTENT_LENGTH=MOST, PROVIDE_AUTOMATIC_OPTIONS=False)
    ui.url_map.merge_slashes = False  # One path, one spelling.
    _guard(ui, parts)
    _answer_errors(ui, parts)
    _own_pages(ui, parts)
    for pages in (
        overview,
        numbers,
        number_new,
        number_acts,
        first_run,
        mend,
        bulk,
        deliveries,
        delivery,
        receivers,
        panels,
        scan,
        client_links,
        webhooks,
        conversations,
        messages,
        clients,
        doctor,
        machine,
        live,
    ):
        ui.register_blueprint(pages.pages(parts), url_prefix=PREFIX)
    return ui


def _guard(ui: Finishing, parts: Parts) -> None:
    @ui.before_request
    async def admit() -> Response | WerkzeugResponse | None:
        below = request.path.removeprefix(PREFIX)
        g.viewer = None if below.startswith("/static/") else await parts.signins.viewer(secure=parts.secure())
        if g.viewer is None and _is_led_here() and not below.startswith(("/static/", "/scan")):
            return Response(render("led", there=_here(), theme=request.cookies.get("theme", "")))
        if g.viewer is None and not below.startswith(OPEN):
            return _to_signin()  # Before the form is read: strangers' forms cost nothing.
        if g.viewer is not None:
            parts.spend(str(g.viewer.client_id))
            await parts.health.glance()
        if request.method == "POST":
            # Who signs in again, from a page that was open before, has no secret of the sign-in that goes on.
            # What a link opens has a secret of its own.
            who = None if below in {"/signin", "/scan", "/enter"} else g.viewer
            refuse_foreign(who, (await request.form).get(FIELD, ""))
            finish()  # A press on another button breaks this request off.
        if g.viewer is not None and request.url_rule is not None:
            refuse_guest(g.viewer, request.method, below, request.url_rule.rule.removeprefix(PREFIX))
        return None

    @ui.after_request
    async def safe(response: Response) -> Response:
        for name, value in SAFE.items():
            response.headers[name] = value
        response.headers.setdefault("Cache-Control", "no-store")
        return response


def _is_led_here() -> bool:
    """Whether somebody pressed a link on another site: the browser keeps a strict cookie back then.

    A page of ours that goes on by itself brings it. Seen in Chromium; Safari says where it comes from since 16.4.
    """
    asked = request.headers.get("Sec-Fetch-Site"), request.headers.get("Sec-Fetch-Mode")
    return request.method == "GET" and asked == ("cross-site", "navigate")


def _here() -> str:
    """The page that was asked for, as it may stand in a URL."""
    query = request.query_string.decode("ascii", "ignore")
    return quote(request.path, safe="/:@+,;=~!$&'()*") + (f"?{query}" if query else "")


def _to_signin() -> Response | WerkzeugResponse:
    if request.path == f"{PREFIX}/live":  # Whoever comes back to a page after the sign-in has ended: it asks no more.
        return Response(live.event("end", "Signed out"), content_type="text/event-stream; charset=utf-8")
    there = request.full_path.rstrip("?") if request.method == "GET" else f"{PREFIX}/"
    return back(f"{PREFIX}/signin?next={quote(there, safe='/')}")


def _own_pages(ui: Finishing, parts: Parts) -> None:
    @ui.get(f"{PREFIX}/signin")
    async def signin() -> str:
        return _signin_page("", request.args.get("next", ""))

    @ui.post(f"{PREFIX}/signin")
    async def sign_in() -> tuple[str, int] | WerkzeugResponse:
        form = await request.form
        there, token = form.get("next", ""), form.get("token", "").strip()
        directory = parts.live.now
        try:
            cookie, made = await parts.signins.sign_in(token, address=parts.address(), keep=form.get("keep") == "on")
            # As it was when the token was looked at.
            client = directory.clients.get(directory.tokens.get(made.token, 0))
            slug, client_id = (ADMIN, None) if client is None else (client.slug, client.id)
            await parts.database.write(write_sign_in, slug, client_id, parts.address(), parts.now())
        except UnauthorizedError:
            log.warning("sign-in failed", address=parts.address(), path=request.path)
            return _signin_page("This token is not valid.", there), 401
        except TooManyRequestsError as error:
            return _signin_page(
                f"Too many wrong tokens from your address. Try again in {error.retry_after} s.", there
            ), 429
        except StorageError as error:
            log.warning("sign-in failed", address=parts.address(), path=request.path, error=str(error))
            why = words.unwritable(str(error).removeprefix(f"{parts.database.where}: "))
            return _signin_page(f"You can't sign in until that is fixed: {why}", there), 503
        response = back(there or f"{PREFIX}/")
        set_cookie(response, cookie, made, secure=parts.secure())  # type: ignore[arg-type]  # werkzeug's is enough
        return response

    @ui.post(f"{PREFIX}/signout")
    async def sign_out() -> WerkzeugResponse:
        await parts.signins.sign_out(g.viewer)
        response = back(f"{PREFIX}/signin")
        forget_cookie(response)  # type: ignore[arg-type]  # likewise
        return response

    @ui.post(f"{PREFIX}/theme")
    async def theme() -> WerkzeugResponse:
        form = await request.form
        response = back(form.get("to", ""))
        chosen = "light" if request.cookies.get("theme") == "dark" else "dark"
        response.set_cookie("theme", chosen, max_age=365 * 86400, samesite="Strict", path=PREFIX)
        return response

    @ui.get(f"{PREFIX}/static/<digest>/<path:name>")
    async def static(digest: str, name: str) -> Response:  # noqa: ARG001  (the digest changes with the file)
        found = static_files().get(name)
        if found is None:
            raise NotFoundError(NOT_HERE)
        kind = TYPES[name.rpartition(".")[2]]
        return Response(found, content_type=f"{kind}; charset=utf-8", headers={"Cache-Control": FOREVER})


def _signin_page(wrong: str, there: str) -> str:
    """The form; ``wrong``: what was wrong with the last token.

    How many tries are left is not said: they are counted by address and come back with time, so the figure would tell
    a guesser how fast to go on without being stopped, and somebody behind the same address that others guess there.
    Who has their token needs no count; once the tries are used up, the page says for how long.
    """
    return render("signin", wrong=wrong, next=there, theme=request.cookies.get("theme", ""))


def _answer_errors(ui: Finishing, parts: Parts) -> None:
    @ui.errorhandler(RequestError)
    async def refused(error: RequestError) -> Problem:
        return _problem(NOT_HERE if error.status == 404 else f"{error}.", error.status, _later(error))

    @ui.errorhandler(TooSlowError)
    async def slow(error: TooSlowError) -> Problem:
        log.warning("page failed", path=request.path, error=str(error))
        listed = f"{PREFIX}/deliveries"
        if request.path == f"{listed}/bulk":
            to = f"{listed}?{_here().partition('?')[2]}"
            return _problem(words.TOO_SLOW, 503, to=to, label="Back to the filter")
        to = _here() if request.method == "GET" else ""
        return _problem("That took too long. The gateway runs, and nothing was lost.", 503, to=to, label="Try again")

    @ui.errorhandler(WagateError)
    async def unable(error: WagateError) -> Problem:
        log.warning("page failed", path=request.path, error=str(error))
        why = str(error).removeprefix(f"{parts.database.where}: ")  # where is the machine's, and clients look, too
        return _problem(f"wagate can't answer right now: {why}. Webhooks that it can't store are answered 503.", 503)

    @ui.errorhandler(HTTPException)
    async def misdirected(error: HTTPException) -> Problem:
        return _problem(NOT_HERE if error.code == 404 else error.name, error.code or 400)

    @ui.errorhandler(Exception)
    async def failed(error: Exception) -> Problem:
        log.error("page failed", path=request.path, exc_info=error)
        return _problem("Something went wrong; see the log. Nothing that was stored is lost.", 500)


def _later(error: RequestError) -> dict[str, str]:
    return {"Retry-After": str(error.retry_after)} if isinstance(error, TooManyRequestsError) else {}


def _problem(
    text: str, status: int, headers: dict[str, str] | None = None, *, to: str = "", label: str = ""
) -> Problem:
    """A page that says what went wrong; ``to``: what ``label`` leads to, besides the overview."""
    page = render(
        "problem",
        status=status,
        text=text,
        to=to,
        label=label,
        theme=request.cookies.get("theme", ""),
        signed_in=g.get("viewer") is not None,
    )
    return page, status, headers or {}
