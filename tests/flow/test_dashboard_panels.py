"""Panels of plugins on the dashboard: what they give is text, and what they break is themselves."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest
import trio

from tests.bad_plugin import bad_plugin
from tests.flow.dashboard import browser
from tests.flow.test_dashboard import NASTY, Elements
from tests.inprocess import Gateway, running_gateway
from wagate.events import Event
from wagate.hooks import Figure, Handler, Panel, PanelAsked, PanelData, Target
from wagate.plugins.checked_handler import MOST_ROWS, held
from wagate.plugins.values import WrongValueError

Render = Callable[[PanelAsked], Awaitable[Any]]
LONG = 60.0


async def well(asked: PanelAsked) -> PanelData:
    whose = "everybody" if asked.client_id is None else f"client {asked.client_id}"
    return PanelData(
        text=f"Seen by {whose}, at {asked.target or 'its own page'}.",
        figures=(Figure(label="Low on stock", value="three", state="wait"),),
        columns=("What", "Left"),
        rows=tuple((text, "0") for text in NASTY),
    )


async def raises(_asked: PanelAsked) -> PanelData:
    raise SystemExit("a secret of the plugin")


async def html(_asked: PanelAsked) -> Any:
    return "<b>no data</b>"


async def nothing(_asked: PanelAsked) -> None:
    return None


async def hangs(_asked: PanelAsked) -> PanelData:
    await trio.sleep_forever()
    raise AssertionError


def handler(context: object) -> list[Handler]:
    def targets(_event: Event) -> list[Target]:
        return [Target(id="shelf")]

    async def handle(_delivery: object) -> None: ...

    return [Handler(name="bad", targets=targets, handle=handle)]


def panels(**renders: Render) -> Callable[[object], list[Panel]]:
    def register_panels(context: object) -> list[Panel]:
        return [Panel(title=title, render=render) for title, render in renders.items()]

    return register_panels


async def received(gateway: Gateway) -> None:
    await gateway.post("hello")

    async def there() -> bool:
        return any(each["id"] == "bad:shelf" for each in (await gateway.ask("GET", "/api/targets"))["data"])

    await gateway.until(there)


async def test_a_panel_shows_text_on_its_page_and_its_receivers_and_a_broken_one_breaks_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wagate.web.ui.panels.PATIENCE", LONG)
    gives = panels(Stock=well, Broken=raises, Html=html, Empty=nothing)
    with bad_plugin(register_panels=gives, register_handlers=handler) as tables:
        async with running_gateway(tables) as gateway:
            await received(gateway)
            token = (await gateway.client("other"))["token"]
            async with browser(gateway) as http, browser(gateway, token) as theirs:
                page = (await http.get("/ui/plugins/bad")).text
                assert 'href="/ui/plugins/bad"' in (await http.get("/ui/")).text
                assert "Seen by everybody, at its own page." in page
                failed = re.findall(r"bad could not make this panel at (\S+ \S+) UTC; the log says why", page)
                assert len(failed) == 2
                assert all(datetime.fromisoformat(each) for each in failed)
                assert ">Empty<" not in page
                elements = Elements(page)
                assert elements.strange() == []
                assert all(text in elements.text for text in NASTY)
                assert "a secret of the plugin" not in page
                assert "at shelf." in (await http.get("/ui/receivers/bad:shelf")).text
                assert "Seen by client 2, at its own page." in (await theirs.get("/ui/plugins/bad")).text
                assert (await theirs.get("/ui/receivers/bad:shelf")).status_code == 404
                assert (await http.get("/ui/plugins/nobody")).status_code == 404


async def test_a_panel_that_hangs_costs_itself_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wagate.web.ui.panels.PATIENCE", 0.05)
    with bad_plugin(register_panels=panels(Late=hangs)) as tables:
        async with running_gateway(tables) as gateway, browser(gateway) as http:
            page = await http.get("/ui/plugins/bad")
            assert page.status_code == 200
            assert re.search(r"bad did not answer within 0\.05 s, at \d{4}-\d\d-\d\d [\d:]{8} UTC\.", page.text)


async def test_the_panels_of_n8n_and_chatwoot_show_a_client_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wagate.web.ui.panels.PATIENCE", LONG)
    inbox: dict[str, Any] = {
        "url": "https://desk.example",
        "account_id": 1,
        "token": "t" * 20,
        "inbox_id": 7,
        "secret": "s" * 20,
    }
    tables: dict[str, dict[str, Any]] = {
        "plugins.n8n": {"clients": ["*"]},
        "plugins.chatwoot": {},
        "plugins.chatwoot.inboxes.care": inbox,
    }
    async with running_gateway(tables) as gateway:
        await gateway.post("a job")
        token = (await gateway.client("other"))["token"]
        async with browser(gateway) as http, browser(gateway, token) as theirs:
            mine, others = (await http.get("/ui/plugins/n8n")).text, (await theirs.get("/ui/plugins/n8n")).text
            assert "Jobs of default that wait" in mine
            assert "Jobs of other that wait" in others
            assert "default" not in others
            assert "https://desk.example/app/accounts/1, inbox 7" in (await http.get("/ui/plugins/chatwoot")).text
            assert "desk.example" not in (await theirs.get("/ui/plugins/chatwoot")).text


@pytest.mark.parametrize(
    "given",
    [
        PanelData(text=7),  # type: ignore[arg-type]
        PanelData(figures=(Figure(label="a", value="b", state="odd"),)),  # type: ignore[arg-type]
        PanelData(figures=("a",)),  # type: ignore[arg-type]
        PanelData(columns=("a",), rows=(("b", "c"),)),
        PanelData(rows=(object(),)),  # type: ignore[arg-type]
        {"text": "a"},
    ],
)
def test_what_is_no_panels_data_is_refused(given: Any) -> None:
    with pytest.raises(WrongValueError):
        held(given)


def test_too_much_is_cut() -> None:
    found = held(PanelData(text="a" * 9000, columns=("a",), rows=(("b\0",),) * 9000))
    assert (len(found.text), len(found.rows), found.rows[0]) == (2000, MOST_ROWS, ("b\ufffd",))
