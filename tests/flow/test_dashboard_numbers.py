"""Numbers on the dashboard: added in three clicks, changed, linked with a code, deleted. Forms keep what was typed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import trio

from tests.flow.dashboard import browser, fields_of, press
from tests.flow.dashboard_engine import FakeEngine
from tests.flow.test_dashboard import NASTY, Elements
from tests.inprocess import Gateway, running_gateway

pytest_plugins = ("tests.flow.dashboard_engine",)

META = {"name": "shop", "s.access_token": "EAAG-a-long-token", "s.phone_number_id": "106540352242922"}


@pytest.fixture
async def running(engine: FakeEngine) -> AsyncIterator[Gateway]:
    async with running_gateway({"server": {"public_url": "https://wa.example.com"}}) as gateway:
        yield gateway


@pytest.fixture
async def http(running: Gateway) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser(running) as client:
        yield client


async def shows(gateway: Gateway, http: httpx2.AsyncClient, page: str, text: str) -> str:
    """The page, once it says so."""
    seen = ""

    async def there() -> bool:
        nonlocal seen
        seen = (await http.get(page)).text
        return text in seen

    await gateway.until(there, lambda: seen)
    return seen


async def add(http: httpx2.AsyncClient, provider: str, **typed: str) -> httpx2.Response:
    page = f"/ui/add/{provider}"
    return await http.post(page, data=fields_of(await http.get(page)) | typed)


async def test_the_first_number_takes_three_clicks(
    running: Gateway, http: httpx2.AsyncClient, engine: FakeEngine
) -> None:
    welcome = await http.get("/ui/")
    assert "There is no number yet" in welcome.text
    hidden = dict(
        re.findall(r'type="hidden" name="([\w.]+)" value="([^"]*)"', welcome.text.split("Show the QR code")[0])
    )
    added = await http.post("/ui/add/whatsapp", data=hidden)
    assert (added.status_code, added.headers["location"]) == (303, "/ui/numbers/phone-1/first")
    assert 'src="data:image/png' in await shows(running, http, "/ui/numbers/phone-1", "Scan this code")
    engine.scanned.set()
    seen = await shows(running, http, "/ui/numbers/phone-1", "Connected as +12025550142")
    assert "/ui/webhooks/new?phone_number=phone-1" in seen
    assert 'href="/ui/numbers/phone-1/first"' in seen
    assert (await running.ask("GET", "/api/accounts/phone-1"))["settings"] == {}
    assert "There is no number yet" not in (await http.get("/ui/")).text


async def test_without_the_engine_its_command_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise ImportError("no engine")

    monkeypatch.setattr("wagate_whatsapp.check_installed", missing)
    async with running_gateway() as gateway, browser(gateway) as http:
        for page in ("/ui/", "/ui/add"):
            shown = (await http.get(page)).text
            assert "pip install &#34;wagate[whatsapp]&#34;" in shown
            assert "Show the QR code" not in shown
        assert (await http.get("/ui/add/whatsapp")).status_code == 404


@pytest.mark.parametrize("provider", ["meta", "waha", "dialog360", "infobip", "twilio", "session"])
async def test_every_provider_has_a_form_with_its_secrets_as_passwords(http: httpx2.AsyncClient, provider: str) -> None:
    assert f'href="/ui/add/{provider}"' in (await http.get("/ui/add")).text
    page = (await http.get(f"/ui/add/{provider}")).text
    inputs = re.findall(r'name="s\.(\w+)" type="(\w+)"', page)
    assert inputs
    for name, kind in inputs:
        secret = re.search(r"token$|secret$|_key$|password$|header_value$", name) is not None
        assert kind == ("password" if secret else "text"), name


async def test_what_the_provider_needs_is_shown_to_copy_once(running: Gateway, http: httpx2.AsyncClient) -> None:
    page = (await add(http, "meta", client="default", **META)).text
    token = re.search(r'data-copy="([\w-]{20,})"', page)
    assert "https://wa.example.com/webhooks/shop" in page
    assert token is not None
    asked = {"hub.mode": "subscribe", "hub.challenge": "42", "hub.verify_token": token[1]}
    assert (await running.http.get("/webhooks/shop", params=asked)).text == "42"
    assert token[1] not in (await http.get("/ui/numbers/shop")).text
    waha = (await add(http, "waha", name="till", **{"s.base_url": "https://93.184.216.34"})).text
    secret = re.search(r"Webhook secret</dt><dd><span class=\"copy\"><code>([\w-]+)<", waha)
    assert secret is not None, waha
    answer = await running.http.post("/webhooks/till", json={"event": "x"}, headers={"X-Webhook-Secret": secret[1]})
    assert answer.status_code < 300, answer.text


WRONG: list[tuple[str, dict[str, str], str, str]] = [
    ("meta", {**META, "name": "not a name"}, "name", "1 to 100 letters"),
    ("meta", {**META, "phone": "12"}, "phone", "5 to 15 digits"),
    ("meta", {**META, "s.phone_number_id": "my number"}, "s.phone_number_id", "must be digits"),
    ("meta", {**META, "s.api_version": "latest"}, "s.api_version", "must be written like v23.0"),
    ("meta", {**META, "s.verify_token": "brief-one"}, "s.verify_token", "at least 16 characters"),
    ("twilio", {"name": "t", "s.account_sid": "AC12", "s.auth_token": "x" * 32}, "s.account_sid", "32 hexadecimal"),
    ("waha", {"name": "w", "s.base_url": "waha:3000"}, "s.base_url", "http"),
    (
        "infobip",
        {"name": "i", "s.api_key": "k" * 20, "s.sender": "15551230001", "s.hmac_secret": "h" * 20},
        "s.hmac_secret",
        "go together",
    ),
    ("session", {"name": "s", "s.base_url": "ftp://engine"}, "s.base_url", "http"),
    (
        "dialog360",
        {"name": "d", "s.api_key": "k" * 20, "s.webhook_header": "a b"},
        "s.webhook_header",
        "name of a header",
    ),
]


@pytest.mark.parametrize(("provider", "typed", "field", "cure"), WRONG)
async def test_a_wrong_value_names_field_and_cure_and_nothing_typed_is_lost(
    http: httpx2.AsyncClient, provider: str, typed: dict[str, str], field: str, cure: str
) -> None:
    refused = await add(http, provider, **typed)
    assert refused.status_code == 422, refused.text
    mistake = re.search(rf'id="h-{re.escape(field)}">([^<]*)<', refused.text)
    assert mistake is not None, refused.text
    assert cure in mistake[1]
    elements = Elements(refused.text).made
    values = {found["name"]: found.get("value") for tag, found in elements if tag == "input" and "name" in found}
    secret = {found["name"] for _, found in elements if found.get("type") == "password"}
    for name, text in typed.items():
        assert values[name] == ("" if name in secret else text)
        if name in secret:
            assert text not in refused.text


async def test_secrets_survive_an_error_without_standing_in_the_page(
    running: Gateway, http: httpx2.AsyncClient
) -> None:
    refused = await add(http, "meta", **META | {"name": "not a name"})
    kept = re.search(r'name="kept" value="([^"]+)"', refused.text)
    assert kept is not None
    assert "What you typed is kept" in refused.text
    again = fields_of(refused) | META | {"s.access_token": "", "kept": kept[1]}
    async with browser(running) as other:
        theirs = fields_of(await other.get("/ui/add/meta")) | META | {"s.access_token": "", "kept": kept[1]}
        assert (await other.post("/ui/add/meta", data=theirs)).status_code == 422
    assert (await http.post("/ui/add/meta", data=again)).status_code == 200
    assert (await running.ask("GET", "/api/accounts/shop"))["settings"]["access_token"] == "••••oken"


async def test_a_token_is_replaced_and_all_else_stays(running: Gateway, http: httpx2.AsyncClient) -> None:
    await add(http, "meta", **META, **{"s.waba_id": "77"})
    page = "/ui/numbers/shop/settings"
    shown = (await http.get(page)).text
    assert "••••oken is stored; leave this empty to keep it" in shown
    assert "EAAG-a-long-token" not in shown
    kept = {"s.phone_number_id": META["s.phone_number_id"], "s.waba_id": "77", "s.api_version": "v23.0"}
    kept |= {"s.base_url": "https://graph.facebook.com", "weight": "1", "position": "0"}
    saved = await press(http, page, page, **kept, **{"s.access_token": "EAAG-another-one"})
    assert "Saved." in saved.text
    row = await running.ask("GET", "/api/accounts/shop")
    assert (row["settings"]["access_token"], row["settings"]["waba_id"]) == ("••••-one", "77")
    await press(http, page, page, **kept | {"s.waba_id": "", "ignore.groups": "on", "clear.verify_token": "on"})
    row = await running.ask("GET", "/api/accounts/shop")
    assert row["settings"]["access_token"] == "••••-one"
    assert {"waba_id", "verify_token"} & row["settings"].keys() == set()
    assert row["ignore"]["groups"] is True
    wrong = await http.post(
        page, data=fields_of(await http.get(page)) | kept | {"weight": "heavy", "phone": "+49 30 1"}
    )
    assert (wrong.status_code, "Give a whole number" in wrong.text, "heavy" in wrong.text) == (422, True, True)
    audit = (await http.get("/ui/audit")).text
    assert "new: Access token" in audit
    assert "another-one" not in audit


async def test_a_number_is_started_linked_by_code_and_deleted(
    running: Gateway, http: httpx2.AsyncClient, engine: FakeEngine
) -> None:
    await add(http, "whatsapp", name="desk")
    page = "/ui/numbers/desk"
    assert "Requested" in (await press(http, page, f"{page}/restart")).text
    await shows(running, http, page, "WhatsApp forbids unofficial clients")
    assert engine.asked == ["restart desk"]
    form = fields_of(await http.get(page))
    wrong = await http.post(f"{page}/code", data=form | {"phone": "call me"})
    assert (wrong.status_code, 'value="call me"' in wrong.text, "5 to 15 digits" in wrong.text) == (422, True, True)
    assert "ABCD-1234" in (await http.post(f"{page}/code", data=form | {"phone": "+1 202 555 0142"})).text
    assert engine.asked[-1] == "12025550142"
    settings = f"{page}/settings"
    form = fields_of(await http.get(settings))
    assert (await http.post(f"{page}/delete", data=form | {"typed": "des"})).status_code == 422
    assert (
        (await http.post(f"{page}/delete", data=form | {"typed": "desk"})).headers["location"].startswith("/ui/numbers")
    )
    assert (await http.get(page)).status_code == 404
    assert "delete number" in (await http.get("/ui/audit")).text


async def test_the_state_and_the_card_with_the_code_follow_while_the_page_is_open(
    running: Gateway, http: httpx2.AsyncClient, engine: FakeEngine
) -> None:
    await add(http, "whatsapp", name="desk")
    page = await shows(running, http, "/ui/numbers/desk", "Waits for a scan")
    head = re.search(r'<p class="row">(<span id="n-[^"]+-state">)<span class="st wait">Waits for a scan<', page)
    card = re.search(r'<h2>(<span id="pair">)Can&#39;t scan', page)
    assert head is not None, page
    assert card is not None, page
    async with http.stream("GET", "/ui/live?page=number&thing=desk") as stream:
        told = ""
        with trio.fail_after(60):
            async for text in stream.aiter_text():
                told += text
                if "Waits for a scan" in told:
                    engine.scanned.set()
                if f'{head[1]}<span class="st ok">Connected<' in told and f"{card[1]}</span>" in told:
                    break
    assert '<h2><span id="pair"></span></h2>' in (await http.get("/ui/numbers/desk")).text


async def test_a_numbers_page_lists_the_receivers_that_get_its_events_and_no_others(
    running: Gateway, http: httpx2.AsyncClient
) -> None:
    await add(http, "session", name="front", phone="12025550142")
    await add(http, "session", name="back")
    url = "https://93.184.216.34/hook"
    for number, name, events in (
        ("*", "For all", ["message"]),
        ("front", "By name", ["message.ack"]),
        ("12025550142", "By phone", ["group.*"]),
        ("back", "Of the other", ["*"]),
        ("*", "Failures only", ["webhook.failing"]),
    ):
        body = {"phone_number": number, "webhook_url": url, "name": name, "events": events}
        await running.ask("POST", "/api/webhooks/register", 201, json=body)
    names = ("For all", "By name", "By phone", "Of the other", "Failures only")
    listed = {}
    for number in ("front", "back"):
        page = (await http.get(f"/ui/numbers/{number}")).text.partition(f"Receivers of {number}</h2>")[2]
        listed[number] = [name for name in names if f">{name}</a>" in page]
    assert listed == {"front": ["For all", "By name", "By phone"], "back": ["For all", "Of the other"]}


async def test_a_numbers_page_lists_receivers_that_are_off_or_were_never_used_and_says_so(
    running: Gateway, http: httpx2.AsyncClient
) -> None:
    await add(http, "session", name="front")
    body = {"phone_number": "front", "webhook_url": "https://93.184.216.34/hook", "name": "Order bot"}
    hook = await running.ask("POST", "/api/webhooks/register", 201, json=body)
    await running.ask("POST", f"/api/webhooks/{hook['id']}/toggle", json={"is_active": False})
    rows = re.findall(r"<tr role=\"row\"><td.*?</tr>", (await http.get("/ui/numbers/front")).text, re.DOTALL)
    [off] = [row for row in rows if ">Order bot</a>" in row]
    assert "Disabled" in off
    [queue] = [row for row in rows if "n8n jobs of default" in row]
    assert ("Not used yet" in queue, "<a " in queue, "<form" in queue) == (True, False, False)
    await running.post("hello")
    page = (await http.get("/ui/numbers/front")).text
    led = re.search(r'href="(/ui/receivers/n8n:\d+)">n8n jobs of default</a>', page)
    assert led is not None
    assert (await http.get(led[1])).status_code == 200


async def test_the_list_shows_when_the_last_message_came_in(running: Gateway, http: httpx2.AsyncClient) -> None:
    await add(http, "session", name="front", phone="12025550142")
    cells = re.compile(r'data-l="Last in">(.*?)</td><td role="cell" class="nw" data-l="Last out">(.*?)</td>')
    assert cells.findall((await http.get("/ui/numbers")).text) == [("–", "–")]
    await running.post("hello")
    await running.passes(60)  # It is written down with its minute.
    found = cells.findall(await shows(running, http, "/ui/numbers", "ago</time>"))
    assert [last_out for last_in, last_out in found if "ago</time>" in last_in] == ["–"]


async def test_a_new_webhook_secret_is_shown_once(running: Gateway, http: httpx2.AsyncClient) -> None:
    await add(http, "session", name="front")
    form = fields_of(await http.get("/ui/numbers/front/settings"))
    shown = (await http.post("/ui/numbers/front/secret", data=form)).text
    secret = re.search(r'data-copy="([\w-]{40,})"', shown)
    assert secret is not None
    answer = await running.http.post(
        f"/webhooks/front?token={secret[1]}", json={"event": "qr", "data": {"qr": "2@A"}}, headers={"Authorization": ""}
    )
    assert answer.status_code < 300, answer.text
    assert secret[1] not in (await http.get("/ui/numbers/front/settings")).text


async def test_a_client_adds_numbers_of_its_own_and_touches_no_others(
    running: Gateway, http: httpx2.AsyncClient
) -> None:
    await add(http, "session", name="ours", client="default")
    token = (await running.client("bakery"))["token"]
    async with browser(running, token) as theirs:
        form = fields_of(await theirs.get("/ui/add/session"))
        for page in ("settings", "delete", "secret", "stop", "code"):
            answer = await theirs.post(f"/ui/numbers/ours/{page}", data=form | {"typed": "ours"})
            assert answer.status_code == 404, page
        assert (await theirs.get("/ui/numbers/ours/settings")).status_code == 404
        assert "is added" in (await add(theirs, "session", name="bakery")).text
    rows = (await running.ask("GET", "/api/accounts"))["data"]
    assert [(each["name"], each["tenant_id"]) for each in rows] == [("ours", "default"), ("bakery", "bakery")]


async def test_what_is_typed_into_these_forms_is_text(http: httpx2.AsyncClient) -> None:
    for text in NASTY:
        fields = (
            "name",
            "phone",
            "client",
            "s.phone_number_id",
            "s.waba_id",
            "s.api_version",
            "s.access_token",
            "kept",
        )
        typed: dict[str, Any] = dict.fromkeys(fields, text)
        for page in ("meta", "infobip"):
            answer = await add(http, page, **typed)
            assert answer.status_code == 422
            assert Elements(answer.text).strange() == [], text
        assert Elements((await http.get("/ui/add/meta", params=typed)).text).strange() == []


async def test_a_number_that_lost_its_phone_says_what_brings_the_next_code(
    running: Gateway, http: httpx2.AsyncClient, engine: FakeEngine
) -> None:
    await add(http, "whatsapp", name="desk")
    await add(http, "meta", **META)
    await shows(running, http, "/ui/numbers/desk", "Scan this code")
    assert "2 numbers, 0 of 1 phone connected" in (await http.get("/ui/")).text
    engine.scanned.set()
    await shows(running, http, "/ui/", "2 numbers, 1 of 1 phone connected")
    assert '<span id="again"></span>' in (await http.get("/ui/numbers/desk")).text
    assert 'id="scan"' not in (await http.get("/ui/numbers/shop")).text
    engine.lost.set()
    lost = await shows(running, http, "/ui/numbers/desk", '<span id="again">Try again</span>')
    assert "Logged out." in lost
    assert 'class="again" method="post" action="/ui/numbers/desk/restart"' in lost
