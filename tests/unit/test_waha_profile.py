"""What WAHA tells of a chat: names of groups and channels, and pictures."""

from __future__ import annotations

import pytest

from tests.waha_site import waha
from wagate.errors import AccountStoppedError, NotSentError, OutcomeUnknownError
from wagate.hooks import Profile, Provider, ProviderAccount
from wagate.http import HttpError
from wagate.testing.providers.waha import Engine, FakeWaha
from wagate.testing.server import Fault, Reply
from wagate_waha import profile as profiles

THEM, GROUP, CHANNEL = "19990000000@c.us", "12036300000000@g.us", "12036300000001@newsletter"
PICTURE = "https://pps.example/1.jpg"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer of the fake's comes too late, however slow the machine is."""
    monkeypatch.setattr(profiles, "SECONDS", 60.0)


async def profile(provider: Provider, to: ProviderAccount, chat: str) -> Profile:
    assert provider.profile is not None
    return await provider.profile(chat, to)


def shown(fake: FakeWaha, chat: str, name: str = "") -> None:
    """WhatsApp shows this of the chat."""
    fake.pictures[chat] = PICTURE
    if name:
        fake.names[chat] = name


@pytest.mark.parametrize("engine", ["GOWS", "NOWEB", "WEBJS"])
async def test_a_group_has_its_subject_and_its_picture_in_every_engine(engine: Engine) -> None:
    fake = FakeWaha(engine=engine, api_key="k", session="sales")
    shown(fake, GROUP, "Team")
    async with waha(fake, api_key="k", session="sales") as (provider, to):
        assert await profile(provider, to, GROUP) == Profile(name="Team", picture=PICTURE)


async def test_a_channel_has_its_name_and_a_person_a_picture_alone() -> None:
    fake = FakeWaha()
    shown(fake, CHANNEL, "News")
    shown(fake, THEM)
    async with waha(fake) as (provider, to):
        assert await profile(provider, to, CHANNEL) == Profile(name="News", picture=PICTURE)
        assert await profile(provider, to, THEM) == Profile(picture=PICTURE)
    assert [seen.path for seen in fake.seen if "9990000000" in seen.path] == [
        "/api/default/chats/19990000000%40c.us/picture"
    ]


async def test_what_nobody_may_see_or_is_not_there_is_empty() -> None:
    fake = FakeWaha()
    async with waha(fake) as (provider, to):
        for chat in (GROUP, CHANNEL, THEM, "444@lid"):
            assert await profile(provider, to, chat) == Profile()
        fake.fail(Fault(reply=Reply(json={"url": "data:image/png;base64,AAAA"})))
        assert await profile(provider, to, THEM) == Profile()
        fake.fail(Fault(reply=Reply(status=404, json={"message": "no picture"})))
        assert await profile(provider, to, THEM) == Profile()


async def test_of_what_is_no_chat_of_wahas_nothing_is_asked() -> None:
    fake = FakeWaha()
    async with waha(fake) as (provider, to):
        for chat in ("abc@user", "status@broadcast", "16000@broadcast", ""):
            assert await profile(provider, to, chat) == Profile()
    assert fake.seen == []


@pytest.mark.parametrize(
    "fault", [Fault(reply=Reply(status=500)), Fault(drop=True), Fault(reply=Reply(body=b"<html>"))]
)
async def test_a_picture_that_fails_costs_no_name_and_a_name_no_picture(fault: Fault) -> None:
    fake = FakeWaha()
    shown(fake, GROUP, "Team")
    wrong = ""
    fake.chance = lambda seen: fault if wrong in seen.path else None
    async with waha(fake) as (provider, to):
        wrong = "/picture"
        assert await profile(provider, to, GROUP) == Profile(name="Team")
        wrong = "/groups/"
        assert await profile(provider, to, GROUP) == Profile(picture=PICTURE)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(reply=Reply(status=401)), AccountStoppedError),
        (Fault(reply=Reply(status=422, json={"status": "STOPPED"})), NotSentError),
        (Fault(reply=Reply(status=500)), OutcomeUnknownError),
        (Fault(drop=True), HttpError),
    ],
)
async def test_a_waha_that_tells_nothing_is_an_error(fault: Fault, error: type[Exception]) -> None:
    fake = FakeWaha()
    fake.chance = lambda _seen: fault
    async with waha(fake) as (provider, to):
        for chat in (GROUP, THEM):
            with pytest.raises(error):
                await profile(provider, to, chat)
