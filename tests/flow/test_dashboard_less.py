"""Links that show less than all: each route there is, with data that must not show. A new route is in by itself."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from html import unescape
from urllib.parse import quote

import httpx2
import pytest

from tests.flow.dashboard import browser, fields_of
from tests.flow.test_dashboard_routes import ENDLESS, filled, kept, routes
from tests.flow.test_dashboard_talk import OURS, hears, talking
from tests.inprocess import CHAT, Gateway
from wagate.storage.database import FILE

WORDS = (
    "SAIDword",
    "NAMEword",
    "FILEword",
    "CAPTIONword",
    "ANSWERword",
    "SENTword",
    "REASONword",
    "RAWword",
    "KEYword",
    "SESSIONword",
    "WHYword",
)
"""In a text, a name, a file, a caption, a receiver's answer, a message that was sent, an error, what came in,
a URL, what an engine says of a session, why webhooks are refused."""
DELIVERIES = ("/ui/deliveries", "/ui/messages", "/ui/bulk", "5511999999999")
"""In a page, or a link of it, which of them there are."""


@asynccontextmanager
async def by_link(gateway: Gateway, sees: str, may: str = "look") -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody who came by a link of the client ``default``."""
    async with browser(gateway) as admin:
        page = "/ui/clients/default"
        form = fields_of(await admin.get(page)) | {"sees": sees, "may": may, "lasts": "1d"}
        made = re.search(r"enter\?k=([\w-]+)", (await admin.post(f"{page}/links", data=form)).text)
    assert made is not None
    async with httpx2.AsyncClient(base_url=gateway.url, trust_env=False, verify=False, timeout=60) as http:
        assert (await http.post("/ui/enter", data={"k": made[1]})).status_code == 303
        yield http


@asynccontextmanager
async def full() -> AsyncIterator[tuple[Gateway, dict[str, str]]]:
    """A gateway with something to hide on every page; and one of everything, by the argument's name in the routes."""
    async with talking() as (gateway, _, sink):
        sink.script, sink.says = lambda _: (400, {}), lambda _: b"ANSWERword"
        event_id = await hears(gateway, "SAIDword", contact_name="NAMEword", message_id="m-1")
        file = {"url": "https://files.example.com/a", "mime_type": "application/pdf", "filename": "FILEword.pdf"}
        body = {"from": CHAT, "to": f"+{OURS}", "message": {"document": {**file, "caption": "CAPTIONword"}}}
        await gateway.ask("POST", "/webhook/inbound", 202, json={**body, "tenant_id": "default", "note": "RAWword"})
        await sink.until(lambda each: len(each.got) >= 2)
        sent = await gateway.ask(
            "POST", "/messages/send", json={"to": CHAT, "message": {"text": "SENTword"}, "account": "main"}
        )
        jobs = [each for each in (await gateway.ask("GET", "/api/jobs"))["data"] if each["connector"] == "webhook"]
        hook = (await gateway.ask("GET", "/api/webhooks/list"))["data"][0]["id"]
        failed = {"event": "auth_failure", "data": {"message": "SESSIONword"}}
        await gateway.ask("POST", "/api/whatsapp/webhook/x", json=failed)
        with closing(sqlite3.connect(gateway.folder / "data" / FILE, timeout=60)) as db:
            for text in (
                "UPDATE deliveries SET error = 'REASONword' WHERE status = 'failed'",
                "UPDATE attempts SET error = 'REASONword' WHERE error IS NOT NULL",
                "UPDATE targets SET last_error = 'REASONword', failing_since = updated_at WHERE handler = 'webhook'",
                "UPDATE webhooks SET webhook_url = webhook_url || '?key=KEYword'",
                "INSERT INTO refusals SELECT id, 'signature', 3, 3, 'WHYword', updated_at, updated_at FROM accounts",
                "UPDATE messages SET error = 'REASONword', status = 'failed', failed_at = updated_at",
            ):
                assert db.execute(text).rowcount, text
            db.commit()
        token = await gateway.ask("POST", "/api/clients/default/tokens", 201, json={"name": "mine"})
        act = {"action": "retry", "filter": {"account": "nobody"}}
        theirs = {"Authorization": f"Bearer {token['token']}"}
        made = await gateway.ask("POST", "/api/bulk", 202, json=act, headers=theirs)
        async with browser(gateway) as admin:
            shown = "".join(
                [
                    (await admin.get(f"/ui/{each}")).text
                    for each in (
                        "",
                        "receivers",
                        "numbers",
                        "numbers/x",
                        "messages",
                        f"deliveries/{jobs[0]['id']}",
                        f"deliveries/{jobs[1]['id']}",
                    )
                ]
            )
            shown += (await admin.get(f"/ui/messages/{jobs[0]['event_id']}")).text + (
                await admin.get("/ui/conversations")
            ).text
            shown += (await admin.get(f"/ui/conversations/main/{CHAT}")).text
        assert not [each for each in WORDS if each not in shown], "it is there to be hidden"
        yield (
            gateway,
            {
                "name": "main",
                "number": "main",
                "slug": "default",
                "provider": "meta",
                "target_id": f"webhook:{hook}",
                "webhook_id": hook,
                "delivery_id": jobs[0]["id"],
                "verb": "cancel",
                "attempt": "1",
                "wanted": event_id,
                "sent": sent["id"],
                "chat": CHAT,
                "bulk_id": made["id"],
                "token_id": token["id"],
                "link_id": jobs[0]["id"],
                "digest": "x",
                "plugin": "chatwoot",
            },
        )


async def seen(http: httpx2.AsyncClient, things: dict[str, str]) -> dict[tuple[str, str], httpx2.Response]:
    """What every route answers, and every page to which one of those leads."""
    found: dict[tuple[str, str], httpx2.Response] = {}
    asked = [
        (method, "/".join(quote(each, safe="@:+") for each in filled(rule, things).split("/")))
        for method, rule in routes()
    ]
    asked += [
        ("GET", f"/ui/messages/{things['sent']}"),
        ("GET", "/ui/deliveries?q=SAIDword"),
        ("GET", "/ui/?said=still"),
    ]
    for query in ("state=failed", "error=REASONword", "do=retry-all&state=failed", "do=cancel-all&state=failed"):
        asked += [("GET", f"/ui/deliveries?{query}"), ("GET", f"/ui/deliveries/bulk?{query}")]
    form = fields_of(await http.get("/ui/more"))
    while asked:
        method, path = asked.pop(0)
        if (method, path) in found or path == "/ui/signout" or path in ENDLESS:
            continue
        body = form | {"id": things["delivery_id"], "to": "/ui/", "typed": "main"} if method == "POST" else None
        answer = found[method, path] = await http.request(method, path, data=body)
        if method == "GET" and answer.status_code == 200:
            led = re.findall(r'href="(/ui/[^"#]+)', answer.text)
            asked += [("GET", unescape(each)) for each in led if "/static/" not in each]
    return found


@pytest.mark.parametrize("may", ["look", "act"])
async def test_without_text_no_route_shows_a_word_of_anybody(may: str) -> None:
    async with full() as (gateway, things), by_link(gateway, "deliveries", may) as http:
        before = await kept(gateway)
        found = await seen(http, things)
        for (method, path), answer in found.items():
            assert answer.status_code < 500, (method, path, answer.text)
            assert not told(answer, WORDS, path), (method, path)
        ok = {path for (method, path), answer in found.items() if (method, answer.status_code) == ("GET", 200)}
        one = things["delivery_id"]
        assert {"/ui/deliveries", f"/ui/deliveries/{one}", f"/ui/messages/{things['wanted']}", "/ui/messages"} <= ok
        assert not [
            each for each in ok if re.search("conversations|webhooks|audit|plugins|settings|tries|request", each)
        ]
        assert dead_ends(found) == []
        if may == "look":
            assert await kept(gateway) == before
        delivery = found["GET", f"/ui/deliveries/{one}"].text
        assert "answered 400" in delivery
        assert "Failed" in delivery


@pytest.mark.parametrize("may", ["look", "act"])
async def test_of_the_state_alone_no_route_shows_a_delivery_or_leads_to_one(may: str) -> None:
    async with full() as (gateway, things), by_link(gateway, "state", may) as http:
        found = await seen(http, things)
        for (method, path), answer in found.items():
            assert answer.status_code < 500, (method, path, answer.text)
            assert not told(answer, (*WORDS, *DELIVERIES, things["delivery_id"]), ""), (method, path)
        ok = {path.partition("?")[0] for (_, path), answer in found.items() if answer.status_code == 200}
        receiver = f"/ui/receivers/{things['target_id']}"
        assert {"/ui/", "/ui/numbers", "/ui/numbers/main", "/ui/receivers", receiver, "/ui/more"} <= ok
        assert not [
            each for each in ok if re.search("deliver|messages|conversations|webhooks|bulk|audit|plugins", each)
        ]
        assert dead_ends(found) == []
        async with http.stream("GET", f"/ui/live?page=receiver&thing=x&ids={things['delivery_id']}") as stream:
            assert stream.status_code == 200
            lines = stream.aiter_lines()
            while (line := await anext(lines)) and "beat" not in line:
                assert things["delivery_id"] not in line
        assert (await http.get("/ui/live?page=deliveries")).status_code == 404
        async with http.stream("GET", "/ui/live?page=number&thing=x") as stream:
            lines, panel = stream.aiter_lines(), ""
            while "The details are not shown" not in panel:
                panel += await anext(lines)
                assert "SESSIONword" not in panel
        assert all(word in found["GET", "/ui/"].text for word in ("was refused", "3 in a row"))
        assert "the details are not shown" in found["GET", "/ui/numbers"].text


def told(answer: httpx2.Response, words: Sequence[str], path: str) -> list[str]:
    """Where the answer has one of them that did not come with the question."""
    found = [re.escape(each) for each in words if each in answer.text and each not in path]
    return re.findall(f".{{0,80}}(?:{'|'.join(found)}).{{0,20}}", answer.text) if found else []


def dead_ends(found: dict[tuple[str, str], httpx2.Response]) -> list[str]:
    """Where pages lead that is refused."""
    pages = [answer.text for answer in found.values() if answer.status_code == 200]
    led = {unescape(each) for text in pages for each in re.findall(r'href="(/ui/[^"#]+)', text)}
    return sorted(each for each in led if ("GET", each) in found and found["GET", each].status_code == 403)


async def test_a_link_without_text_searches_in_no_texts_and_its_stream_neither() -> None:
    async with full() as (gateway, things), by_link(gateway, "deliveries") as http:
        for path in ("deliveries?error=REASON", "deliveries?q=REASON", "live?page=deliveries&error=REASON"):
            answer = await http.get(f"/ui/{path}")
            assert (answer.status_code, "shows no texts" in answer.text) == (403, True), path
        led = await http.get("/ui/deliveries", params={"q": things["delivery_id"]})
        assert led.headers["location"] == f"/ui/deliveries/{things['delivery_id']}"


async def test_a_link_without_text_finds_no_receiver_by_what_is_in_its_url() -> None:
    async with full() as (gateway, things), by_link(gateway, "deliveries") as http:
        for part in ("KEYw", "key=", "hook?", "https://127"):
            answer = await http.get("/ui/deliveries", params={"target": part})
            assert (answer.status_code, "No receiver" in answer.text, "URL" in answer.text) == (200, True, False), part
        for part in ("order b", things["webhook_id"][:20]):
            answer = await http.get("/ui/deliveries", params={"target": part})
            assert answer.headers["location"].endswith(quote(things["target_id"], safe="")), part
        async with browser(gateway) as admin:
            assert (await admin.get("/ui/deliveries", params={"target": "KEYw"})).status_code == 303


async def test_a_link_that_shows_less_and_acts_tries_again_and_does_nothing_else() -> None:
    async with full() as (gateway, things), by_link(gateway, "deliveries", "act") as http:
        one, page = things["delivery_id"], await http.get(f"/ui/deliveries/{things['delivery_id']}")
        form = fields_of(page) | {"id": one, "do": "cancel", "asked": "yes"}
        assert f'action="/ui/deliveries/{one}/retry"' in page.text
        assert "Give up" not in page.text + (await http.get("/ui/deliveries?state=failed")).text
        for path in (f"deliveries/{one}/cancel", f"deliveries/{one}/skip", "deliveries", "webhooks/new", "add/session"):
            assert (await http.post(f"/ui/{path}", data=form)).status_code == 403, path
        for act in ("pause", "resume"):
            assert (await http.post(f"/ui/receivers/{things['target_id']}/{act}", data=form)).status_code == 403, act
        assert (await http.post(f"/ui/deliveries/{one}/retry", data=form)).status_code == 303
        assert (await http.post(f"/ui/receivers/{things['target_id']}/probe", data=form)).status_code == 303
        assert (await http.get("/ui/deliveries/bulk?do=cancel-all&state=failed")).status_code == 403
        assert (await http.get("/ui/deliveries/bulk?do=retry-all&state=failed")).status_code == 200
    async with full() as (gateway, things), by_link(gateway, "state", "act") as http:
        form = fields_of(await http.get("/ui/more"))
        assert (await http.post(f"/ui/deliveries/{things['delivery_id']}/retry", data=form)).status_code == 403
        assert (await http.post(f"/ui/receivers/{things['target_id']}/probe", data=form)).status_code == 303


async def test_who_only_looks_at_first_steps_asks_for_no_stream_that_is_refused() -> None:
    async with full() as (gateway, _), by_link(gateway, "all") as http, browser(gateway) as admin:
        page = "/ui/numbers/main/first"
        assert (await http.get("/ui/live?page=first&thing=main")).status_code == 404
        assert "data-live" in (await admin.get(page)).text
        looked = await http.get(page)
        assert (looked.status_code, "data-live" in looked.text) == (200, False)


async def test_a_link_says_what_it_shows_before_and_after_it_is_opened_and_by_api() -> None:
    async with full() as (gateway, _):
        for sees, word in (
            ("state", "the state of its numbers"),
            ("deliveries", "without what is in them"),
            ("all", "messages"),
        ):
            made = await gateway.ask(
                "POST", "/api/clients/default/links", 201, json={"sees": sees, "may_act": sees == "deliveries"}
            )
            path = made["url"][made["url"].index("/ui/") :]
            async with httpx2.AsyncClient(base_url=gateway.url, trust_env=False, verify=False, timeout=60) as http:
                assert word in (await http.get(path)).text
                await http.post("/ui/enter", data={"k": path.partition("=")[2]})
                assert "You signed in with a link" in (await http.get("/ui/")).text
        listed = (await gateway.ask("GET", "/api/clients/default/links"))["data"]
        assert [each["sees"] for each in listed] == ["all", "deliveries", "state"]
        await gateway.ask("POST", "/api/clients/default/links", 422, json={"sees": "everything"})
        async with browser(gateway) as admin:
            page = (await admin.get("/ui/clients/default")).text
            for words in ("state only, view only", "deliveries without text, view and retry", "everything, view only"):
                assert words in page
            assert "act deliveries" in (await admin.get("/ui/audit")).text
