"""Panels: what a plugin shows on the dashboard. It gives data; wagate makes the page of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

PanelState = Literal["", "ok", "wait", "bad", "info", "off"]
"""How it is: a shape, a word and a colour beside the value; '': nothing to say."""


class PanelAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Who is viewing, and what."""

    client_id: int | None
    """Show only what is this client's; None: of all clients."""
    target: str = ""
    """The receiver whose page it is, as in `Target.id`; '': the plugin's own page."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure."""

    label: str
    value: str
    state: PanelState = ""


class PanelData(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a panel: all of it is text, never HTML. What is empty is left out."""

    text: str = ""
    """A sentence or two."""
    figures: tuple[Figure, ...] = ()
    """20 at most."""
    columns: tuple[str, ...] = ()
    """Of the table; 8 at most."""
    rows: tuple[tuple[str, ...], ...] = ()
    """Of the table, each with a text for every column; 200 at most."""


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One panel."""

    title: str
    render: Callable[[PanelAsked], Awaitable[PanelData | None]]
    """What to show now; None: nothing for this viewer or receiver. It has a second."""
