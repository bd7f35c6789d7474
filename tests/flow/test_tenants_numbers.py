"""A tenant with several providers, set over HTTP: new chats are shared by weight, and the next one steps in."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.inprocess import Gateway, running_gateway
from tests.patience import held
from wagate.testing.providers.infobip import FakeInfobip, failed, fake_infobip
from wagate.testing.providers.meta import FakeMeta, fake_meta
from wagate.testing.server import Fault, Reply

pytest_plugins = ("tests.patience",)
pytestmark = pytest.mark.usefixtures("patient")

PATH = "/routes/tenants/acme/whatsapp-settings"
Json = dict[str, Any]


@asynccontextmanager
async def tenant(*weights: int) -> AsyncIterator[tuple[Gateway, FakeMeta, FakeInfobip]]:
    """The tenant ``acme`` with Meta first and Infobip second."""
    async with fake_meta() as meta, fake_infobip() as infobip:
        tables = {"delivery": {"allow_http": True, "allow_networks": ["127.0.0.0/8"]}}
        async with running_gateway(tables) as found:
            await found.client("acme")
            of_meta = {"api_key": meta.token, "phone_number_id": meta.phone_number_id, "base_url": meta.url}
            of_infobip = {"api_key": infobip.api_key, "phone_number_id": infobip.sender, "base_url": infobip.url}
            providers = [
                {"whatsapp_provider": "meta", "provider_config": of_meta, "weight": weights[0]},
                {"whatsapp_provider": "infobip", "provider_config": of_infobip, "weight": weights[1]},
            ]
            await found.ask("PUT", PATH, json={"providers": providers})
            yield found, meta, infobip


async def send(found: Gateway, number: int, text: str = "Hi", expected: int = 200, **more: Any) -> Json:
    body = {"to": f"+1555000{number:04}", "message": {"text": text}, "tenant_id": "acme", **more}
    return await found.ask("POST", "/messages/send", expected, json=body)


async def test_new_chats_are_shared_by_weight_and_each_keeps_its_number() -> None:
    async with tenant(3, 1) as (found, meta, infobip):
        first = {number: (await send(found, number))["provider"] for number in range(60)}
        shares = Counter(first.values())
        assert shares.total() == len(meta.messages) + len(infobip.messages) == 60
        assert 30 <= shares["meta"] <= 57
        assert shares["infobip"] >= 3
        for number in range(0, 60, 5):
            assert (await send(found, number, "again"))["provider"] == first[number]


async def test_the_next_provider_steps_in_only_when_the_first_certainly_did_not_send() -> None:
    async with tenant(1, 0) as (found, meta, infobip):
        meta.server.fail(Fault(reply=Reply(status=400, json={"error": {"code": 131026, "message": "no such user"}})))
        assert (await send(found, 1, expected=422))["code"] == "131026"
        meta.server.fail(Fault(accept=True, drop=True))
        assert (await send(found, 2, expected=202))["status"] == "unknown"
        assert (len(meta.messages), len(infobip.messages)) == (1, 0)

        meta.server.fail(Fault(reply=Reply(status=401, json={"error": {"code": 190, "message": "expired"}})))
        answer = await send(found, 3)
        assert (answer["status"], answer["provider"], answer["account"]) == ("sent", "infobip", "acme-2")
        # While it is stopped, new chats begin where they can be sent.
        assert (await send(found, 4))["provider"] == "infobip"
        assert (len(meta.messages), len(infobip.messages)) == (1, 2)


async def test_an_account_that_is_named_is_the_only_one_that_sends() -> None:
    async with tenant(1, 1) as (found, meta, infobip):
        infobip.server.fail(Fault(reply=failed(401, "UNAUTHORIZED", "Invalid login details")))
        answer = await held(found, to="+15550000001", message="Hi", tenant_id="acme", account="acme-2")
        assert (answer["status"], answer["account"]) == ("queued", "acme-2")
        assert "401" in answer["detail"] or "UNAUTHORIZED" in answer["detail"]
        assert meta.messages == []
