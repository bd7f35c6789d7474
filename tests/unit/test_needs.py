"""What needs somebody: the rules, without a page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from wagate.events import SessionStatus
from wagate.hooks import NEEDS
from wagate.rules.targets import TargetState
from wagate.storage.deliveries.target_list import TargetRow
from wagate.storage.refusals import RefusedRow
from wagate.storage.rows import AccountRow
from wagate.web.api.doctor import DoctorLine
from wagate.web.health import Check, Level
from wagate.web.inbound.refusals import BODY, CHALLENGE, SIGNATURE
from wagate.web.ui.needs import LITTLE_FREE, Need, Weight, heading, needs, view

NOW = datetime(2025, 1, 20, 10, tzinfo=UTC)
DAY = 86400.0


def target(name: str = "Order bot", **fields: Any) -> TargetRow:
    return TargetRow(id=f"webhook:{name}", name=name, **fields)


def down(**fields: Any) -> TargetRow:
    state = TargetState(down_since=NOW - timedelta(hours=2), last_error="connection refused")
    return target(state=state, waiting=214, oldest_at=NOW - timedelta(hours=2), **fields)


def number(status: SessionStatus, **fields: Any) -> AccountRow:
    given: dict[str, Any] = {
        "id": "a", "name": "main", "client_id": 1, "tenant": "default", "provider": "waha", "phone": "", "settings": "",
        "webhook_secret": "", "metadata": {}, "ignore": {}, "source": "api", "message": "", "qr": None, "qr_at": None,
        "percent": None, "ever_connected": True, "weight": 1, "position": 0, "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    return AccountRow(**given | {"status": status} | fields)


def found(*targets: TargetRow, numbers: Any = (), checks: Any = (), free: int = LITTLE_FREE) -> list[Need]:
    return needs(targets, numbers, checks, free=free, recover=DAY, now=NOW)


def test_a_question_is_no_sentence_with_a_full_stop() -> None:
    (need,) = found(target(failed=30, state=TargetState(last_error="is app_secret the one of this app?")))
    assert need.detail.endswith("24 hours. Is app_secret the one of this app?")


def test_nobody_is_needed_when_all_is_well() -> None:
    seen = found(
        target(), numbers=[number(SessionStatus.SESSION_CONNECTED)], checks=[("redis", Check(status=Level.HEALTHY))]
    )
    assert (seen, heading(seen)) == ([], "All is well")


def test_a_receiver_that_is_down_says_what_waits_and_when_something_would_be_lost() -> None:
    (need,) = found(down())
    probe = "/ui/receivers/webhook:Order%20bot/probe"
    assert (need.what, need.act, need.post) == ("does not answer", "Try now", probe)
    assert need.detail == "Connection refused. 214 messages wait, in order. Nothing is lost for another 22 h."
    assert heading([need]) == "One thing needs you"


def test_a_number_that_its_provider_refuses_leads_to_the_field_that_mends_it() -> None:
    row = down()
    row.id, row.name = "outbound:a", "Sending from main"
    well = number(SessionStatus.INITIALIZING, created_at=NOW - timedelta(days=9))
    given: dict[str, Any] = {"free": LITTLE_FREE, "recover": DAY, "now": NOW}
    (need,) = needs([row], [well], (), stopped=["a"], **given)
    assert (need.weight, need.who, need.what) == (Weight.NUMBER, "main", "is refused by its provider")
    assert (need.act, need.mend, need.link) == ("Mend it", "/ui/numbers/main#trouble", "/ui/numbers/main")
    assert "214 messages wait" in need.detail
    (phone,) = needs([row], [well], (), stopped=["a"], listening=["waha"], **given)
    assert phone.mend == "/ui/numbers/main"  # a linked phone has no settings that mend it
    (away,) = needs([row], [well], (), stopped=(), **given)
    assert (away.weight, away.who) == (Weight.DOWN, "Sending from main")
    lost = number(SessionStatus.AUTH_FAILURE)  # what is not linked says so once
    assert [each.what for each in needs([row], [lost], (), stopped=["a"], **given)] == [
        "does not answer",
        "was refused",
    ]


def test_a_pause_is_nobodys_trouble() -> None:
    row = down()
    row.state = TargetState(paused_at=NOW, down_since=NOW)
    assert found(row) == []


@pytest.mark.parametrize(("failed", "done", "counts"), [
    (0, 0, False), (1, 0, True), (1, 98, True), (1, 99, False), (20, 1979, True), (20, 1980, False), (21, 90_000, True),
])  # fmt: skip
def test_failures_are_worth_a_look_when_they_are_many_or_many_of_what_came(
    failed: int, done: int, *, counts: bool
) -> None:
    for state in (TargetState(), TargetState(failing_since=NOW)):
        assert bool(found(target(failed=failed, done=done, state=state))) is counts


@pytest.mark.parametrize(
    ("status", "ever", "counts"),
    [
        (SessionStatus.SESSION_NOT_CONNECTED, True, True),
        (SessionStatus.AUTH_FAILURE, True, True),
        (SessionStatus.QR_GENERATED, True, True),
        (SessionStatus.LOADING, True, False),
        (SessionStatus.SESSION_CONNECTED, True, False),
        (SessionStatus.INITIALIZING, False, False),
    ],
)
def test_a_number_that_was_connected_and_is_not(status: SessionStatus, ever: bool, counts: bool) -> None:
    old = NOW - timedelta(days=30)
    assert bool(found(numbers=[number(status, ever_connected=ever, created_at=old)])) is counts


@pytest.mark.parametrize(
    ("status", "hours", "counts"),
    [
        (SessionStatus.QR_GENERATED, 1, True),
        (SessionStatus.SESSION_NOT_CONNECTED, 23, True),
        (SessionStatus.SESSION_NOT_CONNECTED, 24, False),
        (SessionStatus.INITIALIZING, 1, False),
    ],
)
def test_a_number_that_never_was_connected_counts_while_it_is_new(
    status: SessionStatus, hours: float, *, counts: bool
) -> None:
    new = number(status, ever_connected=False, created_at=NOW - timedelta(hours=hours), message="QR expired")
    seen = found(numbers=[new])
    assert [(each.act, each.mend) for each in seen] == [("Link it", "/ui/numbers/main/first")] * counts


def test_a_number_without_a_message_says_what_it_costs() -> None:
    (need,) = found(numbers=[number(SessionStatus.SESSION_NOT_CONNECTED)])
    assert need.detail == "It receives and sends nothing."


def test_what_is_worst_comes_first() -> None:
    off = target("Old shop", active=False, waiting=3)
    seen = found(off, down(), free=1000, checks=[("redis", Check(status=Level.DEGRADED, detail="away"))])
    assert [each.who for each in seen] == ["This machine's disk", "wagate's redis", "Order bot", "Old shop"]


@pytest.mark.parametrize(("days", "counts"), [(None, False), (7.0, False), (7.1, True)])
def test_a_backup_that_is_old_needs_somebody_and_one_that_never_was_does_not(
    days: float | None, *, counts: bool
) -> None:
    made = None if days is None else NOW - timedelta(days=days)
    seen = needs((), (), (), free=LITTLE_FREE, recover=DAY, now=NOW, backup=made)
    assert [f"{each.who} {each.what}" for each in seen] == ["The newest backup is 7 days old"] * counts


def test_for_plugins_each_thing_has_a_key_and_a_kind_of_its_own() -> None:
    low = Check(status=Level.DEGRADED, detail="away")
    seen = [view(each) for each in found(down(), checks=[("redis", low), ("consumers", low)], free=1000)]
    assert {each.kind for each in seen} <= set(NEEDS)
    assert [each.kind for each in seen] == ["gateway", "gateway", "gateway", "down"]
    assert len({each.key for each in seen}) == len(seen)
    assert seen[-1].page == "/ui/receivers/webhook:Order%20bot"


def test_the_kinds_for_plugins_are_all_there_are() -> None:
    assert tuple(each.name.lower() for each in Weight) == NEEDS


def line(part: str, what: str = "token", **fields: str) -> DoctorLine:
    return DoctorLine(level="fail", part=part, what=what, detail="the provider refuses it", **fields)


def test_what_the_doctor_fails_in_is_told_once_for_each_part_and_not_what_another_rule_knows() -> None:
    failing = [line("account main", next_step="set a new one"), line("account main", "reachable"), line("sending")]
    seen = needs((), (), (), free=LITTLE_FREE, recover=DAY, now=NOW, failing=[*failing, line("clock", "time")])
    assert [(each.who, each.detail) for each in seen] == [
        ("Account main", "Token: the provider refuses it. Set a new one. And 1 thing more."),
        ("Clock", "Time: the provider refuses it."),
    ]
    assert {each.link for each in seen} == {"/ui/doctor"}
    assert [each.mend for each in seen] == ["/ui/numbers/main#trouble", ""]
    well = number(SessionStatus.SESSION_CONNECTED)
    linked = needs((), [well], (), free=LITTLE_FREE, recover=DAY, now=NOW, failing=failing, listening=["waha"])
    assert [each.mend for each in linked] == ["/ui/numbers/main"]
    assert len({view(each).key for each in seen}) == 2


def test_refused_webhooks_lead_to_where_the_secret_is_set() -> None:
    row = RefusedRow(
        account_id="a", account="main", tenant="default", provider="meta", reason=SIGNATURE, in_a_row=3, times=3,
        detail="the signature is wrong", first_at=NOW, last_at=NOW,
    )  # fmt: skip
    (need,) = needs((), (), (), free=LITTLE_FREE, recover=DAY, now=NOW, refused=[row])
    assert (need.act, need.mend, need.link) == ("Mend it", "/ui/numbers/main#trouble", "/ui/numbers/main")


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        ({SIGNATURE: 2}, ""),
        ({CHALLENGE: 3}, "3 in a row. Compare the verify token here with the provider's."),
        ({BODY: 1000}, "1,000 in a row. Is it the number's provider that posts them?"),
        ({SIGNATURE: 1, BODY: 1, CHALLENGE: 1}, "3 in a row. Compare the secret here with the provider's."),
    ],
)
def test_refused_webhooks_count_for_whatever_reason_and_once_for_a_number(refused: dict[str, int], said: str) -> None:
    rows = [
        RefusedRow(
            account_id="a", account="main", tenant="default", provider="meta", reason=reason, in_a_row=count,
            times=count, detail="", first_at=NOW, last_at=NOW + timedelta(seconds=len(reason)),
        )
        for reason, count in refused.items()
    ]  # fmt: skip
    found = needs((), (), (), free=LITTLE_FREE, recover=DAY, now=NOW, refused=rows)
    assert [each.detail for each in found] == [said] * bool(said)
    nothing = set(refused) == {BODY}
    assert [each.mend for each in found] == ["" if nothing else "/ui/numbers/main#trouble"] * bool(said)
