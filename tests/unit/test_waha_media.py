"""Files and messages that WAHA keeps, and what doctor asks it."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.waha_site import account, waha
from wagate.errors import AccountStoppedError, NotSentError, OutcomeUnknownError, SendRefusedError
from wagate.events import Media, NewEvent
from wagate.testing.providers.waha import FakeWaha
from wagate.testing.server import Fault, Reply
from wagate_waha import missed
from wagate_waha.media import media_request

THEM, OTHER = "19990000000@c.us", "18880000000@c.us"


@pytest.mark.parametrize(
    ("base", "given", "expected"),
    [
        ("http://waha:3000", "http://localhost:3000/api/files/a.jpg", "http://waha:3000/api/files/a.jpg"),
        ("http://waha:3000", "https://old.example/api/files/d/a.jpg?x=1", "http://waha:3000/api/files/d/a.jpg?x=1"),
        ("https://w.example/waha/", "http://localhost/api/files/a", "https://w.example/waha/api/files/a"),
        ("https://w.example/waha", "https://w.example/waha/api/files/a", "https://w.example/waha/api/files/a"),
        ("https://w.example", "http://localhost:3000/base/api/files/a", "https://w.example/api/files/a"),
    ],
)
def test_wahas_own_files_are_fetched_where_we_reach_it(base: str, given: str, expected: str) -> None:
    found = media_request(Media(mimetype="image/jpeg"), given, account(base, api_key="k"))
    assert (found.url, found.headers, found.trust) == (expected, {"X-Api-Key": "k"}, "operator")
    assert found.mimetype == "image/jpeg"


@pytest.mark.parametrize(
    "given",
    [
        "https://bucket.s3.example/a.jpg?sig=1",
        "http://localhost:3000/api/sessions",
        "http://localhost:3000/api/files/../sessions",
        "http://localhost:3000/api/files/%2e%2e/sessions",
        "https://evil.example/x/api/files/a",
    ],
)
def test_the_key_goes_nowhere_else(given: str) -> None:
    found = media_request(Media(), given, account(api_key="k"))
    assert (found.url, found.headers, found.trust) == (given, {}, "public")


async def test_a_file_that_waha_had_not_downloaded_is_asked_for_by_its_message() -> None:
    fake = FakeWaha(api_key="k")
    url = "http://localhost:3000/api/files/a.jpg"
    fake.chats[THEM] = [fake.incoming("", bare="AA") | {"media": {"url": url}}, fake.incoming("", bare="BB")]
    async with waha(fake, api_key="k") as (provider, to):
        assert provider.locate_media is not None
        found = await provider.locate_media(Media(provider_id=f"false_{THEM}_AA"), to)
        assert found.url == f"{fake.url}/api/files/a.jpg"
        assert fake.seen[0].query["downloadMedia"] == "true"
        with pytest.raises(SendRefusedError):
            await provider.locate_media(Media(provider_id=f"false_{THEM}_BB"), to)
        with pytest.raises(SendRefusedError):
            await provider.locate_media(Media(), to)


async def test_a_message_that_waha_has_no_more_is_refused_and_a_missing_session_stops_the_account() -> None:
    fake = FakeWaha()
    async with waha(fake) as (provider, to):
        assert provider.locate_media is not None
        with pytest.raises(SendRefusedError, match="no longer"):
            await provider.locate_media(Media(provider_id=f"false_{THEM}_AA"), to)
        fake.fail(Fault(reply=Reply(status=500)))
        with pytest.raises(NotSentError, match="though its session answers") as caught:
            await provider.locate_media(Media(provider_id=f"false_{THEM}_AA"), to)
        assert (caught.value.slow, caught.value.http_status) == ("", None)
        fake.fail(Fault(reply=Reply(status=500)), Fault(reply=Reply(status=502)))
        with pytest.raises(OutcomeUnknownError, match="502"):
            await provider.locate_media(Media(provider_id=f"false_{THEM}_AA"), to)
        fake.statuses.clear()
        with pytest.raises(AccountStoppedError, match="Session not found"):
            await provider.locate_media(Media(provider_id=f"false_{THEM}_AA"), to)


async def collect(fake: FakeWaha, since: datetime, error: type[Exception] | None = None) -> list[NewEvent]:
    events: list[NewEvent] = []
    async with waha(fake) as (provider, to):
        assert provider.missed is not None
        with pytest.raises(error) if error else contextlib.nullcontext():
            async for event in provider.missed(to, since):
                events.append(event)  # noqa: PERF401  (kept up to the error)
    return events


def history(fake: FakeWaha, chat: str, moments: list[int]) -> None:
    fake.chats[chat] = [
        fake.incoming(f"m{moment}", sender=chat, bare=f"ID{moment}") | {"timestamp": moment} for moment in moments
    ]


async def test_what_was_missed_comes_chat_by_chat_the_oldest_first_and_nothing_older() -> None:
    fake = FakeWaha()
    history(fake, THEM, [1700000001, 1700000005, 1699990000])
    history(fake, OTHER, [1700000003])
    history(fake, "17770000000@c.us", [1699990000])
    events = await collect(fake, datetime.fromtimestamp(1700000000.9, UTC))
    assert [event.content for event in events] == ["m1700000001", "m1700000005", "m1700000003"]
    assert all(event.raw and event.number == "default" and event.kind == "message" for event in events)
    assert len([seen for seen in fake.seen if seen.path.endswith("/messages")]) == 2


async def test_long_chats_are_read_page_by_page_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missed, "MOST_MESSAGES", 120)
    fake = FakeWaha()
    history(fake, THEM, list(range(1700000000, 1700000110)))
    assert len(await collect(fake, datetime.fromtimestamp(1700000000, UTC))) == 110
    history(fake, THEM, list(range(1700000000, 1700000130)))
    assert len(await collect(fake, datetime.fromtimestamp(1700000000, UTC), NotSentError)) == 120


async def test_a_session_that_is_not_there_stops_the_catching_up() -> None:
    assert await collect(FakeWaha(session="other"), datetime.now(UTC), AccountStoppedError) == []


async def findings(fake: FakeWaha, secret: str = "", **settings: Any) -> dict[str, tuple[str, str]]:
    async with waha(fake, secret=secret, **settings) as (provider, to):
        assert provider.check is not None
        return {each.what: (each.level, each.detail) for each in await provider.check(to)}


async def test_doctor_sees_an_account_that_works() -> None:
    fake = FakeWaha(api_key="k")
    fake.webhooks = ["https://gateway.example/webhooks/main"]
    found = await findings(fake, api_key="k", hmac_key="h")
    assert {what: level for what, (level, _) in found.items()} == {
        "signature": "ok",
        "reachable": "ok",
        "session": "ok",
        "webhook": "ok",
    }
    assert found["reachable"][1] == "WAHA 2026.2.1 (GOWS)"


async def test_doctor_sees_what_is_wrong() -> None:
    assert (await findings(FakeWaha(api_key="k"), api_key="x", secret="s"))["api_key"][0] == "fail"
    assert (await findings(FakeWaha(session="other")))["session"][0] == "fail"
    assert (await findings(FakeWaha()))["signature"][0] == "fail"
    stopped = FakeWaha()
    stopped.statuses["default"] = "STOPPED"
    found = await findings(stopped)
    assert (found["session"], found["webhook"][0]) == (("fail", "STOPPED"), "warn")
