"""What one client, or nobody's sender, can learn of another by doors, names and archives."""

from __future__ import annotations

from typing import Any

from tests.inprocess import CHAT, OURS, Gateway, running_gateway
from tests.sink import https_sink

Json = dict[str, Any]
THEM = "5511999999999@c.us"
DOORS = ("/webhook/inbound", "/api/whatsapp/webhook/default", "/webhooks/default")


async def test_a_stranger_does_not_learn_which_deliveries_there_are() -> None:
    async with https_sink() as sink, running_gateway(ca_file=sink.ca_file) as gateway:
        await gateway.register(sink.url)
        await gateway.post("Hello")
        await sink.until_accepted(1)
        own = sink.accepted[0].id
        for path in DOORS:
            answers = [
                await gateway.http.post(
                    path, json={}, headers={"webhook-id": each, "Authorization": "", "X-Webhook-Secret": "no such one"}
                )
                for each in (own, "msg_of_nobody")
            ]
            assert answers[0].status_code == answers[1].status_code == 401, path
        answer = await gateway.http.post("/webhook/inbound", json=message("again"), headers={"webhook-id": own})
        assert answer.status_code == 409


def message(text: str, tenant: str = "default") -> Json:
    return {"from": CHAT, "to": OURS, "message": {"text": text}, "message_id": text, "tenant_id": tenant}


async def say(gateway: Gateway, token: str, text: str) -> None:
    """One message comes in for the account ``shop`` of the token's client."""
    data = {"id": f"false_{THEM}_{text}", "from": THEM, "to": "5511888888888@c.us", "body": text, "type": "chat"}
    body = {"event": "message", "data": data}
    headers = {"Authorization": f"Bearer {token}"}
    answer = await gateway.http.post("/api/whatsapp/webhook/shop", json=body, headers=headers)
    assert answer.status_code == 200, answer.text


async def test_who_makes_an_account_again_sees_nothing_of_the_one_before() -> None:
    async with running_gateway() as gateway:
        first, second = [(await gateway.client(slug))["token"] for slug in ("north", "south")]
        await say(gateway, first, "secret of north")
        answer = await gateway.http.delete("/api/accounts/shop", headers=by(first))
        assert answer.status_code in {200, 204}, answer.text
        await say(gateway, second, "word of south")
        for path in (
            "/api/conversations",
            "/api/conversations?account=shop",
            f"/api/conversations/{THEM}/messages",
            f"/api/conversations/{THEM}/messages?account=shop",
            "/api/jobs",
            "/api/jobs?account=shop",
            "/messages",
            "/api/whatsapp/session/list-realtime",
        ):
            theirs = await gateway.http.get(path, headers=by(first))
            ours = await gateway.http.get(path, headers=by(second))
            assert ours.status_code == 200, f"{path}: {ours.text}"
            assert "secret of north" not in ours.text, path
            assert "word of south" not in theirs.text, path
        kept = await gateway.ask("GET", f"/api/conversations/{THEM}/messages", headers=by(first))
        assert [each["content"] for each in kept["data"]] == ["secret of north"]


def by(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
