"""The search box: an id opens its page, a phone number its chat; nobody finds what they may not open."""

from __future__ import annotations

import httpx2

from tests.flow.dashboard import browser
from tests.flow.test_dashboard_less import by_link
from tests.flow.test_dashboard_talk import THREAD, hears, talking
from tests.inprocess import CHAT

PHONE = "+55 11 99999-9999"


async def leads(http: httpx2.AsyncClient, searched: str) -> str:
    """Where a search leads; '' when it is a list."""
    answer = await http.get("/ui/deliveries", params={"q": searched})
    assert answer.status_code in {200, 303, 403}, answer.text
    return answer.headers.get("location", "")


async def test_an_id_opens_its_page_and_a_phone_number_its_chat() -> None:
    async with talking() as (gateway, _, sink), browser(gateway) as http:
        event_id = await hears(gateway, "hello", message_id=f"false_{CHAT}_3EB0AAAABBBBCCCCDDDD")
        await sink.until(lambda each: len(each.got) >= 1)
        jobs = (await gateway.ask("GET", "/api/jobs"))["data"]
        job = next(each for each in jobs if each["event_id"] == event_id)
        sent = await gateway.ask(
            "POST", "/messages/send", json={"to": CHAT, "message": {"text": "Hi"}, "account": "main"}
        )
        page = f"/ui/messages/{event_id}"
        assert await leads(http, job["id"]) == f"/ui/deliveries/{job['id']}"
        assert await leads(http, sent["id"]) == f"/ui/messages/{sent['id']}"
        assert await leads(http, sent["message_id"]) == f"/ui/messages/{sent['id']}"
        assert await leads(http, "3EB0AAAABBBBCCCCDDDD") == page
        assert await leads(http, f"false_{CHAT}_3EB0AAAABBBBCCCCDDDD") == page
        for found in (page, f"/ui/messages/{sent['id']}"):
            assert (await http.get(found)).status_code == 200
        assert await leads(http, PHONE) == THREAD.replace("%40", "@")
        assert await leads(http, "+1 202 555 0119") == "/ui/deliveries?chat=%2B12025550119"
        for text in ("refused", "3EB0", "\0", "😀", "true_a__b"):
            assert await leads(http, text) == ""


async def test_nobody_finds_what_they_may_not_open() -> None:
    async with talking() as (gateway, _, _):
        await hears(gateway, "hello", message_id="3EB0AAAABBBBCCCCDDDD")
        sent = await gateway.ask(
            "POST", "/messages/send", json={"to": CHAT, "message": {"text": "Hi"}, "account": "main"}
        )
        async with browser(gateway, (await gateway.client("other"))["token"]) as other:
            for id_ in ("3EB0AAAABBBBCCCCDDDD", sent["id"], sent["message_id"]):
                assert await leads(other, id_) == ""
            assert await leads(other, PHONE) == "/ui/deliveries?chat=%2B5511999999999"
        async with by_link(gateway, "deliveries") as http:
            assert await leads(http, sent["id"]) == f"/ui/messages/{sent['id']}"
            assert await leads(http, PHONE) == "/ui/deliveries?chat=%2B5511999999999"
        async with by_link(gateway, "state") as http:
            assert (await http.get("/ui/deliveries", params={"q": sent["id"]})).status_code == 403
