"""``provider_config``: the keys that every provider takes, beside its own. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET

from wagate.errors import UnprocessableError
from wagate.hooks.providers import Provider
from wagate.plugins.account_settings import unmasked

COMMON: Final = ("api_key", "api_secret", "phone_number_id", "webhook_verify_token")
"""Every provider accepts these (spec/003): as its own of another name, or without any use for them."""
PHONE: Final = "phone"
"""Beside the provider's own keys: our number."""
WHERE: Final = "provider_config"


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
            warnings.append(f"{where}.{name}: provider {provider.name} has no use for it; it is not kept")
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
