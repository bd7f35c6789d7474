"""Every route of the dashboard there is, asked by people who must not see ours. A new route is in by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import quote, unquote

import httpx2

from tests.flow.dashboard import browser, fields_of
from tests.inprocess import Gateway
from tests.sink import Sink
from wagate.web.ui.app import create_ui
from wagate.web.ui.live import PAGES
from wagate.web.ui.parts import Parts

pytest_plugins = ("tests.flow.dashboard",)

OURS = ("SECRET", "+15551230001", "15551230001", "Order bot")
"""What stands in our things, and in nobody else's."""
VERB = "cancel|skip|retry"
"""Each is tried, where a path has one."""
ENDLESS = {"/ui/live", "/ui/scan/live"}
"""Streams: the beginning of each is looked at."""


def routes() -> Iterator[tuple[str, str]]:
    """(method, rule) of all that the dashboard serves."""
    ui = create_ui(cast("Parts", None))
    for rule in ui.url_map.iter_rules():
        for method in sorted((rule.methods or set()) & {"GET", "POST", "PUT", "PATCH", "DELETE"}):
            if rule.rule not in ENDLESS:
                yield method, rule.rule


def filled(rule: str, things: dict[str, str]) -> str:
    """The path with our ids in it. KeyError: a new kind of argument; add ours to `ours`."""
    return re.sub(r"<(?:any\((\w+)[^)]*\):|\w+:)?(\w+)>", lambda each: each[1] or things[each[2]], rule)


async def ours(gateway: Gateway, http: httpx2.AsyncClient, receiver: Sink) -> dict[str, str]:
    """One of everything, of the client ``default``; by the argument's name in the routes."""
    receiver.script = lambda _: (400, {})
    hook = await gateway.register(receiver.url, name="Order bot SECRET")
    await gateway.ask("POST", "/api/accounts", 201, json={"name": "SECRET-desk", "provider": "session"})
    sent = await gateway.post("a SECRET text", chat="+15551230001", contact_name="SECRET person")
    await receiver.until(lambda sink: len(sink.got) >= 1)
    job = (await gateway.ask("GET", "/api/jobs"))["data"][0]
    token = (await gateway.ask("GET", "/api/clients/default/tokens"))["data"]
    bulk = await http.post(
        "/ui/deliveries/bulk?state=failed&do=retry-all", data=fields_of(await http.get("/ui/deliveries"))
    )
    links = {}
    for page in ("numbers/SECRET-desk", "clients/default"):
        await http.post(f"/ui/{page}/links", data=fields_of(await http.get(f"/ui/{page}")) | {"note": "SECRET link"})
        found = re.search(r"/links/([\w-]+)/revoke", (await http.get(f"/ui/{page}")).text)
        assert found is not None
        links[page] = found[1]
    return {
        "name": "SECRET-desk",
        "number": "SECRET-desk",
        "slug": "default",
        "provider": "meta",
        "target_id": f"webhook:{hook['id']}",
        "webhook_id": hook["id"],
        "delivery_id": job["id"],
        "verb": VERB,
        "attempt": "1",
        "wanted": str(sent.get("event_id") or job["event_id"]),
        "chat": "15551230001@c.us",
        "bulk_id": bulk.headers.get("location", "").rpartition("/")[2].partition("?")[0] or job["id"],
        "token_id": token[0]["id"] if token else job["id"],
        "link_id": links["numbers/SECRET-desk"],
        "digest": "x",
        "plugin": "chatwoot",
    }


def ways(rule: str, things: dict[str, str]) -> Iterator[tuple[str, bool]]:
    """(path, whether the browser's script asks) of one route: with each verb, and both ways."""
    for verb in VERB.split("|") if "<verb>" in rule else [""]:
        path = "/".join(quote(each, safe="@:+") for each in filled(rule, things | {"verb": verb}).split("/"))
        yield path, False
        yield path, True


async def kept(gateway: Gateway) -> dict[str, Any]:
    """What nobody else may change."""
    found: dict[str, Any] = {}
    for path in ("accounts", "webhooks/list", "jobs", "clients", "clients/default/tokens", "targets"):
        answer = await gateway.ask("GET", f"/api/{path}")
        rows = answer["data"]
        found[path] = [
            {name: value for name, value in row.items() if name not in {"last_used_at", "updated_at"}}
            for row in rows
            if row.get("slug") != "other"
        ]
    return found


async def form(who: httpx2.AsyncClient) -> dict[str, Any]:
    """What each of their forms sends along; nothing for strangers."""
    home = await who.get("/ui/more")
    return fields_of(home) if home.status_code == 200 else {}


async def test_nobody_elses_token_or_link_sees_or_changes_ours_on_any_route(running: Gateway, receiver: Sink) -> None:
    token = (await running.client("other"))["token"]
    async with browser(running) as admin:
        things = await ours(running, admin, receiver)
        page = await admin.get("/ui/clients/other")
        made = await admin.post("/ui/clients/other/links", data=fields_of(page) | {"may": "look"})
        key = re.search(r"enter\?k=([\w-]+)", made.text)
        asked = await admin.get("/ui/deliveries/bulk?state=failed&do=retry-all")
        shown = re.search(r'name="shown" value="([^"]+)"', asked.text)
    assert key is not None
    assert shown is not None, "what we signed for the admin, and nobody else may send"
    before, seen = await kept(running), 0
    async with (
        browser(running, token) as theirs,
        httpx2.AsyncClient(base_url=running.url, trust_env=False, verify=False, timeout=60) as linked,
        httpx2.AsyncClient(base_url=running.url, trust_env=False, verify=False, timeout=60) as stranger,
    ):
        assert (await linked.post("/ui/enter", data={"k": key[1]})).status_code == 303
        typed = {"typed": "SECRET-desk", "id": things["delivery_id"], "to": "/ui/", "active": "on", "shown": shown[1]}
        for who in (theirs, linked, stranger):
            for method, rule in routes():
                if rule in {"/ui/signout", "/ui/signin"}:
                    continue
                for path, by_script in ways(rule, things):
                    answer = await who.request(
                        method,
                        path,
                        data=await form(who) | typed if method == "POST" else None,
                        headers={"HX-Request": "true"} if by_script else None,
                    )
                    assert answer.status_code < 500, (method, path, answer.text)
                    text = unquote(answer.text).replace(unquote(path), "")
                    assert not [each for each in OURS if each in text], (method, path, text)
                    seen += 1
            for live in PAGES:
                thing = things["name" if live == "number" else "target_id"]
                query = {"page": live, "thing": thing, "ids": things["delivery_id"]}
                async with who.stream("GET", "/ui/live", params=query) as stream:
                    assert stream.status_code in ({200} if who is stranger else {200, 404}), (live, stream.status_code)
                    told = await anext(stream.aiter_text()) if stream.status_code == 200 else ""
                assert not [each for each in (*OURS, *things.values()) if len(each) > 9 and each in told], (live, told)
                seen += 1
            scan = await who.get("/ui/scan/live", params={"k": key[1]})
            assert not [each for each in OURS if each in scan.text], scan.text
    assert seen > 330
    assert await kept(running) == before
