"""What leads nowhere is said: by the doctor, and in the log at the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from tests.bad_plugin import bad_plugin
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

    stored = {"database": {"url": f"sqlite:///{tmp_path / 'stored.db'}"}}
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
