"""What a link opens that shows less than all, or that only looks. A route that is not here is closed to the first."""

from __future__ import annotations

from typing import Final

from wagate.errors import ForbiddenError
from wagate.web.ui.signin import Viewer

OWN: Final = frozenset(
    {"/signin", "/signout", "/theme", "/scan", "/scan/live", "/enter", "/static/<digest>/<path:name>"}
)
"""Routes below ``/ui``, about the sign-in itself."""
STATE: Final = frozenset(
    {"/", "/more", "/live", "/numbers", "/numbers/<name>", "/receivers", "/receivers/<path:target_id>"}
)
DELIVERIES: Final = STATE | {"/deliveries", "/deliveries/<delivery_id>", "/messages", "/messages/<wanted>"}
RETRY_STATE: Final = frozenset({"/receivers/<path:target_id>/probe"})
"""Besides, to try again."""
RETRY: Final = RETRY_STATE | {
    "/deliveries",
    "/deliveries/<delivery_id>/<verb>",
    "/deliveries/bulk",
    "/bulk",
    "/bulk/<bulk_id>",
    "/bulk/<bulk_id>/stop",
}
CHANGES: Final = ("/add", "/webhooks", "/deliveries/bulk", "/bulk")
"""Beginnings of pages that are there to change something."""


def refuse_guest(viewer: Viewer, method: str, below: str, rule: str) -> None:
    """Who may not do all changes nothing else, and opens no page made for changes. ForbiddenError.

    ``below``: the path below ``/ui``; ``rule``: its route, likewise.
    """
    if viewer.may_act or rule in OWN:
        return
    if not viewer.texts:
        if viewer.may_retry and rule in (RETRY if viewer.deliveries else RETRY_STATE):
            return
        if rule not in (DELIVERIES if viewer.deliveries else STATE):
            raise ForbiddenError("your link does not show this; ask for another one")
    if method == "POST" or below.startswith(CHANGES) or below.endswith("/settings"):
        raise ForbiddenError("your link is read-only; ask for another one")
