"""What the pages are made of: the gateway's own parts, never its tables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import trio
from quart import Response, g, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from wagate.clock import Clock
from wagate.config.tables import Retention
from wagate.consumers.bulk import BulkActs
from wagate.context.deliveries import DeliveryLog
from wagate.context.targets import TargetDesk
from wagate.errors import ForbiddenError, NotFoundError
from wagate.events import Event
from wagate.hooks.panels import Panel
from wagate.plugins.registry import Providers
from wagate.storage.audit import Act, write_act
from wagate.storage.database import Database
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.refusals import RefusedRow
from wagate.web.access.streams import Streams
from wagate.web.api.doctor import DoctorLine
from wagate.web.health import HealthMonitor
from wagate.web.http.asgi import Networks, Request
from wagate.web.sessions.hub import SessionHub
from wagate.web.ui.own_api import OwnApi
from wagate.web.ui.render import PREFIX, render
from wagate.web.ui.signin import SignIns, Viewer
from wagate.web.ui.warnings import Warned

Answer = str | Response | WerkzeugResponse


@dataclass(frozen=True, kw_only=True)
class Parts:
    """All pages share them."""

    clock: Clock
    database: Database
    live: LiveDirectory
    signins: SignIns
    targets: TargetDesk
    deliveries: DeliveryLog
    api: OwnApi
    """For all that the API does already, and plugins with routes of their own: they are not known here."""
    bulk: BulkActs
    health: HealthMonitor
    examine: Callable[..., Awaitable[Sequence[DoctorLine]]]
    """What ``wagate doctor`` asks; ``part``: of this part alone."""
    failing: Callable[[], Sequence[DoctorLine]]
    """What did not work when that was last asked."""
    stopped: Callable[[], Collection[str]]
    """Ids of accounts whose provider lets them send nothing, as far as this process saw it."""
    config_file: Path
    refused: Callable[..., Awaitable[Sequence[RefusedRow]]]
    """`wagate.web.inbound.refusals.Refusals.all`."""
    warnings: Callable[[], Sequence[Warned]]
    """The last of this process's log, the newest first."""
    folder: Path
    """The data folder."""
    retention: Retention
    """How long things are kept."""
    processes: Callable[[], int]
    """How many processes take from the queue, this one included."""
    loaded: Callable[[], Mapping[str, str]]
    """Plugins that are on → why one is not working properly, or ''."""
    trusted_proxies: Networks
    spend: Callable[[str], None]
    """Counts a request of this client, as `limits.api` has it. TooManyRequestsError."""
    recover: float
    """``delivery.recover``, seconds."""
    hub: SessionHub
    """Tells of changed sessions."""
    stop: trio.Event
    """Set when the gateway stops."""
    streams: Streams
    """Pages that are live."""
    media_url: Callable[[Event], str | None]
    """The link to an event's file."""
    sign: Callable[[str], str]
    """Makes a text that only we can have made, for an hour."""
    unsign: Callable[[str], str]
    """What was signed. UnauthorizedError: not by us, or too long ago."""
    providers: Providers
    """Ways to reach WhatsApp."""
    panels: Mapping[str, Sequence[Panel]]
    """What plugins show, by the plugin's name."""
    hide: Callable[[str], str]
    """Encrypts a text."""
    reveal: Callable[[str], str]
    """The text again. ConfigError: it was not encrypted here."""

    def now(self) -> datetime:
        """The time of this page."""
        return self.clock.now()

    async def note(self, action: str, thing: str, detail: str = "", *, owner: int | None = None, who: str = "") -> None:
        """Write down what the viewer did, or ``who``; ``owner``: the client whose thing it is."""
        act = Act(
            client_id=viewer().client_id if owner is None else owner,
            who=who or viewer().name,
            action=action,
            object=thing,
            detail=detail[:500],
            address=self.address(),
            created_at=self.now(),
        )
        await self.database.write(write_act, act)

    def address(self) -> str:
        """Where the running request comes from."""
        return Request(request.scope, self.trusted_proxies).address

    def origin(self) -> str:
        """Scheme and host by which the browser calls us."""
        return Request(request.scope, self.trusted_proxies).origin

    def secure(self) -> bool:
        """Whether the browser speaks TLS with us, or with the proxy in front."""
        return self.origin().startswith("https://")

    def whose(self) -> int | None:
        """Whose things the running page is about: the viewer's; the admin's are all, or those of ``?client=``.

        NotFoundError: there is no such client, or it is somebody else.
        """
        who, slug = viewer().identity, request.args.get("client", "")
        if not slug or slug == who.tenant:
            return who.client_id
        found = self.live.now.by_slug.get(slug)
        if found is None or not who.admin:
            raise NotFoundError("no such client")
        return found.id

    def page(self, template: str, here: str, **values: Any) -> str:
        """A whole page, with the frame around it."""
        return render(
            template,
            **{"live": "", "client": ""} | values,
            here=here,
            now=self.now(),
            viewer=viewer(),
            theme=request.cookies.get("theme") if request.cookies.get("theme") in {"light", "dark"} else "",
            path=request.full_path.rstrip("?"),
            said=said(),
            plugins=sorted(self.panels),
            unwritable=self.health.unwritable,
        )


def viewer() -> Viewer:
    """Who looks at the running page."""
    found: Viewer = g.viewer
    return found


def one_client() -> str:
    """The client that the admin looks at alone, on a page that obeys `Parts.whose`; '': all."""
    return request.args.get("client", "") if viewer().identity.admin else ""


def admin_only() -> None:
    """ForbiddenError: a client looks at this page."""
    if not viewer().identity.admin:
        raise ForbiddenError("this page is for the admin")


def page_asked() -> int:
    """``?page=``, from 0."""
    given = request.args.get("page", "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 5 else 0


IN_URLS = "!#$%&'()*+,/:;=?@[]~"
"""Characters that stay as they are in a URL of ours; a control character in a header would break the answer."""
NOTES = {
    "paused": "Paused. New messages wait in order, and nothing is given up.",
    "resumed": "Resumed. Waiting messages are being sent.",
    "probed": "It is being tried now.",
    "up": "It answers. Waiting messages are being sent.",
    "still": "Tried: it still accepts nothing. The latest error is below.",
    "retried": "It will be sent again.",
    "skipped": "It was moved to the end of its chat. The messages behind it continue.",
    "gone": "Given up. The message stays in the archive.",
    "saved": "Saved.",
    "accepted": "Saved, and its provider accepts it.",
    "unshown": "Saved. Its provider has not confirmed it yet; the next message will tell.",
    "stillwrong": "Saved, but something is still wrong: it is below.",
    "settled": "It has changed in the meantime; this is its current state.",
    "nothing": "Nothing was selected.",
    "on": "Switched on. Waiting messages are being sent.",
    "off": "Switched off. Messages that arrive while it is off are not sent to it.",
    "taken": "Sent: the provider accepted it. The tick shows its status.",
    "queued": "Stored but not sent yet: it will be sent automatically. The tick shows its status.",
    "unknown": "It may have been sent: the request was sent, but no answer came. Check the phone.",
    "acted": "Requested. The state below changes once it is done.",
    "numbergone": "Deleted. Its messages stay in the archive.",
    "unlinked": "Revoked. The link no longer works.",
    "nolink": "This link is no longer there: it was revoked before, or has expired.",
    "revoked": "Revoked. It no longer works, and anyone signed in with it is signed out.",
    "deleted": "Deleted. The messages waiting for it are cancelled.",
}
"""What a page says after an act, by the word in its URL: never a text that came from outside."""


def said() -> str:
    """The sentence for ``?said=``; '' for none."""
    word, *counts = request.args.get("said", "").split("-")
    text = NOTES.get(word, "")
    if not text or not 1 <= len(counts) <= 2 or not all(each.isdecimal() and len(each) < 10 for each in counts):
        return text
    done, left = [*map(int, counts), 0][:2]
    why = f" {left:,} not done: changed in the meantime, or perhaps sent already." if left else ""
    return f"{done:,} {'delivery' if done == 1 else 'deliveries'}. {text}{why}"


def own(to: str) -> str:
    """The URL of a page of ours; of the overview, if it is none."""
    parts = to.partition("?")[0].split("/")
    return quote(to, safe=IN_URLS) if to.startswith(f"{PREFIX}/") and ".." not in parts else f"{PREFIX}/"


def back(to: str, word: str = "") -> WerkzeugResponse:
    """To a page of ours, which says what happened."""
    path, _, query = own(to).partition("?")
    # A page that says what came of the last act is gone back to without that.
    said = [
        *(each for each in query.split("&") if each and not each.startswith("said=")),
        *([f"said={word}"] if word else []),
    ]
    return redirect(f"{path}?{'&'.join(said)}" if said else path, code=303)
