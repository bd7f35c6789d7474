"""What plugins are given is theirs: what they write into it, nobody else sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.fake_provider import Pigeon
from tests.rows import event
from tests.unit.test_doctor_looks import account
from wagate.context.owners import Owners
from wagate.events import Event
from wagate.hooks import AccountView, Handler, OutMessage, Target
from wagate.inbound.route import Router
from wagate.outbound.choose import choose
from wagate.plugins.registry import Providers
from wagate.storage.owners.directory import build


class Live:
    """A directory with one account."""

    def __init__(self, **fields: object) -> None:
        self.now = build([], {}, [account(**fields)])


def test_a_plugin_that_writes_into_an_event_changes_it_for_nobody() -> None:
    metadata = {"team": {"name": "sales"}}
    came = event(extra={"group": {"name": "Office"}}, metadata=metadata)
    seen: list[Event] = []

    def vandal(given: Event) -> Iterator[Target]:
        given.extra["group"]["name"] = given.metadata["team"]["name"] = "mine"
        given.extra.clear()
        yield Target(id="x")

    def reader(given: Event) -> Iterator[Target]:
        seen.append(given)
        yield Target(id="y")

    router = Router(
        {name: Handler(name=name, targets=does) for name, does in {"vandal": vandal, "reader": reader}.items()},
        max_retries=3,
    )
    assert [route.target_id for route in router.routes(came)] == ["vandal:x", "reader:y"]
    assert seen == [came]
    assert came.extra == {"group": {"name": "Office"}}
    assert metadata == {"team": {"name": "sales"}}


def test_a_plugin_that_writes_into_an_accounts_metadata_changes_its_own_copy() -> None:
    live = Live(metadata={"team": {"name": "sales"}})
    owners = Owners(live)  # type: ignore[arg-type]
    for found in (owners.get("main"), *owners.of(1)):
        assert found is not None
        found.metadata["team"]["name"] = "mine"
    assert live.now.accounts["main"].metadata == {"team": {"name": "sales"}}


def test_a_plugin_that_chooses_an_account_changes_neither_message_nor_accounts() -> None:
    providers = Providers(public_url="")
    providers.add([Pigeon().provider()])
    accounts = [account(metadata={"a": [1]}), account(id="2", name="other", metadata={})]
    message = OutMessage(chat="1@c.us", type="text", text="hi", template={"name": "t"})

    def vandal(given: OutMessage, views: Sequence[AccountView]) -> str | None:
        assert given.template is not None
        given.template["name"] = "mine"
        views[0].metadata["a"].append(2)
        return None

    choose(message, accounts, own=None, providers=providers, choosers=[vandal])
    assert message.template == {"name": "t"}
    assert accounts[0].metadata == {"a": [1]}
