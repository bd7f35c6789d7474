"""All of WAHA's operations, by topic."""

from __future__ import annotations

from quart import Blueprint

from wagate.web.waha.chats import CHATS
from wagate.web.waha.contacts import CONTACTS
from wagate.web.waha.desk import Desk, add_rows
from wagate.web.waha.groups import GROUPS
from wagate.web.waha.more_sends import MORE_SENDS
from wagate.web.waha.own import OWN
from wagate.web.waha.passed import PASSED
from wagate.web.waha.server import SERVER

ROWS = (*CHATS, *CONTACTS, *GROUPS, *OWN, *MORE_SENDS, *PASSED, *SERVER)


def waha_routes(desk: Desk) -> Blueprint:
    """Those beside sessions and the common ways to send, which have files of their own."""
    routes = Blueprint("waha", __name__)
    add_rows(routes, desk, ROWS)
    return routes
