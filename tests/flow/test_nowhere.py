"""What leads nowhere is said: by the doctor, and in the log at the start."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from tests.bad_plugin import bad_plugin
from tests.fake_listener import Tape
from tests.fake_provider import installed
from tests.inprocess import Gateway, running_gateway
from wagate.errors import Postpone
from wagate.hooks import Delivery, Handler, PluginContext, Receipt, Target

Json = dict[str, Any]


async def found(gateway: Gateway, part: str, what: str) -> list[Json]:
    """Lines of the doctor."""
    lines = (await gateway.ask("GET", "/api/doctor"))["data"]
    return [line for line in lines if line["part"] == part and line["what"] == what]


async def test_what_waits_for_a_connector_that_is_off_is_said_until_it_is_given_up(tmp_path: Path) -> None:
    async def handle(_: Delivery) -> Receipt:
        raise Postpone("not now", after=3600)

    def register_handlers(context: PluginContext) -> list[Handler]:
        return [Handler(name="crm", targets=lambda _event: [Target(id="a")], handle=handle)]

    stored = {"data": {"dir": str(tmp_path / "data")}}
    with bad_plugin(register_handlers=register_handlers) as tables:
        async with running_gateway(tables | stored) as gateway:
            await gateway.post("hello")
            await gateway.post("again")
            assert await found(gateway, "receivers", "off") == []
    with capture_logs() as logs:
        async with running_gateway(stored) as gateway:
            [line] = await found(gateway, "receivers", "off")
            assert line["level"] == "warn"
            assert line["detail"].startswith("2 deliveries wait for crm, which is off, the oldest since ")
            assert "wagate jobs cancel --pending --connector crm" in line["next_step"]
            for each in await gateway.deliveries(connector="crm"):
                await gateway.ask("POST", f"/api/jobs/{each['id']}/cancel")
            assert await found(gateway, "receivers", "off") == []
    [warned] = [each for each in logs if each["event"] == "deliveries wait for a connector that is off"]
    assert (warned["connector"], warned["waiting"], warned["log_level"]) == ("crm", 2, "warning")


async def test_webhooks_of_a_name_or_number_that_no_account_has_are_named() -> None:
    account = {"provider": "session", "phone": "+15550001111"}
    url = "https://127.0.0.1:9/hook"
    async with running_gateway({"accounts.shop": account}) as gateway:
        for number in ("*", "shop", "+15550001111"):
            await gateway.register(url, phone_number=number)
        assert await found(gateway, "webhooks", "number") == []
        acme = {"Authorization": f"Bearer {(await gateway.client('acme'))['token']}"}
        theirs = {"phone_number": "+15550001111", "webhook_url": f"{url}?token=not-for-everybody"}
        await gateway.ask("POST", "/api/webhooks/register", 201, json=theirs, headers=acme)
        strange = await gateway.register(url, phone_number="+15550002222", name="Order bot")
        [of_acme, ours] = await found(gateway, "webhooks", "number")
        assert (ours["level"], of_acme["level"]) == ("warn", "warn")
        assert ours["detail"].startswith(
            f"Order bot (id {strange['id']}) is for 15550002222, and no account of default"
        )
        assert of_acme["detail"].startswith(f"{url} (id ")
        await gateway.ask("POST", f"/api/webhooks/{strange['id']}/toggle")
        assert len(await found(gateway, "webhooks", "number")) == 1


async def test_a_webhook_is_named_after_its_account_was_renamed(tmp_path: Path) -> None:
    stored = {"data": {"dir": str(tmp_path / "data")}}
    async with running_gateway(stored | {"accounts.shop": {"provider": "session"}}) as gateway:
        await gateway.register("https://127.0.0.1:9/hook", phone_number="shop")
    async with running_gateway(stored | {"accounts.store": {"provider": "session"}}) as gateway:
        [line] = await found(gateway, "webhooks", "number")
        assert " is for shop, and no account of default has this name or number" in line["detail"]


async def test_a_folder_with_keys_whose_account_is_gone_is_named_and_never_deleted(tmp_path: Path) -> None:
    stored = {"data": {"dir": str(tmp_path / "data")}}
    with installed(tape=Tape()):
        async with running_gateway(stored | {"accounts.shop": {"provider": "tape"}}):
            with closing(sqlite3.connect(tmp_path / "data/wagate.db")) as db:
                [(old,)] = db.execute("SELECT id FROM accounts WHERE name = 'shop'")
        engine = tmp_path / "data/engine/tape"
        for name in (old, "engine.log.d"):
            (engine / name).mkdir(parents=True)
        async with running_gateway(stored | {"accounts.shop": {"provider": "tape"}}) as gateway:
            assert await found(gateway, "engine", "folder") == []
        with capture_logs() as logs:
            async with running_gateway(stored | {"accounts.store": {"provider": "tape"}}) as gateway:
                [line] = await found(gateway, "engine", "folder")
        assert (line["level"], line["detail"].partition(":")[0]) == ("warn", str(engine / old))
        assert "log this device out on the phone" in line["next_step"]
        [warned] = [each for each in logs if each["event"] == "engine folder of no account"]
        assert (warned["folder"], warned["log_level"]) == (str(engine / old), "warning")
        assert (engine / old).is_dir()
        # The table is back: it is another account, and the folder stays named.
        async with running_gateway(stored | {"accounts.shop": {"provider": "tape"}}) as gateway:
            assert len(await found(gateway, "engine", "folder")) == 1
