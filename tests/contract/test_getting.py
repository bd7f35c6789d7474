"""Who gets what happens on one number: endpoints by the table, all else by what connectors say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import pytest

from tests.contract import test_target_list
from tests.contract.test_target_list import ACME, OTHER
from tests.rows import NOW
from wagate.clock import Clock
from wagate.context.targets import TargetDesk
from wagate.events import Event
from wagate.hooks.contracts import Handler, Target, TargetName
from wagate.rules.targets import Standing
from wagate.storage.database import Database
from wagate.storage.deliveries.getting import endpoints_getting, targets_by_id
from wagate.storage.owners.directory import Account, Directory
from wagate.storage.owners.endpoints import NewWebhook, create_webhook

there = test_target_list.there

KINDS = frozenset({"message", "message.ack", "group.join"})


async def _hook(database: Database, name: str, number: str, *events: str) -> str:
    new = NewWebhook(
        client_id=ACME, phone_number=number, name=name, webhook_url="https://a.test", max_retries=3, events=[*events]
    )
    return (await database.write(create_webhook, "webhook", new, now=NOW)).id


async def test_endpoints_of_a_number_are_found_by_name_digits_and_kind_on_or_off(there: Database) -> None:
    by_name = await _hook(there, "1", "desk", "group.*")
    by_digits = await _hook(there, "2", "12025550142", "message.any")
    await _hook(there, "3", "back", "*")
    await _hook(there, "4", "*", "webhook.failing")
    found = await there.read(endpoints_getting, ACME, {"*", "desk", "12025550142"}, KINDS)
    mine = [row for row in found if row[1] not in {by_name, by_digits}]
    assert {connector for connector, _ in found} == {"webhook"}
    assert len(found) == len(mine) + 2 == 4, "bot, and gone, which is off"


async def test_targets_are_read_by_id_with_their_figures_and_none_of_another_client(there: Database) -> None:
    ids = ["n8n:down-acme", "n8n:down-other", "chatwoot:in/acme", "chatwoot:in/new"]
    found = await there.read(targets_by_id, ids, NOW, client_id=ACME)
    assert {row.id: (row.standing, row.waiting, row.unused) for row in found.values()} == {
        "n8n:down-acme": (Standing.DOWN, 0, False),
        "chatwoot:in/acme": (Standing.UP, 1, False),
        "chatwoot:in/new": (Standing.UP, 0, True),
    }
    gone = {f"{connector}:{id_}" for connector, id_ in await there.read(endpoints_getting, ACME, {"*"}, KINDS)}
    rows = (await there.read(targets_by_id, sorted(gone), NOW, client_id=ACME)).values()
    assert {row.name: row.standing for row in rows} == {"bot": Standing.UP, "gone": Standing.DISABLED}
    assert await there.read(targets_by_id, sorted(gone), NOW, client_id=OTHER) == {}


class _Live:
    """Whose account it is."""

    def __init__(self, *accounts: Account) -> None:
        self.now = Directory({}, {}, {}, {}, {each.id: each for each in accounts}, {}, {})


def _account(client: int) -> Account:
    return Account(
        id=f"a{client}",
        name="desk",
        client_id=client,
        tenant="",
        provider="session",
        phone="",
        metadata={},
        ignore={},
        webhook_secret="",
        source="api",
    )


@pytest.mark.parametrize("client", [ACME, OTHER])
async def test_connectors_whose_endpoints_the_table_has_are_not_asked_kind_by_kind(
    there: Database, client: int
) -> None:
    asked: list[str] = []

    def never(event: Event) -> Iterable[Target]:
        raise AssertionError(event.kind)

    def inboxes(event: Event) -> Iterable[Target]:
        asked.append(event.kind)
        return [Target(id="in/acme"), Target(id="in/new")] if event.kind == "message" else []

    handlers = {
        "webhook": Handler(name="webhook", targets=never),
        "chatwoot": Handler(name="chatwoot", targets=inboxes, describe=lambda own: TargetName(name=f"Inbox {own}")),
    }
    live = cast("Any", _Live(_account(client)))
    desk = TargetDesk(there, cast("Any", None), live, handlers, Clock())
    sending, found = await desk.getting(f"a{client}")
    assert (sending.id, sending.waiting) == (f"outbound:a{client}", 0)
    assert len(asked) == len(set(asked)) > 1
    assert sorted((row.name, row.standing, row.unused) for row in found) == [
        ("Inbox in/acme", Standing.UP, False),
        ("Inbox in/new", Standing.UP, True),
        ("bot", Standing.UP, False),
        ("gone", Standing.DISABLED, False),
    ]
    assert (await desk.getting("gone"))[1] == ()
