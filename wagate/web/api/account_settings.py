"""Settings of accounts as the API takes and shows them: checked by the provider's type, sealed, masked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from wagate.config.check import SHORTEST_SECRET
from wagate.config.vault import Vault
from wagate.errors import FieldError, UnprocessableError
from wagate.hooks.providers import Provider
from wagate.http.errors import HttpError
from wagate.plugins.account_settings import (
    WHERE,
    check_settings,
    masked,
    refuse_config_only,
    seal,
    short_secrets,
    unmasked,
    urls_in,
)
from wagate.plugins.registry import Providers

CheckUrl = Callable[[str], Awaitable[None]]
"""Raises HttpError when a URL that anyone may have written must not be asked."""


class AccountSettings:
    """What stands between a body's ``settings`` and the column of that name."""

    def __init__(self, providers: Providers, vault: Vault, check_url: CheckUrl) -> None:
        self.providers = providers
        """Those that there are."""
        self._vault = vault
        self._check_url = check_url

    async def sealed(
        self, provider: Provider, settings: Mapping[str, Any], stored: Mapping[str, Any], *, where: str = WHERE
    ) -> str:
        """Checked and encrypted for the table, in place of ``stored``.

        UnprocessableError names each wrong key as ``<where>.<key>``.
        """
        check_settings(provider, settings, where=where)
        refuse_config_only(provider, settings, stored, where=where)
        for field, url in urls_in(settings, where):
            try:
                await self._check_url(url)
            except HttpError as error:
                raise UnprocessableError(str(error), field=field) from error
        return seal(settings, self._vault.encrypt)

    def refuse_short(self, provider: Provider, settings: Mapping[str, Any], sealed: str = "") -> None:
        """UnprocessableError: a secret that somebody chose is too short. One that is stored so already may stay."""
        stored = self.opened(sealed)
        new = {name: value for name, value in settings.items() if value != stored.get(name)}
        if short := short_secrets(provider, new):
            cure = f"is too short; use at least {SHORTEST_SECRET} characters"
            errors = tuple(FieldError(field=f"{WHERE}.{name}", detail=cure) for name in short)
            raise UnprocessableError("; ".join(f"{each.field} {cure}" for each in errors), errors=errors)

    def opened(self, sealed: str) -> dict[str, Any]:
        """What was sealed."""
        settings: dict[str, Any] = msgspec.json.decode(self._vault.decrypt(sealed)) if sealed else {}
        return settings

    def shown(self, provider: str, sealed: str) -> dict[str, Any]:
        """For an answer: secrets masked."""
        return masked(self.providers.get(provider), self.opened(sealed))

    def changed(self, given: Mapping[str, Any], sealed: str) -> dict[str, Any]:
        """Stored settings with the given ones put in: masks keep what is stored, null takes a key away."""
        stored = self.opened(sealed)
        together = stored | unmasked(given, stored)
        return {name: value for name, value in together.items() if value is not None}
