"""Tenants' settings (spec/003) and accounts with settings, over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.api_site import ACME, ADMIN, OTHER, ApiSite, api_site
from tests.fake_provider import Pigeon, body_of, letter, sign
from tests.inprocess import running_gateway
from wagate.config.tables import Limits, Server
from wagate.plugins.account_settings import MASK
from wagate.storage.statement import rows

SPEC = {
    "tenant_id": "acme",
    "whatsapp_provider": "pigeon",
    "provider_config": {
        "api_key": "encrypted_key",
        "api_secret": "encrypted_secret",
        "phone_number_id": "1234567890",
        "webhook_verify_token": "verify_token",
    },
}
"""As spec/003 prints it, with names of ours."""
PATH = "/routes/tenants/acme/whatsapp-settings"
ALSO = "/api/tenants/acme/whatsapp-settings"
Json = dict[str, Any]


def site(folder: Path, **options: Any) -> Any:
    return api_site(folder, provided=[Pigeon().provider(), Pigeon(name="dove").provider()], **options)


async def put(http: httpx2.AsyncClient, body: Json, expected: int = 200, *, path: str = PATH) -> Json:
    answer = await http.put(path, json=body)
    assert answer.status_code == expected, answer.text
    found: Json = answer.json()
    return found


async def stored(there: ApiSite) -> str:
    """Everything that the accounts' table holds, as text."""
    return str(await there.database.read(lambda db: rows(db, "SELECT * FROM accounts")))


@pytest.mark.parametrize(("token", "path"), [(ADMIN, PATH), (ACME, ALSO)])
async def test_the_body_of_the_specification_works_as_printed(token: str, path: str, tmp_path: Path) -> None:
    async with site(tmp_path, server=Server(public_url="https://wa.example.org")) as there, there.as_(token) as http:
        answer = await put(http, SPEC, path=path)
        assert answer["tenant_id"] == "acme"
        assert answer["whatsapp_provider"] == "pigeon"
        assert answer["webhook_url"] == "https://wa.example.org/webhooks/acme"
        assert answer["account"] == "acme"
        config = answer["provider_config"]
        assert (config["api_key"], config["api_token"]) == (f"{MASK}_key", f"{MASK}_key")
        assert (config["phone_number_id"], config["number_id"]) == ("1234567890", "1234567890")
        assert "webhook_verify_token" in answer["warnings"][0]
        assert set(answer["webhook_secrets"]) == {"acme"}
        shown = (await http.get(path)).json()
        assert shown["provider_config"] == config
        assert shown["warnings"] == []
        assert "webhook_secrets" not in shown
        for secret in ("encrypted_key", "encrypted_secret"):
            assert secret not in f"{answer}{shown}{await stored(there)}"


async def test_the_specifications_example_works_with_infobip() -> None:
    path = "/routes/tenants/whappstream/whatsapp-settings"
    async with running_gateway() as running:
        await running.client("whappstream")
        answer = await running.ask(
            "PUT", path, json=SPEC | {"tenant_id": "whappstream", "whatsapp_provider": "infobip"}
        )
        assert answer["webhook_url"] == "/webhooks/whappstream"
        shown = await running.ask("GET", path)
        assert shown["provider_config"]["api_key"] == f"{MASK}_key"
        assert shown["provider_config"]["phone_number_id"] == "1234567890"
        message = {
            "from": "447700900000",
            "to": "1234567890",
            "messageId": "m1",
            "message": {"type": "TEXT", "text": "hi"},
        }
        for token, status in (("another", 401), ("verify_token", 200)):
            posted = await running.http.post(
                "/webhooks/whappstream",
                json={"results": [message], "messageCount": 1},
                headers={"Authorization": f"Bearer {token}"},
            )
            assert posted.status_code == status, posted.text


async def test_it_takes_effect_at_once(tmp_path: Path) -> None:
    async with site(tmp_path) as there, there.as_(ACME) as http:
        body = body_of(letter("one"))
        assert (await http.post("/webhooks/acme", content=body)).status_code == 401
        for secret in ("the first secret", "the second secret"):
            config = SPEC["provider_config"] | {"api_secret": secret}  # type: ignore[operator]
            await put(http, SPEC | {"provider_config": config})
            assert (await http.post("/webhooks/acme", content=body, headers=sign(body, secret))).status_code == 200
        assert (await http.post("/webhooks/acme", content=body, headers=sign(body, "x"))).status_code == 401


async def test_what_is_answered_can_be_put_back_with_one_thing_changed(tmp_path: Path) -> None:
    async with site(tmp_path) as there, there.as_(ACME) as http:
        await put(http, SPEC)
        shown = (await http.get(PATH)).json()
        shown["provider_config"]["phone_number_id"] = "2222222222"
        shown["provider_config"]["phone"] = "+55 11 99999-9999"
        await put(http, shown)
        account = there.live.now.accounts["acme"]
        assert account.settings == {
            "api_token": "encrypted_key",
            "app_secret": "encrypted_secret",
            "number_id": "2222222222",
        }
        assert account.phone == "5511999999999"
        assert (await http.get(PATH)).json()["provider_config"]["phone"] == "5511999999999"


async def test_a_list_makes_an_account_for_each_in_the_order_of_fail_over(tmp_path: Path) -> None:
    async with site(tmp_path) as there, there.as_(ACME) as http:
        one = {"whatsapp_provider": "pigeon", "provider_config": {"api_key": "the first key"}, "weight": 3}
        two = {"whatsapp_provider": "dove", "provider_config": {"api_key": "the second key"}}
        answer = await put(http, {"providers": [one, two]})
        assert [each["account"] for each in answer["providers"]] == ["acme", "acme-2"]
        assert [each["weight"] for each in answer["providers"]] == [3, 1]
        accounts = there.live.now.accounts
        assert (accounts["acme-2"].provider, accounts["acme-2"].position) == ("dove", 1)
        shown = (await http.get(PATH)).json()
        shown["providers"].reverse()
        del shown["whatsapp_provider"], shown["provider_config"]
        refused = await put(http, shown, 422)
        assert "masked" in refused["detail"]
        await put(http, {"providers": [one]})
        assert set(there.live.now.accounts) == {"acme"}
        await put(http, {"providers": []})
        assert (await http.get(PATH)).json()["whatsapp_provider"] is None
        assert there.live.now.accounts == {}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "whatsapp_provider"),
        ({"whatsapp_provider": "pidgeon"}, "whatsapp_provider"),
        ({"whatsapp_provider": "pigeon"}, "provider_config.api_token"),
        ({"whatsapp_provider": "pigeon", "provider_config": {"api_key": "k", "retris": 1}}, "provider_config.retris"),
        ({"whatsapp_provider": "pigeon", "provider_config": {"api_key": 1}}, "provider_config.api_token"),
        ({"whatsapp_provider": "pigeon", "provider_config": {"api_key": "k", "phone": "x"}}, "provider_config.phone"),
        ({"whatsapp_provider": "pigeon", "provider_config": {"api_key": "k", "phone": 5}}, "provider_config.phone"),
        ({"whatsapp_provider": "pigeon", "provider_config": []}, "provider_config"),
        ({"whatsapp_provider": "pigeon", "colour": 1}, "colour"),
        ({"whatsapp_provider": "pigeon", "weight": -1}, "weight"),
        ({"tenant_id": "other", "whatsapp_provider": "engine"}, "tenant_id"),
        ({"providers": [{"whatsapp_provider": "pigeon"}]}, "providers[0].provider_config.api_token"),
        ({"whatsapp_provider": "engine", "providers": [{"whatsapp_provider": "session"}]}, "providers"),
        (
            {"whatsapp_provider": "pigeon", "provider_config": {"api_key": "k", "base_url": "http://127.0.0.1/"}},
            "provider_config.base_url",
        ),
        (
            {"whatsapp_provider": "pigeon", "provider_config": {"api_key": "k", "base_url": "https://10.0.0.1/"}},
            "provider_config.base_url",
        ),
    ],
)
async def test_what_is_wrong_is_named_and_changes_nothing(body: Json, field: str, tmp_path: Path) -> None:
    async with site(tmp_path) as there, there.as_(ACME) as http:
        refused = await put(http, body, 422)
        assert [each["field"] for each in refused["errors"]] == [field]
        assert there.live.now.accounts == {}


async def test_another_clients_settings_are_not_there(tmp_path: Path) -> None:
    async with site(tmp_path) as there, there.as_(OTHER) as other, there.as_(None) as nobody:
        for path in (PATH, ALSO):
            assert (await other.get(path)).status_code == 404
            assert (await other.put(path, json=SPEC)).status_code == 404
            assert (await nobody.get(path)).status_code == 401
        assert there.live.now.accounts == {}


async def test_a_name_in_use_and_the_limit_answer_409(tmp_path: Path) -> None:
    async with site(tmp_path, limits=Limits(accounts=1)) as there, there.as_(ACME) as acme, there.as_(OTHER) as other:
        made = await other.post("/api/accounts", json={"name": "acme", "provider": "session"})
        assert made.status_code == 409
        assert made.json()["detail"] == "this name is already in use"
        engine = {"whatsapp_provider": "engine"}
        await put(acme, {"providers": [engine, engine]}, 409)
        assert there.live.now.accounts == {}


ACCOUNT = {"name": "main", "provider": "pigeon", "settings": {"api_token": "0123456789-abcd", "number_id": "1"}}


async def test_an_account_has_settings_masked_in_every_answer(tmp_path: Path) -> None:
    async with site(tmp_path) as there, there.as_(ACME) as http:
        made = await http.post("/api/accounts", json=ACCOUNT | {"weight": 5, "position": 2})
        assert made.status_code == 201
        listed = (await http.get("/api/accounts")).json()["data"][0]
        for answer in (made.json(), listed, (await http.get("/api/accounts/main")).json()):
            assert answer["settings"] == {"api_token": f"{MASK}abcd", "number_id": "1"}
            assert (answer["weight"], answer["position"], answer["webhook_url"]) == (5, 2, None)
        assert "0123456789" not in await stored(there)
        assert there.live.now.accounts["main"].settings == ACCOUNT["settings"]


async def test_a_patch_keeps_what_it_leaves_out_and_what_comes_back_masked(tmp_path: Path) -> None:
    async with site(tmp_path) as there, there.as_(ACME) as http:
        await http.post("/api/accounts", json=ACCOUNT)

        async def patch(**change: Any) -> httpx2.Response:
            return await http.patch("/api/accounts/main", json=change)

        await patch(settings={"api_token": f"{MASK}abcd", "app_secret": "new", "number_id": None}, weight=0)
        account = there.live.now.accounts["main"]
        assert account.settings == {"api_token": "0123456789-abcd", "app_secret": "new"}
        assert account.weight == 0
        for settings, field in (
            ({"api_token": f"{MASK}xxxx"}, "settings.api_token"),
            ({"api_token": None}, "settings.api_token"),
            ({"retries": 10}, "settings.retries"),
            ({"base_url": "https://[::1]/"}, "settings.base_url"),
        ):
            refused = await patch(settings=settings)
            assert refused.status_code == 422
            assert refused.json()["errors"][0]["field"] == field
        assert there.live.now.accounts["main"].settings == account.settings


async def test_another_provider_begins_with_settings_of_its_own(tmp_path: Path) -> None:
    async with site(tmp_path) as there, there.as_(ACME) as http:
        await http.post("/api/accounts", json=ACCOUNT)
        missing = await http.patch("/api/accounts/main", json={"provider": "dove"})
        assert missing.json()["errors"][0]["field"] == "settings.api_token"
        masked = {"provider": "dove", "settings": {"api_token": f"{MASK}abcd"}}
        assert (await http.patch("/api/accounts/main", json=masked)).status_code == 422
        await http.patch("/api/accounts/main", json={"provider": "dove", "settings": {"api_token": "t"}})
        account = there.live.now.accounts["main"]
        assert (account.provider, account.settings) == ("dove", {"api_token": "t"})
        await http.patch("/api/accounts/main", json={"provider": "session"})
        assert there.live.now.accounts["main"].settings == {}
