"""What the doctor looks at, and how it says what it saw."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from tests.fake_provider import Pigeon
from wagate.config.tables import Config, Data, Server
from wagate.errors import NotSentError
from wagate.hooks import Finding
from wagate.http import NetworkError
from wagate.media import convert
from wagate.plugins.registry import Providers
from wagate.process import doctor
from wagate.process.doctor import Installation, run_checks
from wagate.storage.owners.directory import Account
from wagate.testing.context import FixedClock
from wagate.testing.http import FakeHttp, answered
from wagate.web.api.doctor import DoctorLine

Check = Callable[[], Awaitable[Sequence[Finding]]]
TOKEN = "a-token-of-the-fake"


def account(**fields: Any) -> Account:
    made = {"id": "1", "name": "main", "client_id": 1, "tenant": "default", "provider": "pigeon", "phone": ""}
    made |= {"metadata": {}, "ignore": {}, "webhook_secret": "the webhook's secret", "source": "api"}
    return Account(**(made | {"settings": {"api_token": TOKEN}} | fields))


def installation(tmp_path: Path, pigeon: Pigeon | None = None, *accounts: Account, **fields: Any) -> Installation:
    providers = Providers(public_url="")
    providers.add([(pigeon or Pigeon()).provider()])
    made: dict[str, Any] = {
        "config": Config(data=Data(dir=tmp_path)),
        "clock": FixedClock(),
        "http": FakeHttp(NetworkError("ECONNREFUSED")),
        "providers": providers,
        "database": None,
        "redis": None,
        "accounts": accounts,
    }
    return Installation(**(made | fields))


async def seen(given: Installation, part: str) -> DoctorLine:
    [line] = [line for line in await run_checks(given) if line.part == part]
    return line


async def test_what_a_provider_finds_is_told_without_secrets(tmp_path: Path) -> None:
    pigeon = Pigeon()
    pigeon.findings = [
        Finding(level="fail", what="token", detail=f"{TOKEN} has expired", next_step=f"replace {TOKEN}"),
        Finding(level="ok", what="webhook", detail="guarded by the webhook's secret"),
    ]
    lines = [
        each for each in await run_checks(installation(tmp_path, pigeon, account())) if each.part == "account main"
    ]
    assert [(each.level, each.what, each.detail, each.next_step) for each in lines] == [
        ("fail", "token", "••• has expired", "replace •••"),
        ("ok", "webhook", "guarded by •••", ""),
    ]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"settings": {}}, "settings.api_token is missing"),
        ({"provider": "dove"}, "no provider 'dove'"),
        ({"provider": "session", "settings": {}}, ""),
    ],
)
async def test_an_account_that_could_not_be_used_fails(fields: dict[str, Any], told: str, tmp_path: Path) -> None:
    line = await seen(installation(tmp_path, None, account(**fields)), "account main")
    assert (line.level, line.what) == ("fail" if told else "ok", "settings")
    assert told in line.detail


async def test_a_provider_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    given = installation(tmp_path)
    given.providers.set_aside("broken", "no module named pigeons")
    line = await seen(given, "provider broken")
    assert (line.level, line.detail) == ("warn", "no module named pigeons")


async def raises(error: Exception) -> Sequence[Finding]:
    raise error


@pytest.mark.parametrize(
    ("error", "detail"),
    [(NotSentError("the service is away"), "the service is away"), (KeyError("x"), "failed: KeyError")],
)
async def test_a_look_that_fails_is_a_line_of_its_own(error: Exception, detail: str, tmp_path: Path) -> None:
    line = await seen(installation(tmp_path, checks=[("plugin", lambda: raises(error))]), "plugin")
    assert (line.level, line.detail) == ("fail", detail)


class Usage(msgspec.Struct):
    """What is asked of a disk."""

    free: int


async def test_a_look_that_hangs_is_cut_off_and_the_others_are_told(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)

    async def hangs() -> Sequence[Finding]:
        await trio.sleep_forever()
        raise AssertionError

    # The clock jumps as soon as no task can go on: it would not wait for a look that is in a thread.
    monkeypatch.setattr(trio.to_thread, "run_sync", at_once)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _folder: Usage(2 * 1024**3))
    lines = await run_checks(installation(tmp_path, checks=[("plugin", hangs)]))
    assert {each.part: each.level for each in lines} == {
        "database": "ok",
        "redis": "ok",
        "disk": "ok",
        "clock": "ok",
        "public_url": "warn",
        "plugin": "fail",
    }


@pytest.mark.parametrize(("free", "level"), [(2 * 1024**3, "ok"), (500 * 1024**2, "warn"), (1024**2, "fail")])
async def test_little_room_warns_and_none_fails(
    free: int, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _folder: Usage(free))
    line = await seen(installation(tmp_path / "not" / "there"), "disk")
    assert line.level == level
    assert bool(line.next_step) == (level != "ok")


@pytest.mark.parametrize(("off", "level"), [(3, "ok"), (60, "warn"), (-400, "fail")])
async def test_our_clock_is_held_against_a_providers(off: int, level: str, tmp_path: Path) -> None:
    clock = FixedClock()
    date = format_datetime(clock.now() - timedelta(seconds=off), usegmt=True)
    http = FakeHttp(msgspec.structs.replace(answered(404), headers={"date": date}))
    line = await seen(installation(tmp_path, None, account(), clock=clock, http=http), "clock")
    assert line.level == level
    assert "pigeon.example" in line.detail
    assert (http.sent[0].method, http.sent[0].url) == ("HEAD", "https://pigeon.example/")


async def test_an_accounts_proxy_is_no_providers_clock(tmp_path: Path) -> None:
    http = FakeHttp(NetworkError("ECONNREFUSED"))
    settings = {"api_token": TOKEN, "headers": {"proxy": "http://proxy.example:3128"}}
    await seen(installation(tmp_path, None, account(settings=settings), http=http), "clock")
    assert {each.url for each in http.sent} == {"https://pigeon.example/"}


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        (msgspec.structs.replace(answered(200), body=b'{"message":"pong"}'), "ok"),
        (answered(200), "warn"),
        (answered(502), "warn"),
        (NetworkError("ECONNREFUSED"), "warn"),
    ],
)
async def test_the_public_url_is_asked_for_a_ping(answer: Any, level: str, tmp_path: Path) -> None:
    config = Config(data=Data(dir=tmp_path), server=Server(public_url="https://wa.example.org"))
    http = FakeHttp(answer)
    line = await seen(installation(tmp_path, config=config, http=http), "public_url")
    assert line.level == level
    assert http.sent[0].url == "https://wa.example.org/ping"


@pytest.mark.parametrize("there", [True, False])
async def test_a_provider_that_takes_only_opus_needs_pyav(
    tmp_path: Path, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "can_convert", lambda: there)
    given = installation(tmp_path, None, account())
    assert not [line for line in await run_checks(given) if line.part == "voice"]
    given.providers.add([dataclasses.replace(Pigeon().provider(), name="opus", opus_voice=True)])
    line = await seen(dataclasses.replace(given, accounts=[account(provider="opus")]), "voice")
    assert (line.level, "wagate[voice]" in line.next_step) == (("ok", False) if there else ("warn", True))


async def test_a_converter_that_does_not_start_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "MODULE", "wagate.nothing")
    given = installation(tmp_path, None, account(provider="opus"))
    given.providers.add([dataclasses.replace(Pigeon().provider(), name="opus", opus_voice=True)])
    line = await seen(given, "voice")
    assert (line.level, "could not be started" in line.detail) == ("fail", True)
