"""The pages for those who come from elsewhere: routes that wagate is said to have exist, missing ones do not."""

from __future__ import annotations

import re

import pytest

from tests.inprocess import running_gateway
from tests.test_docs import ROOT
from tests.waha_operations import OPERATIONS
from wagate.config.tables import Delivery
from wagate.events import EVENT_KINDS
from wagate.web.waha.routes import ROWS

WAHA = (ROOT / "docs/coming-from-waha.md").read_text("utf-8")
EVOLUTION = (ROOT / "docs/coming-from-evolution.md").read_text("utf-8")
VERBS = "GET|POST|PUT|PATCH|DELETE"


def cells(page: str, column: int) -> str:
    """The text of a column of all tables with two columns."""
    rows = [line.strip("|").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return "\n".join(row[column] for row in rows if len(row) == 2)


def routes(text: str) -> set[str]:
    """Paths that are named as ``/path`` or ``METHOD /path``, with ``{}`` for what varies."""
    named = re.findall(rf"`(?:(?:{VERBS}) )?(/[\w/{{}}.-]+)", text)
    return {re.sub(r"\{\w+\}", "{}", path).rstrip("/") for path in named}


async def ours() -> set[str]:
    async with running_gateway({"plugins.webhook": {}, "plugins.n8n": {}}) as gateway:
        document = await gateway.ask("GET", "/openapi.json")
    return {re.sub(r"\{\w+\}", "{}", path) for path in document["paths"]}


async def test_every_route_that_is_ours_is_there() -> None:
    there = await ours()
    named = routes(cells(WAHA, 1)) | routes(cells(EVOLUTION, 1))
    assert len(named) > 10
    assert sorted(named - there) == []


async def test_every_operation_of_waha_has_a_route_of_its_own() -> None:
    """The page says so of all in its table; what they answer, the replay shows."""
    there = await ours() | {re.sub(r"<(?:path:)?(\w+)>", "{}", row.path) for row in ROWS}
    managed = {
        f"/api/sessions{each}" for each in ("", "/{}", "/start", "/stop", "/logout")
    }  # sessions have files of their own
    wanted = {re.sub(r"\{\w+\}", "{}", each.path) for each in OPERATIONS}
    assert sorted(wanted - there - managed) == []


@pytest.mark.parametrize("page", [WAHA, EVOLUTION], ids=["waha", "evolution"])
def test_every_event_that_is_ours_exists(page: str) -> None:
    table = page.partition("\n## Events\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([a-z]+\.[a-z]+)`", cells(table, 1)))
    assert named
    assert sorted(named - EVENT_KINDS - {"media.url"}) == []


def test_the_settings_of_deliveries_exist() -> None:
    named = set(re.findall(r"`delivery\.(\w+)`", WAHA + EVOLUTION))
    assert named <= set(Delivery.__struct_fields__)
