"""Refused webhooks are remembered with their reason, and shown to their owner alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.flow.dashboard import browser
from tests.inprocess import Gateway, running_gateway

SECRET = "the-real-secret-of-it"
ENGINE = "/api/whatsapp/webhook/bakery"


@asynccontextmanager
async def bakery() -> AsyncIterator[Gateway]:
    """A gateway with the number ``bakery``, at an engine that posts with a secret."""
    tables = {"accounts.bakery": {"provider": "session", "phone": "15550000001", "webhook_secret": SECRET}}
    async with running_gateway(tables) as gateway:
        yield gateway


async def post(gateway: Gateway, secret: str, status: int) -> None:
    """A webhook for it; the admin's token is not among its headers."""
    body = {"event": "session.status", "session": "bakery", "payload": {"status": "WORKING"}}
    headers = {"Authorization": "", "X-Webhook-Secret": secret}
    answer = await gateway.http.post(ENGINE, json=body, headers=headers)
    assert answer.status_code == status, answer.text


async def test_three_refused_in_a_row_need_somebody_until_one_is_accepted() -> None:
    async with bakery() as gateway, browser(gateway) as http:
        for _ in range(2):
            await post(gateway, "wrong", 401)
        assert "gets webhooks that are refused" not in (await http.get("/ui/")).text
        await post(gateway, "wrong", 401)
        overview = (await http.get("/ui/")).text
        assert "gets webhooks that are refused" in overview
        assert "3 in a row" in overview
        number = (await http.get("/ui/numbers/bakery")).text
        assert "Missing or wrong signature" in number
        assert "this token belongs to another account" in number
        (row,) = (await gateway.ask("GET", "/api/refusals?account=bakery"))["data"]
        assert (row["reason"], row["in_a_row"], row["times"]) == ("signature", 3, 3)
        await post(gateway, SECRET, 200)
        assert "gets webhooks that are refused" not in (await http.get("/ui/")).text
        (row,) = (await gateway.ask("GET", "/api/refusals"))["data"]
        assert (row["in_a_row"], row["times"]) == (0, 3), "that it was refused is still known"


async def test_another_client_hears_nothing_of_it() -> None:
    async with bakery() as gateway:
        for _ in range(3):
            await post(gateway, "wrong", 401)
        token = (await gateway.client("other"))["token"]
        headers = {"Authorization": f"Bearer {token}"}
        assert (await gateway.ask("GET", "/api/refusals", headers=headers))["data"] == []
        async with browser(gateway, token) as http:
            assert "bakery" not in (await http.get("/ui/")).text


async def test_who_posts_what_can_not_be_read_is_not_accepted() -> None:
    for door in (ENGINE, "/webhooks/bakery"):
        async with bakery() as gateway:
            await post(gateway, "wrong", 401)
            for body in (b"{", b"{}"):
                answer = await gateway.http.post(
                    door, content=body, headers={"Authorization": "", "X-Webhook-Secret": SECRET}
                )
                assert answer.status_code == 400, answer.text
            found = (await gateway.ask("GET", "/api/refusals"))["data"]
            assert {row["reason"]: row["in_a_row"] for row in found} == {"signature": 1, "body": 2}
