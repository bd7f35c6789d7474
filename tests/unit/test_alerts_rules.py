"""Alerts: what is told to whom and when, over fakes and a clock that jumps."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from wagate.errors import StorageError
from wagate.hooks import Need
from wagate.testing import NOW, Fakes, fake_context
from wagate_alerts import rules
from wagate_alerts.lines import Alert, NotTakenError, Ways
from wagate_alerts.rules import SHOWN
from wagate_alerts.settings import Channel, Settings
from wagate_alerts.watcher import LOOK, THERE, Watcher

MINUTE = 60.0
PHONE = {"phone": Channel(account="main", to=["+12025550142"])}


def need(who: str = "Order bot", kind: str = "down", *, since: datetime | None = None, **fields: Any) -> Need:
    given = {
        "key": f"{kind} {who}",
        "what": "does not answer",
        "detail": "214 messages wait, in order.",
        "page": "/ui/x",
    }
    return Need(kind=kind, who=who, since=since, **given | fields)


class Way:
    """A line that remembers what went over it, or does not work."""

    def __init__(self) -> None:
        self.got: list[Alert] = []
        self.broken = ""
        self.tries = 0

    async def send(self, alert: Alert) -> str:
        self.tries += 1
        if self.broken:
            raise NotTakenError(self.broken)
        self.got.append(alert)
        return ""

    @property
    def titles(self) -> list[str]:
        return [each.title.partition(": ")[2] for each in self.got]


class Desk:
    """A watcher over fakes; a restart is another watcher over the same rows."""

    def __init__(self, *ways: str, **settings: Any) -> None:
        self.settings = Settings(channels=PHONE, **settings)
        self.fakes: Fakes = fake_context("alerts", settings=self.settings)
        self.ways = {name: Way() for name in ways or ("phone",)}
        self.restart()

    def restart(self) -> None:
        lines = {name: way.send for name, way in self.ways.items()}
        self.at_work = Ways(settings=self.settings, lines=lines)
        self.watcher = Watcher(self.fakes.context, self.at_work)

    @property
    def way(self) -> Way:
        return next(iter(self.ways.values()))

    async def needs(self, *found: Need) -> None:
        self.fakes.watch.found = list(found)
        await self.watcher.turn()

    async def passes(self, seconds: float) -> None:
        """Time goes by, look by look."""
        await self.watcher.turn()
        while seconds > 0:
            self.fakes.clock.shift(min(seconds, LOOK))
            seconds -= LOOK
            await self.watcher.turn()


async def test_what_lasts_is_told_once_and_once_more_when_it_is_over() -> None:
    desk = Desk()
    await desk.needs(need())
    await desk.passes(4 * MINUTE + 30)
    assert desk.way.got == []
    await desk.passes(10 * MINUTE)
    (told,) = desk.way.got
    assert told.title == "gateway.example: Order bot does not answer"
    assert "214 messages wait, in order." in told.text
    assert told.text.endswith("https://gateway.example/ui/x")
    await desk.needs()
    await desk.passes(10 * MINUTE)
    assert desk.way.titles == ["Order bot does not answer", "Over: Order bot does not answer"]
    assert "min)" in desk.way.got[1].text


async def test_new_settings_and_channels_count_with_the_next_look() -> None:
    desk = Desk("phone")
    await desk.needs(need())
    other = Way()
    desk.at_work.settings = Settings(channels=PHONE, at_once=["down"])
    desk.at_work.lines = {"mail": other.send}
    await desk.needs(need())
    assert (other.titles, desk.way.got) == (["Order bot does not answer"], [])


async def test_what_is_over_before_its_time_is_never_told() -> None:
    desk = Desk()
    await desk.needs(need())
    await desk.passes(4 * MINUTE)
    await desk.needs()
    await desk.passes(30 * MINUTE)
    assert desk.way.got == []


async def test_what_is_back_within_a_minute_was_not_over() -> None:
    desk = Desk(at_once=["down"])
    await desk.needs(need())
    await desk.needs()
    await desk.passes(45)
    await desk.needs(need())
    await desk.passes(10 * MINUTE)
    assert desk.way.titles == ["Order bot does not answer"]


async def test_kinds_told_at_once_wait_for_nothing_and_others_do() -> None:
    desk = Desk(at_once=["down"])
    await desk.needs(need(), need("main", "number"))
    assert desk.way.titles == ["Order bot does not answer"]


async def test_since_when_counts_from_where_it_is_known() -> None:
    desk = Desk()
    await desk.needs(need(since=NOW - timedelta(hours=1)))
    assert desk.way.titles == ["Order bot does not answer"]


async def test_no_more_than_one_message_a_minute_and_what_comes_meanwhile_is_folded() -> None:
    desk = Desk(at_once=["down", "number"])
    await desk.needs(need())
    everything = [need(), need("b"), need("c"), need("main", "number")]
    await desk.needs(*everything)
    await desk.passes(MINUTE - LOOK)
    assert len(desk.way.got) == 1
    await desk.passes(2 * LOOK)
    assert desk.way.titles == ["Order bot does not answer", "3 things need you"]
    text = desk.way.got[1].text
    assert all(f"{each} does not answer" in text for each in ("b", "c", "main"))


async def test_a_hundred_things_are_one_message_of_eight_and_how_many_more() -> None:
    desk = Desk(at_once=["down"])
    await desk.needs(*(need(f"r{number:03}") for number in range(100)))
    (told,) = desk.way.got
    assert told.text.count("does not answer") == SHOWN
    assert "And 92 more." in told.text


async def test_nothing_is_told_twice_over_a_restart_and_its_end_is_not_lost() -> None:
    desk = Desk(at_once=["down"])
    await desk.needs(need())
    desk.restart()
    await desk.passes(5 * MINUTE)
    assert len(desk.way.got) == 1
    desk.restart()
    await desk.needs()
    await desk.passes(3 * MINUTE)
    assert desk.way.titles[1:] == ["Over: Order bot does not answer"]


async def test_quiet_hours_hold_what_lasts_and_forget_what_does_not() -> None:
    # NOW in Tokyo is nine hours on.
    desk = Desk(at_once=["down"], quiet=quiet_around(NOW, hours=9), zone="Asia/Tokyo", quiet_except=["gateway"])
    await desk.needs(need(), need("short"))
    await desk.passes(10 * MINUTE)
    assert desk.way.got == []
    await desk.needs(need(), need("wagate's redis", "gateway", what="is unhealthy"))
    await desk.passes(10 * MINUTE)
    assert desk.way.titles == ["wagate's redis is unhealthy"]
    await desk.needs(need())
    desk.fakes.clock.shift(2 * 3600)
    await desk.passes(2 * MINUTE)
    assert "Order bot does not answer" in desk.way.got[-2].text + desk.way.got[-1].text
    assert not any("short" in each.text for each in desk.way.got)


def quiet_around(moment: datetime, *, hours: int) -> str:
    here = moment.astimezone(UTC) + timedelta(hours=hours)
    begin, end = here - timedelta(hours=1), here + timedelta(hours=1)
    return f"{begin:%H:%M}-{end:%H:%M}"


@pytest.mark.parametrize(("quiet", "at", "is_so"), [
    ("22:00-07:00", "23:30", True), ("22:00-07:00", "06:59", True), ("22:00-07:00", "07:00", False),
    ("12:00-13:00", "12:30", True), ("12:00-13:00", "13:00", False), ("", "03:00", False),
])  # fmt: skip
def test_hours_may_go_over_midnight(quiet: str, at: str, *, is_so: bool) -> None:
    hour, minute = map(int, at.split(":"))
    settings = Settings(channels=PHONE, quiet=quiet)
    assert settings.is_quiet(datetime(2025, 1, 20, hour, minute, tzinfo=UTC), "down") is is_so


async def test_hours_follow_the_zone_into_summer() -> None:
    settings = Settings(channels=PHONE, quiet="22:00-07:00", zone="Europe/Berlin")
    winter, summer = datetime(2025, 1, 20, 6, 30, tzinfo=UTC), datetime(2025, 7, 20, 6, 30, tzinfo=UTC)
    assert not settings.is_quiet(winter, "down")
    assert not settings.is_quiet(summer, "down")
    assert settings.is_quiet(winter - timedelta(hours=1), "down")
    assert not settings.is_quiet(summer - timedelta(hours=1), "down")


async def test_a_channel_that_fails_is_tried_again_ever_more_rarely_shown_and_delays_no_other() -> None:
    desk = Desk("mail", "chat", at_once=["down"])
    desk.ways["mail"].broken = "no answer within 30 s"
    await desk.needs(need())
    assert desk.ways["chat"].titles == ["Order bot does not answer"]
    assert desk.fakes.watch.why == "channel mail: no answer within 30 s"
    await desk.passes(16 * MINUTE)
    assert desk.ways["mail"].tries == 5  # at 0, 1, 3, 7, 15 minutes
    desk.restart()
    await desk.needs(need(), need("b"))
    assert desk.fakes.watch.why == "channel mail: no answer within 30 s"
    desk.ways["mail"].broken = ""
    await desk.passes(16 * MINUTE)
    assert desk.ways["mail"].titles == ["2 things need you"]
    assert desk.fakes.watch.why == ""


async def test_what_waits_for_a_broken_channel_is_bounded() -> None:
    line = rules.Line()
    parts = [
        rules.Part(kind="down", title=f"{number}", text=f"{number}", at=NOW) for number in range(rules.MOST_WAITING + 9)
    ]
    rules.put(line, parts)
    assert (len(line.waiting), line.dropped, line.waiting[-1]) == (rules.MOST_WAITING, 9, parts[-1])


async def test_after_an_absence_it_says_from_when_to_when_and_what_waited() -> None:
    desk = Desk()
    await desk.needs()
    desk.fakes.clock.shift(36 * MINUTE)
    desk.fakes.watch.count = 214
    desk.restart()
    await desk.needs()
    (told,) = desk.way.got
    assert "wagate was away from" in told.title
    assert "(36 min)" in told.title
    assert "214 deliveries waited, and are being sent now." in told.text
    await desk.passes(10 * MINUTE)
    assert len(desk.way.got) == 1


@pytest.mark.parametrize(("settings", "soon"), [({}, 4.0), ({"at_once": ["down"]}, 0.5)])
async def test_what_was_wrong_before_an_absence_is_told_only_if_it_still_is(
    settings: dict[str, Any], soon: float
) -> None:
    desk = Desk(**settings)
    await desk.needs()
    wrong = need(since=desk.fakes.clock.now())
    desk.fakes.clock.shift(62 * 60 * MINUTE)
    desk.restart()
    await desk.needs(wrong)
    await desk.passes(soon * MINUTE)
    assert len(desk.way.got) == 1
    assert "does not answer" not in desk.way.got[0].title + desk.way.got[0].text
    await desk.passes(6 * MINUTE)
    assert desk.way.titles[1:] == ["Order bot does not answer"]


async def test_a_quick_restart_and_the_first_start_are_no_absence() -> None:
    desk = Desk()
    await desk.needs()
    desk.fakes.clock.shift(30)
    desk.restart()
    await desk.needs()
    assert desk.way.got == []


async def test_of_two_gateways_only_the_one_that_leads_tells() -> None:
    first = Desk(at_once=["down"])
    second = Desk(at_once=["down"])
    second.fakes.store.rows = first.fakes.store.rows
    second.fakes.watch.leads = False
    for desk in (first, second):
        await desk.needs(need())
    assert (len(first.way.got), len(second.way.got)) == (1, 0)
    first.fakes.watch.leads, second.fakes.watch.leads = False, True
    for desk in (first, second):
        await desk.passes(10 * MINUTE)
    assert (len(first.way.got), len(second.way.got)) == (1, 0)  # it was told already
    await second.needs()
    await second.passes(3 * MINUTE)
    assert second.way.titles == ["Over: Order bot does not answer"]


async def test_a_database_that_is_away_is_told_by_who_led() -> None:
    desk = Desk(at_once=["gateway"])
    await desk.needs()

    async def refused(_values: Any) -> None:
        raise StorageError("disk I/O error")

    desk.fakes.watch.leads = StorageError("disk I/O error")
    desk.fakes.store.set_all = refused  # type: ignore[method-assign]
    await desk.needs(need("wagate's database", "gateway", what="is unhealthy"))
    await desk.passes(5 * MINUTE)
    assert desk.way.titles == ["wagate's database is unhealthy"]


async def test_that_it_is_there_is_written_once_a_minute() -> None:
    desk = Desk()
    await desk.needs()
    first = desk.fakes.store.rows[THERE]
    await desk.passes(45)
    assert desk.fakes.store.rows[THERE] == first
    await desk.passes(30)
    assert desk.fakes.store.rows[THERE] > first


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"at_once": ["dwon"]}, "at_once: unknown kind 'dwon'"),
        ({"quiet": "10pm-7am"}, "quiet: '10pm-7am'"),
        ({"zone": "Europe/Berln"}, "zone: there is no time zone 'Europe/Berln'"),
        ({"zone": "../../etc/passwd"}, "zone: there is no time zone"),
        ({"channels": {}}, "needs a channel"),
    ],
)
def test_settings_that_mean_nothing_are_refused_by_key(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=re.escape(named)):
        Settings(**{"channels": PHONE} | settings)


@pytest.mark.parametrize(
    ("channel", "named"),
    [
        ({}, "one of the two"),
        ({"apprise": "ntfy://x", "account": "main"}, "one of the two"),
        ({"apprise": "not a secret-topic"}, "apprise: not a URL"),
        ({"account": "main"}, "to: is missing"),
        ({"account": "main", "to": ["0151 123"]}, "to: '0151 123' is not a number"),
        ({"apprise": "ntfy://x", "to": ["+12025550142"]}, "to: only with account"),
    ],
)
def test_a_channel_that_leads_nowhere_is_refused_without_its_secret(channel: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=re.escape(named)) as caught:
        Channel(**channel)
    assert "secret-topic" not in str(caught.value)
