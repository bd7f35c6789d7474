"""A plugin's panel, behind the wall: what it gives is held to its type and cut, what it raises is a PluginError."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from wagate.errors import WagateError
from wagate.hooks.panels import Figure, Panel, PanelAsked, PanelData
from wagate.plugins.values import WrongValueError, named
from wagate.plugins.wall import awaited, broken
from wagate.storage.fields import clean

MOST_FIGURES: Final = 20
MOST_COLUMNS: Final = 8
MOST_ROWS: Final = 200
LONGEST: Final = 2000
"""Characters of one text."""


def checked_panel(plugin: str, panel: Any) -> Panel:
    """The panel behind the wall. WrongValueError: it is none."""
    if not isinstance(panel, Panel) or not isinstance(panel.title, str) or not callable(panel.render):
        raise WrongValueError(f"{named(panel)}, not Panel with a title and a function")
    title = clean(panel.title[:100])

    async def render(asked: PanelAsked) -> PanelData | None:
        try:
            given = await awaited(panel.render(asked))
            return None if given is None else held(given)
        except WagateError:
            raise
        except BaseException as error:
            raise broken(plugin, f"panel {title}", error) from error

    return Panel(title=title, render=render)


def held(given: Any) -> PanelData:
    """The same with the right things in it, cut to what a page holds. WrongValueError says what is not."""
    if not isinstance(given, PanelData):
        raise WrongValueError(f"{named(given)}, not PanelData")
    try:
        # A struct does not check what it is made of: read it again from its parts.
        found = msgspec.convert(msgspec.to_builtins(given), PanelData)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise WrongValueError("PanelData with something else than texts in it") from error
    if any(len(row) != len(found.columns) for row in found.rows):
        raise WrongValueError("PanelData whose rows have not one text for each column")
    return PanelData(
        text=_cut(found.text),
        figures=tuple(
            Figure(label=_cut(each.label), value=_cut(each.value), state=each.state)
            for each in found.figures[:MOST_FIGURES]
        ),
        columns=tuple(_cut(each) for each in found.columns[:MOST_COLUMNS]),
        rows=tuple(tuple(_cut(each) for each in row[:MOST_COLUMNS]) for row in found.rows[:MOST_ROWS]),
    )


def _cut(text: str) -> str:
    return clean(text[:LONGEST])
