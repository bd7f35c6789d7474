"""Two change the same thing at the same moment: both changes are there afterwards."""

from __future__ import annotations

from typing import Any

import trio
from standardwebhooks import Webhook

from tests.inprocess import Gateway, running_gateway
from tests.sink import https_sink

WAHA = {"base_url": "http://127.0.0.1:9", "api_key": "a-key-for-number-0000", "hmac_key": "hmac-for-number-0000"}


async def at_once(gateway: Gateway, *requests: tuple[str, str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Their answers, in the order of the requests."""
    answers: dict[int, dict[str, Any]] = {}

    async def ask(place: int, method: str, path: str, body: dict[str, Any]) -> None:
        answer = await gateway.http.request(method, path, json=body)
        assert answer.is_success, answer.text
        answers[place] = answer.json()

    async with trio.open_nursery() as nursery:
        for place, request in enumerate(requests):
            nursery.start_soon(ask, place, *request)
    return [answers[place] for place in range(len(requests))]


async def test_of_two_settings_changed_by_two_both_stay() -> None:
    async with running_gateway({"delivery": {"allow_http": True, "allow_networks": ["127.0.0.0/8"]}}) as gateway:
        await gateway.ask("POST", "/api/accounts", 201, json={"name": "shop", "provider": "waha", "settings": WAHA})
        for number in range(8):
            keys = {"api_key": f"a-key-for-number-{number:04}", "hmac_key": f"hmac-for-number-{number:04}"}
            changes = [("PATCH", "/api/accounts/shop", {"settings": {name: value}}) for name, value in keys.items()]
            await at_once(gateway, *changes)
            shown = (await gateway.ask("GET", "/api/accounts/shop"))["settings"]
            assert [shown[name][-4:] for name in keys] == [f"{number:04}"] * 2


async def test_of_two_new_secrets_made_at_once_both_sign() -> None:
    async with https_sink() as sink, running_gateway(ca_file=sink.ca_file) as gateway:
        hook = await gateway.register(sink.url)
        path = f"/api/webhooks/{hook['id']}/rotate-secret"
        made = await at_once(gateway, ("POST", path, {}), ("POST", path, {}))
        await gateway.ask("POST", f"/api/webhooks/{hook['id']}/test", 202, json={})
        await sink.until_accepted(1)
        for each in made:
            Webhook(each["secret"]).verify(sink.got[0].body, sink.got[0].headers)
