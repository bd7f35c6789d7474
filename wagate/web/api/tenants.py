"""``…/tenants/{tenant_id}/whatsapp-settings``: through which providers a tenant's messages go (spec/003).

Its ``provider_config`` has the keys that every provider takes, beside its own.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, UnsetType
from quart import Blueprint

from wagate.clock import Clock
from wagate.config.check import SHORTEST_SECRET
from wagate.config.vault import Vault
from wagate.errors import UnprocessableError
from wagate.hooks.contracts import ClientView
from wagate.hooks.providers import Provider
from wagate.hooks.routes import acts_on, endpoint
from wagate.plugins.account_settings import check_sender, short_secrets, unmasked
from wagate.storage.database import Database
from wagate.storage.owners.live import LiveDirectory
from wagate.storage.owners.tenants import MOST, Wanted, account_name, put_tenant_accounts, tenant_accounts
from wagate.storage.rows import AccountRow
from wagate.web.access.identity import RequestAuth
from wagate.web.api.account_settings import AccountSettings
from wagate.web.api.accounts import Settings, Weight, digits

COMMON: Final = ("api_key", "api_secret", "phone_number_id", "webhook_verify_token")
"""Every provider accepts these (spec/003): as its own of another name, or without any use for them."""
PHONE: Final = "phone"
"""Beside the provider's own keys: our number."""
WHERE: Final = "provider_config"
PREFIXES = {"tenants": "/api/tenants", "routes_tenants": "/routes/tenants"}
"""Blueprint → where it is; the second is spec/003's."""


class OwnConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A ``provider_config`` in the provider's own words."""

    settings: dict[str, Any]
    phone: Any = UNSET
    """As given, unchecked; UNSET when nothing is said."""
    warnings: list[str] = []
    """Of keys that the provider has no use for."""


def read_config(
    provider: Provider, given: Mapping[str, Any], stored: Mapping[str, Any], *, where: str = WHERE
) -> OwnConfig:
    """A ``provider_config`` as the provider's own settings.

    Args:
        provider: whose settings they become.
        given: what a client wrote, masks included.
        stored: the provider's settings as they are, which masks stand for; of another provider: {}.
        where: names the fields in errors.

    Raises:
        UnprocessableError: a mask of something else; a key and its common name that say two things.
    """
    own_names = {field.encode_name for field in msgspec.structs.fields(provider.settings_type)}
    renamed = {name: own for name, own in provider.common_keys.items() if own != name and name not in own_names}
    phone: Any = UNSET if PHONE in own_names else given.get(PHONE, UNSET)
    own: dict[str, Any] = {}
    warnings = []
    for name, value in given.items():
        if name in renamed or (name == PHONE and PHONE not in own_names):
            continue
        if name in COMMON and name not in own_names:
            warnings.append(f"{where}.{name}: provider {provider.name} does not use it; it is not stored")
            continue
        own[name] = value
    plain = unmasked(own, stored, where=where)
    for name in (name for name in renamed if name in given):
        plain[renamed[name]] = _one(plain, (name, given[name]), renamed[name], stored, where=where)
    settings = {name: value for name, value in plain.items() if value is not None}
    return OwnConfig(settings=settings, phone=phone, warnings=warnings)


def _one(plain: Mapping[str, Any], common: tuple[str, Any], own: str, stored: Mapping[str, Any], *, where: str) -> Any:
    """The value of a common name and of the provider's own: of two that differ, the one that is new."""
    name, _ = common
    value = unmasked(dict([common]), {name: stored.get(own)}, where=where)[name]
    there = plain.get(own, value)
    if there in (value, stored.get(own)):
        return value
    if value == stored.get(own):
        return there
    raise UnprocessableError(
        f"{name} and {own} are the same setting with two values; keep one", field=f"{where}.{name}"
    )


def show_config(provider: Provider | None, shown: Mapping[str, Any], phone: str) -> dict[str, Any]:
    """Masked settings as ``provider_config``: by the provider's own keys, and the common ones that it takes."""
    common = {} if provider is None else provider.common_keys
    aliases = {name: shown[own] for name, own in common.items() if own in shown}
    return {**aliases, **shown, **({PHONE: phone} if phone and PHONE not in shown else {})}


class ProviderChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider of a tenant."""

    whatsapp_provider: str
    """Through whom its messages go."""
    provider_config: Settings = {}
    """The provider's own keys, or the common ones: api_key, api_secret, phone_number_id, webhook_verify_token; and
    ``phone``, our number. A mask as answered keeps what is stored."""
    weight: Weight = 1
    account: str | None = None
    """As answered; not read."""
    webhook_url: str | None = None
    """As answered; not read."""


class TenantBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tenant's provider, or a list of them."""

    tenant_id: str | None = None
    """The same as in the path, if it is said."""
    whatsapp_provider: str | None = None
    """The only provider; see ``providers`` for several."""
    provider_config: Settings | None = None
    """Of the only provider: its own keys, or the common ones."""
    weight: Weight = 1
    providers: Annotated[list[ProviderChoice], msgspec.Meta(max_length=MOST)] | None = None
    """Several providers that share the load by their weights and stand in for each other in this order. An empty list
    takes all away."""
    account: str | None = None
    """As answered; not read."""
    webhook_url: str | None = None
    """As answered; not read."""
    warnings: list[str] = []
    """As answered; not read."""


class ChosenProvider(msgspec.Struct, frozen=True, kw_only=True):
    """One stored provider of a tenant."""

    whatsapp_provider: str
    provider_config: dict[str, Any]
    """By the provider's own keys and the common ones; secrets as ``••••1234``."""
    weight: int
    """Its share of the tenant's messages."""
    account: str
    """The account that these settings are of."""
    webhook_url: str
    """To be given to the provider; a path as long as ``server.public_url`` is unset."""


class TenantAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's settings. The fields on top are those of the first provider."""

    tenant_id: str
    whatsapp_provider: str | None
    """null when nothing is set."""
    provider_config: dict[str, Any]
    """By the provider's own keys and the common ones; secrets as ``••••1234``."""
    weight: int
    """Its share of the tenant's messages."""
    account: str | None
    """The account that these settings are of."""
    webhook_url: str | None
    """To be given to the provider; a path as long as ``server.public_url`` is unset."""
    warnings: list[str]
    """Keys that the provider has no use for, and were not kept."""
    providers: list[ChosenProvider] | UnsetType = UNSET
    """All of them, in the order of fail-over, when there are several."""
    webhook_secrets: dict[str, str] | UnsetType = UNSET
    """Of accounts just made, by their names: what guards a webhook that has no signature. Shown this once."""


class Tenants:
    """Reads and writes a tenant's settings."""

    def __init__(
        self,
        auth: RequestAuth,
        database: Database,
        live: LiveDirectory,
        clock: Clock,
        settings: AccountSettings,
        *,
        vault: Vault,
        most: int,
    ) -> None:
        """``most`` is how many accounts a client may have."""
        self._auth = auth
        self._database = database
        self._live = live
        self._clock = clock
        self._settings = settings
        self._vault = vault
        self._most = most

    async def show(self, tenant_id: str) -> TenantAnswer:
        """What is set."""
        owner = self._auth.owner(tenant_id)
        return self._answer(owner.slug, await self._rows(owner), warnings=[])

    async def put(self, tenant_id: str, body: TenantBody) -> TenantAnswer:
        """Set it, at once."""
        owner = self._auth.owner(tenant_id)
        if body.tenant_id not in {None, owner.slug, str(owner.id)}:
            raise UnprocessableError("the path names a different tenant", field="tenant_id")
        choices = _choices(body)
        rows = {row.name: row for row in await self._rows(owner)}
        secret = {account_name(owner.slug, place): secrets.token_urlsafe(32) for place in range(len(choices))}
        wanted, warnings = [], []
        for place, choice in enumerate(choices):
            name = account_name(owner.slug, place)
            where = WHERE if body.providers is None else f"providers[{place}].{WHERE}"
            made, ignored = await self._wanted(choice, rows.get(name), where)
            wanted.append(msgspec.structs.replace(made, webhook_secret=self._vault.encrypt(secret[name])))
            warnings += ignored
        acts_on(owner.slug, owner=owner.id, detail=", ".join(choice.whatsapp_provider for choice in choices))
        new = await self._database.write(
            put_tenant_accounts, owner.id, owner.slug, wanted, now=self._clock.now(), most=self._most
        )
        await self._live.reload()
        answer = self._answer(owner.slug, await self._rows(owner), warnings=warnings)
        return msgspec.structs.replace(answer, webhook_secrets={name: secret[name] for name in new} or UNSET)

    async def _rows(self, owner: ClientView) -> list[AccountRow]:
        return await self._database.browse(tenant_accounts, owner.id, owner.slug)

    async def _wanted(self, choice: ProviderChoice, row: AccountRow | None, where: str) -> tuple[Wanted, list[str]]:
        try:
            provider = self._settings.providers.need(choice.whatsapp_provider)
        except UnprocessableError as error:
            raise UnprocessableError(str(error), field=f"{where.removesuffix(WHERE)}whatsapp_provider") from error
        stored = self._settings.opened(row.settings) if row is not None and row.provider == provider.name else {}
        config = read_config(provider, choice.provider_config, stored, where=where)
        check_sender(
            provider,
            config.settings,
            _phone(config.phone, where) or (row.phone if row is not None else ""),
            where=where,
        )
        made = Wanted(
            provider=provider.name,
            settings=await self._settings.sealed(provider, config.settings, stored, where=where),
            phone=_phone(config.phone, where),
            weight=choice.weight,
        )
        short = [
            f"{where}.{name} has fewer than {SHORTEST_SECRET} characters"
            for name in short_secrets(provider, config.settings)
        ]
        return made, [*config.warnings, *short]

    def _answer(self, tenant: str, rows: Sequence[AccountRow], *, warnings: list[str]) -> TenantAnswer:
        chosen = [self._chosen(row) for row in rows]
        first = chosen[0] if chosen else None
        return TenantAnswer(
            tenant_id=tenant,
            whatsapp_provider=first.whatsapp_provider if first else None,
            provider_config=first.provider_config if first else {},
            weight=first.weight if first else 1,
            account=first.account if first else None,
            webhook_url=first.webhook_url if first else None,
            warnings=warnings,
            providers=chosen if len(chosen) > 1 else UNSET,
        )

    def _chosen(self, row: AccountRow) -> ChosenProvider:
        providers = self._settings.providers
        shown = self._settings.shown(row.provider, row.settings)
        return ChosenProvider(
            whatsapp_provider=row.provider,
            provider_config=show_config(providers.get(row.provider), shown, row.phone),
            weight=row.weight,
            account=row.name,
            webhook_url=providers.webhook_url(row.name) or f"/webhooks/{row.name}",
        )


def tenants_routes(name: str, tenants: Tenants) -> Blueprint:
    """The routes at one of `PREFIXES`."""
    routes = Blueprint(name, __name__, url_prefix=PREFIXES[name])

    @routes.get("/<tenant_id>/whatsapp-settings")
    @endpoint(answers={200: TenantAnswer})
    async def show(tenant_id: str) -> TenantAnswer:
        """Through which providers a tenant's messages go; secrets come masked."""
        return await tenants.show(tenant_id)

    @routes.put("/<tenant_id>/whatsapp-settings")
    @endpoint(body=TenantBody, answers={200: TenantAnswer}, problems=(409,), act="change settings")
    async def put(tenant_id: str, body: TenantBody) -> TenantAnswer:
        """Set a tenant's provider, or a list of them; it takes effect at once.

        Its accounts are `<tenant>`, `<tenant>-2` and so on, in the order of the list; those beyond its end go.
        """
        return await tenants.put(tenant_id, body)

    return routes


def _choices(body: TenantBody) -> list[ProviderChoice]:
    """The providers that a body names, in order."""
    only = None
    if body.whatsapp_provider is not None:
        only = ProviderChoice(
            whatsapp_provider=body.whatsapp_provider, provider_config=body.provider_config or {}, weight=body.weight
        )
    if body.providers is None:
        if only is None:
            raise UnprocessableError("name a provider", field="whatsapp_provider")
        return [only]
    if only is not None and (not body.providers or _differ(only, body.providers[0])):
        raise UnprocessableError(
            "providers starts with a different provider; leave out one of the two", field="providers"
        )
    return body.providers


def _differ(one: ProviderChoice, other: ProviderChoice) -> bool:
    return (one.whatsapp_provider, one.provider_config, one.weight) != (
        other.whatsapp_provider,
        other.provider_config,
        other.weight,
    )


def _phone(given: Any, where: str) -> str | UnsetType:
    if isinstance(given, UnsetType):
        return given
    if not isinstance(given, str | None):
        raise UnprocessableError("a phone number must be a string", field=f"{where}.{PHONE}")
    try:
        return digits(given)
    except UnprocessableError as error:
        raise UnprocessableError(error.detail, field=f"{where}.{PHONE}") from error
