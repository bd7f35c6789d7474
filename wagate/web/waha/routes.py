"""All of WAHA's operations, by topic; and here, what WAHA says about itself, and what wagate has another way for.

The latter are answered 501 with the reason.
"""

from __future__ import annotations

from typing import Any

import msgspec
from quart import Blueprint

from wagate import __version__
from wagate.errors import NotSupportedError
from wagate.hooks.routes import acts_on
from wagate.parsing.waha import ENGINE, TIER
from wagate.web.waha.apps import APPS
from wagate.web.waha.chats import CHATS
from wagate.web.waha.contacts import CONTACTS
from wagate.web.waha.cpu import CPU
from wagate.web.waha.desk import Call, Desk, Row, add_rows
from wagate.web.waha.groups import GROUPS
from wagate.web.waha.keys import KEYS
from wagate.web.waha.labels import LABELS
from wagate.web.waha.more_sends import MORE_SENDS
from wagate.web.waha.own import OWN
from wagate.web.waha.passed import PASSED

NOT_HERE = {
    "only WhatsApp's own app supports passkeys: link with the QR code or request-code": (
        "GET /{session}/auth/passkey/challenge",
        "POST /{session}/auth/passkey",
        "GET /{session}/auth/passkey/confirmation",
        "POST /{session}/auth/passkey/confirm",
    ),
    "wagate runs no browser to take a screenshot of": ("GET /server/debug/browser/trace/{session}",),
    "wagate's tokens have no scopes: make a token with POST /keys; links to files need none": ("POST /keys/media",),
    "wagate's tokens have no scopes: a page to scan has a link of its own (POST /api/accounts/{name}/links)": (
        "POST /keys/control",
    ),
    "wagate has metrics at /metrics, but no memory dumps": ("GET /server/debug/heapsnapshot",),
    "wagate has no MCP server": ("POST /mcp",),
}
"""Why → what is answered with it."""


def _refuse(why: str) -> Any:
    async def refuse(_call: Call) -> Any:
        raise NotSupportedError(why)

    return refuse


async def _version(_call: Call) -> Any:
    return {
        "version": __version__,
        "engine": ENGINE,
        "tier": TIER,
        "browser": None,
        "platform": "linux",
        "worker": {"id": None},
    }


async def _environment(_call: Call) -> Any:
    return {"WAGATE_VERSION": __version__}


async def _status(call: Call) -> Any:
    began, now = (int(each.timestamp() * 1000) for each in (call.desk.began, call.desk.clock.now()))
    return {"startTimestamp": began, "uptime": now - began, "worker": {"id": "wagate"}}


class StopBody(msgspec.Struct, frozen=True, kw_only=True):
    """How to stop; ``force`` changes nothing: a stop ends with ``server.drain`` at the latest."""

    force: bool | None = None


async def _stop(call: Call) -> Any:
    """Stop this process, once it is answered. ForbiddenError."""
    call.desk.auth.admin()
    call.desk.stop()
    acts_on("gateway")
    return {"stopping": True}


SERVER = (
    Row(verb="GET /version", doc="Our version.", handle=_version, sessionless=True),
    Row(verb="GET /server/version", doc="Our version.", handle=_version, sessionless=True),
    Row(verb="GET /server/environment", doc="Little.", handle=_environment, sessionless=True),
    Row(verb="GET /server/status", doc="Start time and uptime.", handle=_status, sessionless=True),
    Row(
        verb="POST /server/stop",
        doc="Stop gracefully.",
        handle=_stop,
        body=StopBody,
        body_optional=True,
        status=201,
        sessionless=True,
        act="stop gateway",
    ),
    CPU,
    *(
        Row(verb=verb, doc="Not possible.", handle=_refuse(why), sessionless=True)
        for why, verbs in NOT_HERE.items()
        for verb in verbs
    ),
)


ROWS = (*CHATS, *CONTACTS, *GROUPS, *OWN, *LABELS, *MORE_SENDS, *PASSED, *KEYS, *APPS, *SERVER)


def waha_routes(desk: Desk) -> Blueprint:
    """Those beside sessions and the common ways to send, which have files of their own."""
    routes = Blueprint("waha", __name__)
    add_rows(routes, desk, ROWS)
    return routes
