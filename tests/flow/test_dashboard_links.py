"""Links on the dashboard: to scan for one number, and to look as one client. They expire and are revoked."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from tests.flow.dashboard import browser, fields_of, press
from tests.flow.dashboard_engine import FakeEngine
from tests.flow.test_dashboard import NASTY, Elements
from tests.flow.test_dashboard_numbers import add, shows
from tests.inprocess import Gateway, running_gateway

pytest_plugins = ("tests.flow.dashboard_engine",)

LINK = re.compile(r'data-copy="https?://[^/"]+(/ui/(?:scan|enter)\?k=[\w-]{32})"')


@pytest.fixture
async def running(engine: FakeEngine) -> AsyncIterator[Gateway]:
    async with running_gateway() as gateway:
        yield gateway


@pytest.fixture
async def http(running: Gateway) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser(running) as client:
        yield client


@asynccontextmanager
async def stranger(gateway: Gateway, language: str = "en") -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody without a token."""
    headers = {"Accept-Language": language}
    async with httpx2.AsyncClient(
        base_url=gateway.url, trust_env=False, verify=False, timeout=60, headers=headers
    ) as http:
        yield http


async def link(http: httpx2.AsyncClient, page: str, **form: str) -> str:
    """The path of a new link."""
    made = await http.post(f"{page}/links", data=fields_of(await http.get(page)) | form)
    found = LINK.search(made.text)
    assert found is not None, made.text
    assert found[1] not in (await http.get(page)).text, "it is shown once"
    return found[1]


async def opened(http: httpx2.AsyncClient, path: str) -> httpx2.Response:
    """Press the button of a client's link."""
    assert (await http.get(path)).status_code == 200
    return await http.post("/ui/enter", data={"k": path.partition("=")[2]})


async def test_who_holds_the_phone_sees_the_code_and_that_it_is_connected(
    running: Gateway, http: httpx2.AsyncClient, engine: FakeEngine
) -> None:
    await add(http, "whatsapp", name="desk")
    path = await link(http, "/ui/numbers/desk", lasts="1h", note="Ana at the till")
    async with stranger(running) as phone:
        seen = await shows(running, phone, path, "Scan this code")
        assert 'src="data:image/png' in seen
        assert "default" not in seen
        assert "may ban a number" in seen
        code = await phone.post("/ui/scan", data={"k": path.partition("=")[2], "phone": "+1 202 555 0142"})
        assert "ABCD-1234" in code.text
        wrong = await phone.post("/ui/scan", data={"k": path.partition("=")[2], "phone": "mine"})
        assert (wrong.status_code, 'value="mine"' in wrong.text, "whole number" in wrong.text) == (422, True, True)
        await phone.post("/ui/scan", data={"k": path.partition("=")[2], "do": "start"})
        assert engine.asked == ["12025550142", "restart desk"]
        async with phone.stream("GET", path.replace("scan?", "scan/live?")) as stream:
            lines = stream.aiter_lines()
            while "Scan this code" not in await anext(lines):
                pass
            engine.scanned.set()
            while "Connected" not in await anext(lines):
                pass
    audit = (await http.get("/ui/audit")).text
    for act in ("make scan link", "open link", "Ana at the till", "pairing code", "restart"):
        assert act in audit
    assert path.partition("=")[2] not in audit


@pytest.mark.parametrize(
    ("asked", "language", "word"),
    [
        ("es-MX,es;q=0.9", "es", "Vincular WhatsApp"),
        ("de,pt-BR;q=0.8,en;q=0.5", "pt", "Conectar o WhatsApp"),
        ("de", "en", "Link WhatsApp"),
        ("", "en", "Link WhatsApp"),
        ("*", "en", "Link WhatsApp"),
    ],
)
async def test_the_page_to_scan_speaks_the_language_of_its_browser(
    running: Gateway, http: httpx2.AsyncClient, asked: str, language: str, word: str
) -> None:
    await add(http, "session", name="desk")
    path = await link(http, "/ui/numbers/desk")
    async with stranger(running, asked) as phone:
        seen = (await phone.get(path)).text
        assert f'lang="{language}"' in seen
        assert word in seen


async def test_a_link_to_scan_ends_when_it_expires_is_revoked_or_its_number_goes(
    running: Gateway, http: httpx2.AsyncClient
) -> None:
    page = "/ui/numbers/desk"
    await add(http, "session", name="desk")
    late, revoked, orphan = [await link(http, page, lasts=each) for each in ("1h", "1d", "7d")]
    async with stranger(running) as phone:
        await running.passes(3700)
        assert [(await phone.get(each)).status_code for each in (late, revoked)] == [404, 200]
        _, revoke = sorted(re.findall(rf'action="({page}/links/[\w-]+/revoke)"', (await http.get(page)).text))[::-1]
        assert "no longer works" in (await press(http, page, revoke)).text
        again = await http.post(revoke, data=fields_of(await http.get(page)))
        assert again.headers["location"] == f"{page}?said=nolink"
        assert (await http.get("/ui/audit")).text.count(">revoke scan link<") == 1
        assert [(await phone.get(each)).status_code for each in (revoked, orphan)] == [404, 200]
        assert "This link has ended" in (await phone.get(revoked)).text
        form = fields_of(await http.get(f"{page}/settings")) | {"typed": "desk"}
        assert (await http.post(f"{page}/delete", data=form)).status_code == 303
        await add(http, "session", name="desk")
        assert (await phone.get(orphan)).status_code == 404, "another number has the name now"
        over = await phone.get(orphan.replace("scan?", "scan/live?"))
        assert (over.status_code, over.text.splitlines()[0]) == (200, "event: end"), "and it is not asked for again"


async def test_guessing_links_is_slowed_down() -> None:
    async with running_gateway({"limits": {"auth": "3/min", "api": "off"}}) as gateway, stranger(gateway) as http:
        answers = [(await http.get(f"/ui/{page}?k=wrong")).status_code for page in ("scan", "enter", "scan", "scan")]
        assert answers == [404, 404, 404, 429]


async def test_a_link_to_scan_opens_no_other_page(running: Gateway, http: httpx2.AsyncClient) -> None:
    await add(http, "session", name="desk")
    key = (await link(http, "/ui/numbers/desk")).partition("=")[2]
    async with stranger(running) as phone:
        for page in ("", "numbers/desk", "deliveries", "live", "enter", "clients", "numbers"):
            answer = await phone.get(f"/ui/{page}", params={"k": key})
            assert answer.status_code in {303, 404} or answer.text == "event: end\ndata: Signed out\n\n", page
        for header in ({"Authorization": f"Bearer {key}"}, {"Cookie": f"wagate={key}"}, {"X-Api-Key": key}):
            assert (await phone.get("/api/accounts", headers=header)).status_code == 401
        assert (await phone.get("/api/whatsapp/session/status/desk", params={"token": key})).status_code == 401


async def test_a_clients_link_opens_once_and_shows_that_client_alone(
    running: Gateway, http: httpx2.AsyncClient
) -> None:
    await running.client("bakery")
    await add(http, "session", name="bakery", client="bakery")
    await add(http, "session", name="ours", client="default")
    path = await link(http, "/ui/clients/bakery", lasts="1d", may="look", note="The owner")
    async with stranger(running) as guest, stranger(running) as late:
        assert (await guest.get(path)).status_code == 200
        assert (await guest.get(path)).status_code == 200, "looking at a link uses nothing up"
        entered = await opened(guest, path)
        assert (entered.status_code, entered.headers["location"]) == (303, "/ui/")
        assert (await late.get(path)).status_code == 404
        assert (await late.post("/ui/enter", data={"k": path.partition("=")[2]})).status_code == 404
        numbers = (await guest.get("/ui/numbers")).text
        assert "bakery" in numbers
        assert "ours" not in numbers
        assert (await guest.get("/ui/numbers/ours")).status_code == 404
        for page in ("clients", "doctor", "system", "add", "webhooks", "webhooks/new", "numbers/bakery/settings"):
            assert (await guest.get(f"/ui/{page}")).status_code == 403, page
        form = fields_of(await guest.get("/ui/numbers/bakery"))
        for act in ("numbers/bakery/delete", "numbers/bakery/links", "add/session", "deliveries"):
            refused = await guest.post(f"/ui/{act}", data=form | {"typed": "bakery", "name": "mine"})
            assert (refused.status_code, "is read-only" in refused.text) == (403, True), act
        assert (await guest.get("/api/accounts")).status_code == 401, "the cookie is none of the API's"
        await running.passes(86_400)
        assert (await guest.get("/ui/")).status_code == 303
    async with browser(running) as later:
        audit = (await later.get("/ui/audit")).text
    assert re.search(r"link \w{6}<.*open link", audit, re.DOTALL)


async def test_a_link_that_may_act_acts_and_revoking_it_signs_its_holder_out(
    running: Gateway, http: httpx2.AsyncClient
) -> None:
    await running.client("bakery")
    path = await link(http, "/ui/clients/bakery", may="act", lasts="7d")
    async with stranger(running) as guest:
        await opened(guest, path)
        assert "is added" in (await add(guest, "session", name="bakery")).text
        page = (await http.get("/ui/clients/bakery")).text
        revoke = re.search(r'action="(/ui/clients/bakery/links/[\w-]+/revoke)"', page)
        assert revoke is not None
        await press(http, "/ui/clients/bakery", revoke[1])
        assert (await guest.get("/ui/")).status_code == 303
        again = await http.post(revoke[1], data=fields_of(await http.get("/ui/clients/bakery")))
        assert again.headers["location"] == "/ui/clients/bakery?said=nolink"
        assert "no longer there: it was revoked before" in (await http.get(again.headers["location"])).text
    audit = (await http.get("/ui/audit")).text
    assert audit.count(">revoke link<") == 1
    assert audit.index(">revoke link<") < audit.index(">add number<") < audit.index(">make link<")


async def test_only_the_admin_makes_a_clients_links_and_only_so_many(
    running: Gateway, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wagate.storage.passes.MOST_LINKS", 1)
    token = (await running.client("bakery"))["token"]
    async with browser(running, token) as theirs:
        form = fields_of(await theirs.get("/ui/add"))
        assert (await theirs.post("/ui/clients/bakery/links", data=form)).status_code == 403
    await link(http, "/ui/clients/bakery")
    form = fields_of(await http.get("/ui/clients/bakery"))
    more = await http.post("/ui/clients/bakery/links", data=form)
    assert (more.status_code, "revoke one" in more.text) == (409, True)


async def test_what_is_typed_for_a_link_is_text(running: Gateway, http: httpx2.AsyncClient) -> None:
    await add(http, "session", name="desk")
    for text in NASTY:
        typed: dict[str, Any] = {"note": text, "lasts": text, "may": text}
        for page in ("/ui/numbers/desk", "/ui/clients/default"):
            await link(http, page, **typed)
            assert Elements((await http.get(page)).text).strange() == [], text
        async with stranger(running) as phone:
            for page in ("scan", "enter"):
                assert Elements((await phone.get(f"/ui/{page}", params={"k": text})).text).strange() == [], text
    assert Elements((await http.get("/ui/audit")).text).strange() == []


async def test_a_clients_link_pressed_again_where_it_was_opened_leads_on(
    running: Gateway, http: httpx2.AsyncClient
) -> None:
    path = await link(http, "/ui/clients/default")
    async with stranger(running) as guest, stranger(running) as late:
        await opened(guest, path)
        again = await guest.get(path)
        assert (again.status_code, again.headers["location"]) == (303, "/ui/")
        assert "This link has ended" in (await late.get(path)).text


async def test_who_came_by_a_link_makes_no_link_that_outlives_it(running: Gateway, http: httpx2.AsyncClient) -> None:
    await add(http, "whatsapp", name="desk")
    async with stranger(running) as guest:
        await opened(guest, await link(http, "/ui/clients/default", may="act"))
        page = await guest.get("/ui/numbers/desk")
        assert "/numbers/desk/links" not in page.text
        refused = await guest.post("/ui/numbers/desk/links", data=fields_of(page) | {"lasts": "7d"})
        assert (refused.status_code, "signed in with a link" in refused.text) == (403, True)


async def test_who_scans_is_told_that_no_new_code_comes_and_nothing_is_written_down(
    running: Gateway, http: httpx2.AsyncClient, engine: FakeEngine
) -> None:
    engine.away = True
    await add(http, "whatsapp", name="desk")
    path = await link(http, "/ui/numbers/desk")
    async with stranger(running, "pt-BR") as phone:
        answer = await phone.post("/ui/scan", data={"k": path.partition("=")[2], "do": "start"})
        assert (answer.status_code, "Não deu certo" in answer.text) == (409, True)
        assert "the engine is away" not in answer.text
    assert "restart" not in (await http.get("/ui/audit")).text


async def test_links_are_made_listed_and_revoked_by_api_as_on_the_pages(
    running: Gateway, http: httpx2.AsyncClient
) -> None:
    token = (await running.client("bakery"))["token"]
    await add(http, "session", name="desk", client="bakery")
    await add(http, "session", name="ours", client="default")
    made = {}
    for page in ("accounts/desk", "clients/bakery"):
        made[page] = await running.ask("POST", f"/api/{page}/links", 201, json={"note": "Ana", "lasts": "1d"})
        (listed,) = (await running.ask("GET", f"/api/{page}/links"))["data"]
        assert (listed["id"], listed["note"], listed["may_act"]) == (made[page]["id"], "Ana", False)
        assert made[page]["url"] not in str(listed)
        async with stranger(running) as guest:
            assert (await guest.get(made[page]["url"])).status_code == 200
    theirs = {"Authorization": f"Bearer {token}"}
    for method, path, expected in (
        ("POST", "accounts/desk/links", 201),
        ("POST", "accounts/ours/links", 404),
        ("GET", "accounts/ours/links", 404),
        ("DELETE", f"accounts/ours/links/{made['accounts/desk']['id']}", 404),
        ("POST", "clients/bakery/links", 403),
        ("GET", "clients/bakery/links", 403),
        ("DELETE", f"clients/bakery/links/{made['clients/bakery']['id']}", 403),
    ):
        await running.ask(method, f"/api/{path}", expected, headers=theirs)
    for page, link in made.items():
        await running.ask("DELETE", f"/api/{page}/links/{link['id']}", 204)
        await running.ask("DELETE", f"/api/{page}/links/{link['id']}", 404)
        async with stranger(running) as guest:
            assert (await guest.get(link["url"])).status_code == 404
    audit = (await http.get("/ui/audit")).text
    for act in ("make scan link", "make link", "revoke scan link", "revoke link"):
        assert f">{act}<" in audit
