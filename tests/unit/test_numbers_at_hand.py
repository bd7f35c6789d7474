"""Whose number it is costs the same beside any number of accounts: they are looked through once for each change."""

from __future__ import annotations

from wagate.hooks import Provider, ProviderAccount
from wagate.inbound.numbers import Numbers
from wagate.plugins.account_settings import NoSettings
from wagate.plugins.registry import Providers
from wagate.storage.owners.directory import Account, Change, Client, Directory, build, changed

CLIENTS = [Client(id=1, slug="one", name="One"), Client(id=2, slug="two", name="Two")]


def account(name: str, client_id: int = 1) -> Account:
    """Its number is its phone."""
    return Account(
        id=f"id-{name}",
        name=name,
        client_id=client_id,
        tenant=str(client_id),
        provider="counted",
        phone=name,
        metadata={},
        ignore={},
        webhook_secret="",
        source="api",
    )


class World:
    def __init__(self) -> None:
        self.asked = 0
        self.mine = account("100")
        self.directory: Directory = build(CLIENTS, {}, [self.mine, *(account(str(n)) for n in range(101, 201))])
        providers = Providers(public_url="")
        providers.add(
            [Provider(name="counted", title="C", settings_type=NoSettings, secrets=frozenset(), number=self._number)]
        )
        self.numbers = Numbers(lambda: self.directory, providers)

    def _number(self, seen: ProviderAccount) -> str:
        self.asked += 1
        return seen.phone

    def put(self, new: Account) -> None:
        self.directory = changed(self.directory, Change(accounts={new.id: new}))


def test_accounts_are_looked_through_once() -> None:
    world = World()
    for _ in range(50):
        found = world.numbers.sibling(world.mine, "150")
        assert found is not None
        assert found.name == "150"
        assert world.numbers.sibling(world.mine, "999") is None
    assert world.asked == 101


def test_a_change_of_ones_own_accounts_is_seen_and_others_cost_nothing() -> None:
    world = World()
    assert world.numbers.sibling(world.mine, "300") is None
    world.put(account("300", client_id=2))
    assert world.numbers.sibling(world.mine, "300") is None
    assert world.asked == 101
    world.put(account("301"))
    found = world.numbers.sibling(world.mine, "301")
    assert found is not None
    assert found.name == "301"
    assert world.numbers.sibling(world.mine, "100") is None, "itself is no other"
