"""``/ui/plugins``: what plugins show. A panel that fails or hangs costs that panel, and the page says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import structlog
import trio
from quart import Blueprint

from wagate.errors import NotFoundError, WagateError
from wagate.hooks.panels import Panel, PanelAsked, PanelData
from wagate.web.ui.parts import Parts, viewer

PATIENCE: Final = 1.0
"""Seconds for one panel; all of a page run at once."""

log = structlog.get_logger("wagate.ui")
Panels = Mapping[str, Sequence[Panel]]
"""By the plugin's name."""


class Shown(msgspec.Struct, kw_only=True):
    """A panel on a page."""

    title: str
    data: PanelData | None = None
    wrong: str = ""
    """In place of the data."""


def pages(parts: Parts) -> Blueprint:
    """One page for each plugin that has panels."""
    routes = Blueprint("panels", __name__)

    @routes.get("/plugins/<plugin>")
    async def show(plugin: str) -> str:
        if plugin not in parts.panels:
            raise NotFoundError("no such plugin")
        return parts.page("plugin", f"plugins/{plugin}", plugin=plugin, panels=await shown(parts, plugin))

    return routes


async def shown(parts: Parts, plugin: str, target: str = "") -> list[Shown]:
    """A plugin's panels for the viewer, in the plugin's order; those that have nothing to show are left out."""
    asked = PanelAsked(client_id=viewer().client_id, target=target)
    panels = parts.panels.get(plugin, ())
    found = [Shown(title=each.title) for each in panels]
    async with trio.open_nursery() as nursery:
        for panel, place in zip(panels, found, strict=True):
            nursery.start_soon(_fill, plugin, panel, asked, place, f"{parts.now():%Y-%m-%d %H:%M:%S} UTC")
    return [each for each in found if each.data is not None or each.wrong]


async def _fill(plugin: str, panel: Panel, asked: PanelAsked, place: Shown, at: str) -> None:
    """``at``: when, in words, for a panel that fails."""
    try:
        with trio.fail_after(PATIENCE):
            place.data = await panel.render(asked)
    except trio.TooSlowError:
        place.wrong = f"{plugin} did not answer within {PATIENCE:g} s, at {at}."
        log.warning("panel is late", plugin=plugin, panel=panel.title)
    except WagateError as error:
        place.wrong = f"{plugin} could not make this panel at {at}; the log says why."
        log.warning("panel failed", plugin=plugin, panel=panel.title, error=str(error))
