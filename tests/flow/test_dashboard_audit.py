"""Who did what: by person, and who signed in."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import httpx2
import pytest

from tests.flow.dashboard import browser, fields_of, press
from tests.gateway import TOKEN
from tests.inprocess import Gateway
from tests.sink import Sink
from wagate.storage.audit import SIGN_INS_APART

pytest_plugins = ("tests.flow.dashboard",)


async def acts(http: httpx2.AsyncClient, **asked: str) -> list[tuple[str, str, str]]:
    """Who, what, to what, the newest first."""
    page = (await http.get("/ui/audit", params=asked)).text
    found = re.findall(r'who=[^"]*">([^<]*)</a></td><th [^>]*>([^<]*)<small>.*?title="([^"]*)"', page)
    return [(unescape(who), what, thing) for who, what, thing in found]


async def test_what_one_person_did_is_listed_alone(
    running: Gateway, receiver: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wagate.web.ui.doctor.PAGE", 2)
    theirs = (await running.client("acme"))["token"]
    body = {"phone_number": "*", "webhook_url": receiver.url, "name": "Order bot"}
    by = {"Authorization": f"Bearer {theirs}"}
    hook = await running.ask("POST", "/api/webhooks/register", 201, json=body, headers=by)
    target = f"webhook:{hook['id']}"
    async with browser(running) as http, browser(running, theirs) as acme:
        for verb in ("pause", "resume", "pause"):
            await press(http, "/ui/receivers", f"/ui/receivers/{target}/{verb}")
        await press(acme, "/ui/receivers", f"/ui/receivers/{target}/resume")
        assert {who for who, *_ in await acts(http)} == {"acme", "admin"}
        assert await acts(http, who="acme", about=target) == [
            ("acme", "resume", target),
            ("acme", "add webhook", target),
        ]
        assert await acts(acme, who="admin") == [("admin", "pause", target), ("admin", "resume", target)]
        older = re.search(r'href="(/ui/audit\?before=[^"]+)">Older', (await acme.get("/ui/audit?who=admin")).text)
        assert older is not None
        second = await acme.get(unescape(older[1]))
        assert "who=admin" in older[1]
        assert second.text.count(">pause<") == 1
        assert ">add webhook<" not in second.text
        assert "Nothing matches." in (await http.get("/ui/audit", params={"who": "nobody's \x00<b>"})).text


async def test_a_sign_in_is_written_down_once_an_hour_for_each_address(running: Gateway) -> None:
    theirs = await running.client("acme")
    for _ in range(2):
        async with browser(running), browser(running, theirs["token"]):
            pass
    async with browser(running) as http, browser(running, theirs["token"]) as acme:
        assert [each for each in await acts(http) if each[1] == "sign in"] == [
            ("acme", "sign in", "acme"),
            ("admin", "sign in", "admin"),
        ]
        assert await acts(acme, who="acme") == [("acme", "sign in", "acme")]
        assert '<td role="cell">127.0.0.1</td>' in (await acme.get("/ui/audit")).text
        wrong = await http.post("/ui/signin", data={"token": "not-the-token-of-anybody"})
        assert wrong.status_code == 401
    await running.passes((SIGN_INS_APART + timedelta(minutes=1)).total_seconds())
    async with browser(running) as http:
        assert len([each for each in await acts(http, who="admin") if each[1] == "sign in"]) == 2
        assert TOKEN not in (await http.get("/ui/audit")).text


async def test_a_form_that_is_sent_twice_is_written_down_once(running: Gateway, receiver: Sink) -> None:
    forms = {
        "add webhook": ("/ui/webhooks/new", {"webhook_url": receiver.url, "phone_number": "*", "events": "message"}),
        "add number": ("/ui/add/session", {"name": "desk", "client": "default"}),
        "add client": ("/ui/clients", {"slug": "bakery", "name": "The bakery"}),
        "add token": ("/ui/clients/default/tokens", {"label": "twice"}),
    }
    async with browser(running) as http:
        for act, (path, typed) in forms.items():
            form = fields_of(await http.get(path.removesuffix("/tokens"))) | typed
            answers = [(await http.post(path, data=form)).status_code for _ in range(2)]
            assert answers == [200, 200], act
            (hook,) = (await running.ask("GET", "/api/webhooks/list"))["data"]
        rotate = f"/ui/webhooks/{hook['id']}"
        form = fields_of(await http.get(rotate))
        assert [(await http.post(f"{rotate}/rotate", data=form)).status_code for _ in range(2)] == [200, 200]
        first = "/ui/numbers/desk/first"
        await running.http.delete(f"/api/webhooks/{hook['id']}")
        form = fields_of(await http.get(first)) | {"webhook_url": receiver.url}
        assert [(await http.post(first, data=form)).status_code for _ in range(2)] == [200, 200]
        done = [what for _, what, _ in await acts(http)]
    assert {act: done.count(act) for act in (*forms, "new secret")} == {
        "add webhook": 2,
        "add number": 1,
        "add client": 1,
        "add token": 1,
        "new secret": 1,
    }
