"""What the doctor finds at Meta and at 360dialog."""

from __future__ import annotations

from typing import Any

import pytest

from tests.meta import at, at_dialog360, dialog360_provider, meta_provider
from wagate.hooks import Finding, Provider, ProviderAccount
from wagate.testing.providers.dialog360 import FakeDialog360, refused
from wagate.testing.providers.meta import FakeMeta, failed, fake_meta
from wagate.testing.server import Fault, Reply

URL = "https://gateway.example/webhooks/shop"


async def levels(provider: Provider, account: ProviderAccount) -> dict[str, Finding]:
    """The findings by what was looked at; the worst of each."""
    assert provider.check
    order = ("ok", "warn", "fail")
    found = sorted(await provider.check(account), key=lambda finding: order.index(finding.level))
    return {finding.what: finding for finding in found}


async def meta_findings(fault: Fault | None = None, **settings: Any) -> dict[str, Finding]:
    async with fake_meta() as fake, meta_provider() as provider:
        if fault:
            fake.server.fail(fault)
        return await levels(provider, at(fake, **settings))


async def test_a_complete_account_is_well() -> None:
    found = await meta_findings(app_id="4200000000001", waba_id="3")
    told = {what: finding.level for what, finding in found.items()}
    assert told == {"token": "ok", "webhook": "warn", "app secret": "ok", "subscription": "ok"}
    assert "public_url" in found["webhook"].detail


async def test_the_app_secret_is_asked_about_without_the_apps_id() -> None:
    assert (await meta_findings())["app secret"].level == "ok"
    silent = await meta_findings(Fault(path="", reply=Reply(status=503)))
    assert {finding.level for finding in silent.values()} <= {"ok", "warn"}


@pytest.mark.parametrize(
    ("fault", "settings", "what", "level", "says"),
    [
        (Fault(reply=failed(401, 190, "gone", subcode=463)), {}, "token", "fail", "expired"),
        (Fault(reply=failed(400, 100, "no such", subcode=33)), {}, "token", "fail", "no such"),
        (Fault(reply=Reply(status=503)), {}, "token", "warn", "503"),
        (Fault(drop=True), {}, "reachable", "fail", "ECONNRESET"),
        (None, {"app_secret": "", "verify_token": ""}, "webhook", "fail", "app_secret and verify_token"),
        (None, {"app_id": "42", "app_secret": "wrong"}, "app secret", "fail", "don't match"),
        (None, {"app_secret": "wrong"}, "app secret", "fail", "belongs to another app"),
        (
            Fault(path="debug_token", reply=Reply(json={"data": {"app_id": "7"}})),
            {"app_id": "4200000000001"},
            "app secret",
            "warn",
            "another app",
        ),
        (
            Fault(path="subscribed", reply=Reply(json={"data": []})),
            {"waba_id": "3"},
            "subscription",
            "fail",
            "nothing is received",
        ),
        (Fault(path="subscribed", reply=Reply(status=400)), {"waba_id": "3"}, "subscription", "warn", "can't be seen"),
        (
            Fault(reply=Reply(json={"display_phone_number": "+1 555-999-8888", "quality_rating": "RED"})),
            {},
            "number",
            "warn",
            "8888",
        ),
        (Fault(reply=Reply(json={"quality_rating": "RED"})), {}, "quality", "warn", "RED"),
        (
            Fault(reply=Reply(json={}, headers={"Date": "Wed, 21 Oct 2015 07:28:00 GMT"})),
            {},
            "clock",
            "warn",
            "ahead of",
        ),
    ],
)
async def test_what_is_wrong_is_found(
    fault: Fault | None, settings: dict[str, Any], what: str, level: str, says: str
) -> None:
    finding = (await meta_findings(fault, **settings))[what]
    assert (finding.level, says in finding.detail) == (level, True), finding
    assert FakeMeta().app_secret not in repr(finding)


async def dialog360_findings(fault: Fault | None = None, *, url: str = URL, **account: Any) -> dict[str, Finding]:
    fake = FakeDialog360()
    fake.webhook_url = url
    async with fake_meta(fake), dialog360_provider() as provider:
        if fault:
            fake.server.fail(fault)
        return await levels(provider, at_dialog360(fake, **({"webhook_secret": "s", "webhook_url": URL} | account)))


async def test_a_complete_account_at_360dialog_is_well() -> None:
    assert {finding.level for finding in (await dialog360_findings()).values()} == {"ok"}


@pytest.mark.parametrize(
    ("fault", "fields", "what", "level", "says"),
    [
        (Fault(reply=refused(401, "Invalid api_key")), {}, "token", "fail", "Invalid api_key"),
        (Fault(reply=Reply(status=500)), {}, "token", "warn", "500"),
        (Fault(drop=True), {}, "reachable", "fail", "ECONNRESET"),
        (None, {"url": ""}, "webhook", "fail", "none is set"),
        (None, {"url": "https://other.example"}, "webhook", "warn", "another URL"),
        (None, {"webhook_secret": ""}, "webhook", "fail", "no webhook_secret"),
    ],
)
async def test_what_is_wrong_at_360dialog_is_found(
    fault: Fault | None, fields: dict[str, Any], what: str, level: str, says: str
) -> None:
    finding = (await dialog360_findings(fault, **fields))[what]
    assert (finding.level, says in finding.detail) == (level, True), finding
