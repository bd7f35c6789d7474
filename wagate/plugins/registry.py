"""The providers that there are, and accounts as they see them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import NoReturn

import structlog

from wagate.errors import ConfigError, NotFoundError, PluginError, UnprocessableError
from wagate.hooks.providers import InboundRequest, Provider, ProviderAccount, SendLimits
from wagate.plugins.account_settings import NoSettings, check_settings
from wagate.storage.owners.directory import Account

log = structlog.get_logger("wagate.plugins")


def _elsewhere(_request: InboundRequest, account: ProviderAccount) -> NoReturn:
    raise NotFoundError(f"account {account.name!r} uses the engine format: post to /webhook/inbound")


ENGINE = Provider(
    name="engine",
    title="The engine's own format",
    settings_type=NoSettings,
    secrets=frozenset(),
    verify=_elsewhere,
    parse=_elsewhere,
    challenge=_elsewhere,
)
"""Accounts that ``POST /webhook/inbound`` brings: nothing to set, and nothing to send through."""
SESSION = Provider(name="session", title="Session engine", settings_type=NoSettings, secrets=frozenset(), sessions=True)
"""Taken in by the core itself; sends when a plugin registers a provider of this name."""


class Providers:
    """By name. Filled once, at start, before anything runs."""

    def __init__(self, *, public_url: str) -> None:
        """``public_url``: ``server.public_url``."""
        self._public_url = public_url.rstrip("/")
        self._providers: dict[str, Provider] = {ENGINE.name: ENGINE, SESSION.name: SESSION}
        self._unusable: dict[str, str] = {}
        self._seen: dict[str, tuple[Account, ProviderAccount]] = {}

    def add(self, providers: Iterable[Provider]) -> None:
        """Make these available. ConfigError when a name is taken."""
        for provider in providers:
            if self._providers.get(provider.name, SESSION) is not SESSION:
                raise ConfigError(f"two plugins register a provider named {provider.name!r}; remove one of them")
            self._providers[provider.name] = provider

    def replace(self, provider: Provider) -> None:
        """Put this one in the place of the one of its name."""
        self._providers[provider.name] = provider

    def set_aside(self, name: str, reason: str) -> None:
        """Note why a provider that is installed can't be used; only who names it is told."""
        self._unusable[name] = reason

    @property
    def unusable(self) -> Mapping[str, str]:
        """Providers that are installed and can't be used, and why."""
        return self._unusable

    @property
    def names(self) -> tuple[str, ...]:
        """What an account may name as its provider, sorted."""
        return tuple(sorted(self._providers))

    @property
    def all(self) -> tuple[Provider, ...]:
        """Those that there are, by name."""
        return tuple(self._providers[name] for name in self.names)

    def get(self, name: str) -> Provider | None:
        """One provider; None for those no longer installed."""
        return self._providers.get(name)

    def need(self, name: str) -> Provider:
        """One provider. UnprocessableError names the nearest, or says why this one can't be used."""
        found = self._providers.get(name)
        if name in self._unusable and (found is None or found is SESSION):
            raise UnprocessableError(
                f"the plugin of provider {name!r} can't be used: {self._unusable[name]}", field="provider"
            )
        if found is None:
            near = difflib.get_close_matches(name, self.names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f": {', '.join(self.names)}"
            raise UnprocessableError(f"no provider {name[:50]!r}{hint}", field="provider")
        return found

    def account(self, account: Account) -> ProviderAccount:
        """The account as its provider sees it; made once for each snapshot of it.

        Raises:
            UnprocessableError: its settings are not what the provider takes (an older version wrote them), or its
                provider is not there.
        """
        seen = self._seen.get(account.name)
        if seen is not None and seen[0] is account:
            return seen[1]
        provider = self.need(account.provider)
        made = ProviderAccount(
            name=account.name,
            phone=account.phone,
            settings=check_settings(provider, account.settings),
            webhook_secret=account.webhook_secret,
            webhook_url=self.webhook_url(account.name),
            trust="operator" if account.source == "config" else "public",
            id=account.id,
        )
        self._seen[account.name] = (account, made)
        return made

    def number(self, account: Account) -> str:
        """The provider's own id of the account's number; '' when it has none, or the account can't be used."""
        try:
            return self.need(account.provider).number(self.account(account))
        except UnprocessableError:
            return ""
        except PluginError as error:
            log.exception("number not known", plugin=error.plugin, account=account.name, error=error.what)
            return ""

    def limits(self, account: Account) -> SendLimits:
        """How fast the account may send; as its provider's others where its settings can't be read."""
        provider = self.need(account.provider)
        if provider.limits_of is None:
            return provider.limits
        try:
            return provider.limits_of(self.account(account))
        except UnprocessableError:
            return provider.limits
        except PluginError as error:
            log.exception("limits not known", plugin=error.plugin, account=account.name, error=error.what)
            return provider.limits

    def webhook_url(self, name: str) -> str:
        """Where the account's provider posts to; '' without ``server.public_url``."""
        return f"{self._public_url}/webhooks/{name}" if self._public_url else ""
