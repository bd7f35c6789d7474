"""Why a number can't send or receive, and which setting mends it, for each provider that wagate has."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.unit.test_needs import NOW, number, target
from wagate.events import SessionStatus
from wagate.hooks import Provider
from wagate.rules.targets import TargetState
from wagate.storage.refusals import RefusedRow
from wagate.web.api.doctor import DoctorLine
from wagate.web.inbound.refusals import BODY, CHALLENGE, SIGNATURE
from wagate.web.ui.trouble import mending, table_of, troubles
from wagate_dialog360 import COMMON_KEYS as DIALOG360_KEYS
from wagate_dialog360 import SECRETS as DIALOG360_SECRETS
from wagate_dialog360 import Dialog360Settings
from wagate_infobip.settings import COMMON_KEYS as INFOBIP_KEYS
from wagate_infobip.settings import SECRETS as INFOBIP_SECRETS
from wagate_infobip.settings import InfobipSettings
from wagate_meta.settings import COMMON_KEYS as META_KEYS
from wagate_meta.settings import SECRETS as META_SECRETS
from wagate_meta.settings import MetaSettings
from wagate_session.client import COMMON_KEYS as SESSION_KEYS
from wagate_session.client import SECRETS as SESSION_SECRETS
from wagate_session.client import SessionSettings
from wagate_twilio.settings import COMMON_KEYS as TWILIO_KEYS
from wagate_twilio.settings import SECRETS as TWILIO_SECRETS
from wagate_twilio.settings import TwilioSettings
from wagate_waha.settings import COMMON_KEYS as WAHA_KEYS
from wagate_waha.settings import SECRETS as WAHA_SECRETS
from wagate_waha.settings import WahaSettings
from wagate_whatsapp.number import SECRETS, WhatsAppSettings

OF: dict[str, tuple[Any, Any, Any]] = {
    "meta": (MetaSettings, META_SECRETS, META_KEYS),
    "dialog360": (Dialog360Settings, DIALOG360_SECRETS, DIALOG360_KEYS),
    "infobip": (InfobipSettings, INFOBIP_SECRETS, INFOBIP_KEYS),
    "twilio": (TwilioSettings, TWILIO_SECRETS, TWILIO_KEYS),
    "waha": (WahaSettings, WAHA_SECRETS, WAHA_KEYS),
    "session": (SessionSettings, SESSION_SECRETS, SESSION_KEYS),
}
"""A provider's settings, secrets and common keys, as its plugin has them."""


def provider(name: str, **more: Any) -> Provider:
    kind, secrets, keys = OF[name]
    return Provider(name=name, title=name.title(), settings_type=kind, secrets=secrets, common_keys=keys, **more)


def down(error: str) -> Any:
    return target(state=TargetState(down_since=NOW - timedelta(hours=1), last_error=error), waiting=3)


def seen(one: Provider, **given: Any) -> list[tuple[str, tuple[str, ...]]]:
    asked: dict[str, Any] = {"sending": None, "stopped": False, "failing": (), "refused": ()}
    found = troubles(number(SessionStatus.INITIALIZING), one, **asked | given)
    return [(each.mark[1], tuple(field.name for field in each.fields)) for each in found]


@pytest.mark.parametrize(
    ("name", "reason", "word", "fields"),
    [
        ("meta", "the access token is wrong or has expired; make a new one and set it as access_token (190)",
         "Token refused", ("access_token",)),
        ("meta", "the account is blocked for a while for breaking WhatsApp's policies; see Business Support Home (368)",
         "Blocked by WhatsApp", ()),
        ("meta", "a payment is due, or no payment method is set, in WhatsApp Manager (131042)", "Refused", ()),
        ("meta", "HTTP 401 without a reason", "Token refused", ("access_token",)),
        ("dialog360", "Invalid api_key", "Token refused", ("api_key",)),
        ("infobip", "Infobip answered 401: Invalid login details", "Token refused", ("api_key",)),
        ("infobip", "Infobip answered 404: no reason given; check base_url", "Refused", ("base_url",)),
        ("twilio", "Authenticate (20003)", "Token refused", ("auth_token",)),
        ("twilio", "not found; check account_sid and base_url", "Refused", ("account_sid", "base_url")),
        ("waha", "WAHA answered 401; compare api_key with WAHA's key", "Token refused", ("api_key",)),
        ("waha", "WAHA answered 404; compare base_url and session with what WAHA has", "Refused", ("base_url",)),
        ("session", "the engine answered 403; compare api_key with the engine's API_KEY", "Token refused",
         ("api_key",)),
    ],
)  # fmt: skip
def test_what_a_provider_refuses_names_the_setting_that_mends_it(
    name: str, reason: str, word: str, fields: tuple[str, ...]
) -> None:
    assert seen(provider(name), sending=down(reason), stopped=True) == [(word, fields)]


def test_a_provider_that_is_away_asks_for_no_new_token() -> None:
    assert seen(provider("meta"), sending=down("connection refused")) == [("Not working", ())]
    assert seen(provider("meta"), sending=target()) == []


@pytest.mark.parametrize(
    ("name", "what", "detail", "step", "fields"),
    [
        ("meta", "token", "the token has expired", "make a system user's token", ("access_token",)),
        ("meta", "app secret", "of another app", "copy it from App settings, Basic", ("app_secret",)),
        ("meta", "webhook", "app_secret and verify_token not set", "", ("app_secret", "verify_token")),
        ("twilio", "token", "Twilio answered 401", "copy it from the console's first page", ("auth_token",)),
        ("twilio", "api key", "Twilio answered 401", "", ("api_key_sid", "api_key_secret")),
        ("infobip", "token", "Infobip answered 401", "check api_key, its scopes, its hosts", ("api_key",)),
        ("waha", "api_key", "WAHA answered 401", "compare base_url, api_key and session with WAHA's",
         ("base_url", "api_key")),
        ("waha", "session", "SCAN_QR_CODE", "scan the QR code of the session", ()),
    ],
)  # fmt: skip
def test_what_the_doctor_finds_does_too(name: str, what: str, detail: str, step: str, fields: tuple[str, ...]) -> None:
    line = DoctorLine(level="fail", part="account main", what=what, detail=detail, next_step=step)
    others = [msgspec_replaced(line, part="account mainly"), msgspec_replaced(line, level="warn")]
    assert [found for _, found in seen(provider(name), failing=[line, *others])] == [fields]


def msgspec_replaced(line: DoctorLine, **fields: Any) -> DoctorLine:
    given = {name: getattr(line, name) for name in line.__struct_fields__} | fields
    return DoctorLine(**given)


def refused(reason: str, detail: str, in_a_row: int = 1) -> RefusedRow:
    return RefusedRow(
        account_id="a", account="main", tenant="default", provider="meta", reason=reason, in_a_row=in_a_row, times=9,
        detail=detail, first_at=NOW, last_at=NOW,
    )  # fmt: skip


def test_refused_webhooks_lead_to_the_secret_they_are_signed_with() -> None:
    why = "X-Hub-Signature-256 does not match the body: is app_secret the one of this app?"
    meta = provider("meta", challenge=cast("Any", SimpleNamespace()))
    assert seen(meta, refused=[refused(SIGNATURE, why)]) == [("Refused", ("app_secret",))]
    assert seen(meta, refused=[refused(CHALLENGE, "wrong verify token")]) == [("Refused", ("verify_token",))]
    assert seen(meta, refused=[refused(SIGNATURE, why, in_a_row=0), refused(BODY, "no JSON")]) == []
    asked: dict[str, Any] = {"sending": None, "stopped": False, "failing": ()}
    (found,) = troubles(
        number(SessionStatus.INITIALIZING),
        provider("dialog360"),
        refused=[refused(SIGNATURE, "the webhook's secret is wrong")],
        **asked,
    )
    assert (found.fields, found.secret) == ((), True)


def test_a_setting_that_mends_two_things_is_asked_for_once() -> None:
    line = DoctorLine(level="fail", part="account main", what="token", detail="expired")
    found = troubles(
        number(SessionStatus.INITIALIZING), provider("meta"), sending=down("wrong access_token"), stopped=True,
        failing=[line], refused=(),
    )  # fmt: skip
    assert [each.name for each in mending(found)] == ["access_token"]


def test_of_a_linked_phone_the_panel_to_scan_from_speaks() -> None:
    async def run(*_: object) -> None: ...

    linked = Provider(name="whatsapp", title="WhatsApp", settings_type=WhatsAppSettings, secrets=SECRETS, run=run)
    line = DoctorLine(level="fail", part="account main", what="session", detail="Logged out")
    assert seen(linked, sending=down("the number is not linked"), stopped=True, failing=[line]) == []


@pytest.mark.parametrize(
    ("name", "table"), [("main", "[accounts.main]"), ("a.b", '[accounts."a.b"]'), ("+49", '[accounts."+49"]')]
)
def test_a_table_is_named_as_toml_has_it(name: str, table: str) -> None:
    assert table_of(name) == table
