"""The providers that there are, and accounts as they see them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import msgspec

from wagate.errors import ConfigError, UnprocessableError
from wagate.hooks.providers import Provider, ProviderAccount
from wagate.storage.directory import Account


class Providers:
    """By name. Filled once, at start, before anything runs."""

    def __init__(self, *, public_url: str) -> None:
        """``public_url``: ``server.public_url``."""
        self._public_url = public_url.rstrip("/")
        self._providers: dict[str, Provider] = {}
        self._seen: dict[str, tuple[Account, ProviderAccount]] = {}

    def add(self, providers: Iterable[Provider]) -> None:
        """Make these available. ConfigError when a name is taken."""
        for provider in providers:
            if provider.name in self._providers:
                raise ConfigError(f"two plugins register a provider named {provider.name!r}; remove one of them")
            self._providers[provider.name] = provider

    @property
    def names(self) -> tuple[str, ...]:
        """What an account may name as its provider, sorted."""
        return tuple(sorted(self._providers))

    def get(self, name: str) -> Provider | None:
        """One provider; None for the core's own (``wagate``) and those no longer installed."""
        return self._providers.get(name)

    def need(self, name: str) -> Provider:
        """One provider. UnprocessableError names the nearest."""
        found = self._providers.get(name)
        if found is None:
            near = difflib.get_close_matches(name, self.names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f": {', '.join(self.names)}"
            raise UnprocessableError(f"no provider {name[:50]!r}{hint}", field="provider")
        return found

    def account(self, account: Account) -> ProviderAccount:
        """The account as its provider sees it; made once for each snapshot of it.

        Raises:
            UnprocessableError: its settings are not what the provider takes (an older version wrote them).
        """
        seen = self._seen.get(account.id)
        if seen is not None and seen[0] is account:
            return seen[1]
        provider = self.need(account.provider)
        made = ProviderAccount(
            name=account.name,
            phone=account.phone,
            settings=_settings(provider, account),
            webhook_secret=account.webhook_secret,
            webhook_url=f"{self._public_url}/webhooks/{account.name}" if self._public_url else "",
            trust="operator" if account.source == "config" else "public",
        )
        self._seen[account.id] = (account, made)
        return made


def _settings(provider: Provider, account: Account) -> msgspec.Struct:
    try:
        return msgspec.convert(dict(account.settings), provider.settings_type)
    except msgspec.ValidationError as error:
        raise UnprocessableError(f"account {account.name!r}: its {provider.name} settings: {error}") from error
