"""Webhooks on the dashboard: added, tried, changed, switched off and deleted by a person."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx2
import msgspec
import pytest

from tests.flow.dashboard import browser, fields_of, press
from tests.inprocess import Gateway
from tests.sink import Sink
from wagate.http.signing import sign
from wagate_webhook.options import Options

pytest_plugins = ("tests.flow.dashboard",)

FORM = {"name": "Order bot", "phone_number": "*", "events": ["message", "message.ack"], "format": "flat"}


@pytest.fixture
async def http(running: Gateway) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser(running) as client:
        yield client


async def add(http: httpx2.AsyncClient, url: str) -> tuple[str, str]:
    """Add a webhook on the page; its id, and the page that shows the secret."""
    form = fields_of(await http.get("/ui/webhooks/new")) | FORM | {"webhook_url": url}
    made = await http.post("/ui/webhooks/new", data=form)
    assert made.status_code == 200, made.text
    found = re.search(r'action="/ui/webhooks/([0-9a-f-]{36})/test"', made.text)
    assert found is not None
    return found[1], made.text


async def test_a_webhook_is_added_and_its_secret_is_shown_once(
    running: Gateway, http: httpx2.AsyncClient, receiver: Sink
) -> None:
    webhook_id, page = await add(http, receiver.url)
    secret = re.search(r"whsec_[A-Za-z0-9+/=]{30,}", page)
    assert secret is not None
    again = (await http.get(f"/ui/webhooks/{webhook_id}")).text
    assert ("Order bot" in again, secret[0] in again) == (True, False)
    assert "Order bot" in (await http.get("/ui/webhooks")).text
    row = await running.ask("GET", f"/api/webhooks/{webhook_id}")
    assert (row["events"], row["format"], row["timeout"]) == (["message", "message.ack"], "flat", None)
    assert "add webhook" in (await http.get("/ui/audit")).text
    await running.post("hello")
    await receiver.until(lambda sink: len(sink.got) >= 1)
    got = receiver.got[0]
    want = sign([secret[0]], got.headers["webhook-id"], int(got.headers["webhook-timestamp"]), got.body)
    assert got.headers["webhook-signature"] == want


async def test_the_same_form_adds_one_webhook_however_often_it_is_sent(
    running: Gateway, http: httpx2.AsyncClient, receiver: Sink
) -> None:
    form = fields_of(await http.get("/ui/webhooks/new")) | FORM | {"webhook_url": receiver.url}
    first, second = [await http.post("/ui/webhooks/new", data=form) for _ in range(2)]
    assert (first.status_code, second.status_code) == (200, 200)
    assert len((await running.ask("GET", "/api/webhooks/list"))["data"]) == 1


@pytest.mark.parametrize(
    ("changed", "cure"),
    [
        ({"webhook_url": "http://intranet/hook"}, "https"),
        ({"phone_number": "nobody"}, "give the number in digits"),
        ({"max_retries": "many"}, "Give a whole number"),
        ({"timeout": "600"}, "1 to 60"),
        ({"headers": "no colon here"}, "one header a line"),
        ({"headers": "Host: example.com"}, "is set by the gateway"),
        ({"events": []}, "name 1 to"),
    ],
)
async def test_bad_input_names_the_field_and_the_cure_and_loses_nothing(
    running: Gateway, http: httpx2.AsyncClient, receiver: Sink, changed: dict[str, object], cure: str
) -> None:
    typed = FORM | {"webhook_url": receiver.url, "name": "Typed with care", "burst": "7", "rate": "2"} | changed
    refused = await http.post("/ui/webhooks/new", data=fields_of(await http.get("/ui/webhooks/new")) | typed)
    assert (refused.status_code, cure in refused.text) == (422, True), refused.text
    for value in ("Typed with care", 'value="7"', *(str(each) for each in changed.values() if each)):
        assert value in refused.text
    webhook_id, _ = await add(http, receiver.url)
    page = f"/ui/webhooks/{webhook_id}"
    again = await http.post(page, data=fields_of(await http.get(page)) | typed)
    assert (again.status_code, cure in again.text, "Typed with care" in again.text) == (422, True, True)
    assert (await running.ask("GET", f"/api/webhooks/{webhook_id}"))["name"] == "Order bot"


async def test_a_test_says_what_was_sent_and_what_came_back(http: httpx2.AsyncClient, receiver: Sink) -> None:
    webhook_id, _ = await add(http, receiver.url)
    page = f"/ui/webhooks/{webhook_id}"
    well = await press(http, page, f"{page}/test")
    assert "It accepted the test" in well.text
    assert "webhook.test" in well.text
    receiver.script = lambda _: 404
    refused = await press(http, page, f"{page}/test")
    assert "Client error (404)" in refused.text
    assert "It accepted the test" not in refused.text


async def test_a_change_keeps_what_the_form_does_not_show(
    running: Gateway, http: httpx2.AsyncClient, receiver: Sink
) -> None:
    made = await running.register(
        receiver.url, name="Order bot", events=["call.rejected"], headers={"X-Key": "k-1"}, metadata={"shelf": 4}
    )
    page = f"/ui/webhooks/{made['id']}"
    shown = await http.get(page)
    assert 'value="call.rejected" checked' in shown.text
    assert "k-1" not in shown.text
    changed = {
        "name": "Bakery",
        "phone_number": "*",
        "webhook_url": receiver.url,
        "format": "standard",
        "timeout": "4,5",
    }
    saved = await press(http, page, page, **changed, events=["call.rejected", "message"])
    assert "Saved." in saved.text
    row = await running.webhook(made)
    assert (row["name"], row["format"], row["timeout"], row["metadata"]) == ("Bakery", "standard", 4.5, {"shelf": 4})
    await press(http, page, f"{page}/test")
    assert receiver.got[-1].headers["x-key"] == "k-1"
    await press(http, page, page, **changed, events=["message"], no_headers="on")
    await press(http, page, f"{page}/test")
    assert "x-key" not in receiver.got[-1].headers


async def test_a_webhook_is_switched_off_and_on(running: Gateway, http: httpx2.AsyncClient, receiver: Sink) -> None:
    webhook_id, _ = await add(http, receiver.url)
    page = f"/ui/webhooks/{webhook_id}"
    off = await press(http, page, f"{page}/toggle")
    assert "Switched off" in off.text
    refused = await http.post(f"{page}/test", data=fields_of(off))
    assert (refused.status_code, "switch it on first" in refused.text) == (409, True)
    await running.post("while it is off")
    await press(http, page, f"{page}/toggle", active="on")
    await running.post("while it is on")
    await receiver.until(lambda sink: len(sink.got) >= 1)
    assert b"while it is on" in receiver.got[0].body


async def test_a_new_secret_is_shown_once_and_signs_beside_the_old_one(
    http: httpx2.AsyncClient, receiver: Sink
) -> None:
    webhook_id, _ = await add(http, receiver.url)
    page = f"/ui/webhooks/{webhook_id}"
    made = await http.post(f"{page}/rotate", data=fields_of(await http.get(page)))
    secret = re.search(r"whsec_[A-Za-z0-9+/=]{30,}", made.text)
    assert secret is not None
    assert secret[0] not in (await http.get(page)).text
    await press(http, page, f"{page}/test")
    got = receiver.got[-1].headers
    want = sign([secret[0]], got["webhook-id"], int(got["webhook-timestamp"]), receiver.got[-1].body)
    assert want in got["webhook-signature"].split()
    assert len(got["webhook-signature"].split()) == 2
    assert "new secret" in (await http.get("/ui/audit")).text


async def test_deleting_needs_the_name_typed(running: Gateway, http: httpx2.AsyncClient, receiver: Sink) -> None:
    webhook_id, _ = await add(http, receiver.url)
    page = f"/ui/webhooks/{webhook_id}"
    refused = await http.post(f"{page}/delete", data=fields_of(await http.get(page)) | {"typed": "order bot"})
    assert (refused.status_code, "Type Order bot to confirm" in refused.text) == (422, True)
    gone = await press(http, page, f"{page}/delete", typed="Order bot")
    assert "Deleted." in gone.text
    await running.ask("GET", f"/api/webhooks/{webhook_id}", 404)
    assert (await http.get(page)).status_code == 404


async def test_a_client_adds_webhooks_of_its_own_and_cannot_touch_others(running: Gateway, receiver: Sink) -> None:
    made = await running.register(receiver.url, name="Order bot")
    page = f"/ui/webhooks/{made['id']}"
    token = (await running.client("other"))["token"]
    async with browser(running, token) as http:
        assert "Order bot" not in (await http.get("/ui/webhooks")).text
        assert (await http.get(page)).status_code == 404
        form = fields_of(await http.get("/ui/webhooks/new"))
        for act in ("", "/test", "/toggle", "/rotate", "/delete"):
            assert (await http.post(page + act, data=form | FORM | {"webhook_url": receiver.url})).status_code == 404
        stolen = await http.post(
            "/ui/webhooks/new", data=form | FORM | {"webhook_url": receiver.url, "tenant_id": "default"}
        )
        assert stolen.status_code == 200
    rows = (await running.ask("GET", "/api/webhooks/list"))["data"]
    assert {(row["tenant_id"], row["name"]) for row in rows} == {("default", "Order bot"), ("other", "Order bot")}


async def test_no_header_makes_a_request_from_outside_one_of_our_own(running: Gateway) -> None:
    async with httpx2.AsyncClient(base_url=running.url, trust_env=False, verify=False) as http:
        answer = await http.get("/api/webhooks/list", headers={"wagate.within": "admin", "wagate-within": "admin"})
        assert answer.status_code == 401


async def test_the_form_has_every_option_of_webhooks(http: httpx2.AsyncClient) -> None:
    page = (await http.get("/ui/webhooks/new")).text
    named = set(re.findall(r' name="([a-z_]+)"', page))
    assert {each.name for each in msgspec.structs.fields(Options)} <= named


async def test_what_a_404_means_is_chosen_shown_and_taken_back(
    running: Gateway, http: httpx2.AsyncClient, receiver: Sink
) -> None:
    webhook_id, _ = await add(http, receiver.url)
    url = f"/ui/webhooks/{webhook_id}"
    for value, stored in (("true", True), ("false", False), ("", None)):
        fields = FORM | {"webhook_url": receiver.url, "retry_not_found": value}
        page = (await press(http, url, url, **fields)).text
        assert f'<option value="{value}" selected>' in page
        assert (await running.ask("GET", f"/api/webhooks/{webhook_id}"))["retry_not_found"] is stored
    form = fields_of(await http.get(url)) | FORM | {"webhook_url": receiver.url, "retry_not_found": "perhaps"}
    refused = await http.post(url, data=form)
    assert refused.status_code == 422
    assert 'id="h-retry_not_found">Choose one of the three.' in refused.text
