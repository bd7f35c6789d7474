"""An account's own settings for its provider: checked, masked for answers, unmasked when they come back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from wagate.config.check import SHORTEST_SECRET
from wagate.config.convert import convert
from wagate.config.problems import Problems
from wagate.config.sources import clean_secret
from wagate.config.units import Duration, Rate, Size
from wagate.errors import FieldError, UnprocessableError
from wagate.hooks.providers import Provider
from wagate.plugins.wall import broken

WHERE: Final = "settings"
"""The field of a body that the settings stand in, as errors name it."""
MASK: Final = "••••"
_SHOWN: Final = 4
"""Last characters of a secret that answers show, so that people can tell two apart."""
_LONG: Final = 12
"""Shorter secrets show nothing."""
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


class NoSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Of a provider that has nothing to set."""


def check_settings(provider: Provider, settings: Mapping[str, Any], *, where: str = WHERE) -> msgspec.Struct:
    """Settings as the provider's type. UnprocessableError names each wrong key as ``<where>.<key>``, and the cure."""
    problems = Problems("")
    bare = {
        name: _bare(value, (where, name), problems) if name in provider.secrets else value
        for name, value in settings.items()
    }
    try:
        typed = convert(provider.settings_type, bare, (where,), problems)
    except BaseException as error:
        raise broken(provider.name, "its settings", error) from error
    if problems.lines:
        faults = [line.removeprefix(": ").partition(": ") for line in problems.lines]
        errors = tuple(FieldError(field=field, detail=detail) for field, _, detail in faults)
        raise UnprocessableError("; ".join(f"{each.field} {each.detail}" for each in errors), errors=errors)
    assert isinstance(typed, msgspec.Struct)
    return typed


def check_sender(provider: Provider, settings: Mapping[str, Any], phone: str, *, where: str = WHERE) -> None:
    """UnprocessableError: nothing says which number sends, as the provider must be told (`Provider.sender_keys`)."""
    if not provider.sender_keys or phone or any(settings.get(name) for name in provider.sender_keys):
        return
    at = f"{where}." if where else ""
    cure = f"no number to send from: set {', '.join(f'{at}{name}' for name in provider.sender_keys)} or phone"
    raise UnprocessableError(cure, field=f"{at}{provider.sender_keys[0]}")


def refuse_config_only(
    provider: Provider, settings: Mapping[str, Any], stored: Mapping[str, Any], *, where: str = WHERE
) -> None:
    """UnprocessableError: a setting came by API that is trusted only in config.toml (`Provider.config_only`).

    One that is stored so already may stay: it is not what was asked for.
    """
    for name in sorted(provider.config_only):
        if (given := settings.get(name)) and given != stored.get(name):
            raise UnprocessableError(
                f"{where}.{name} can be set only in config.toml, in the account's table; here leave it out, or null",
                field=f"{where}.{name}",
            )


def short_secrets(provider: Provider, settings: Mapping[str, Any]) -> list[str]:
    """Names of secrets that people chose, and that are so short that others guess them; sorted."""
    return [
        name
        for name in sorted(provider.chosen)
        if isinstance(value := settings.get(name), str) and 0 < len(value.strip()) < SHORTEST_SECRET
    ]


def _bare(value: Any, key: tuple[str, ...], problems: Problems) -> Any:
    """Secrets without what is around them, at any depth."""
    match value:
        case Mapping():
            return {name: _bare(item, (*key, name), problems) for name, item in value.items()}
        case list():
            return [_bare(item, key, problems) for item in value]
        case str():
            if (found := clean_secret(value)) is not None:
                return type(value)(found)
            problems.add(key, "holds a control character (a line end in the middle?); a secret is one line")
            return ""
    return value


def storable(value: Any) -> Any:
    """Typed settings in JSON's types, which `check_settings` reads back as the same; what is unset is left out."""
    match value:
        case msgspec.Struct():
            fields = msgspec.structs.fields(type(value))
            given = {field.encode_name: getattr(value, field.name) for field in fields}
            return {name: storable(item) for name, item in given.items() if item is not None}
        case Duration() | Size() | Rate():
            return str(value)
        case Mapping():
            return {str(name): storable(item) for name, item in value.items()}
        case list() | tuple():
            return [storable(item) for item in value]
    return msgspec.to_builtins(value, enc_hook=str)


def seal(settings: Mapping[str, Any], encrypt: Callable[[str], str]) -> str:
    """Settings as they are stored: encrypted JSON, '' when there are none."""
    return encrypt(msgspec.json.encode(settings).decode()) if settings else ""


def masked(provider: Provider | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings for an answer: secrets as ``••••1234``; all of them when the provider is not there to say which."""
    return {
        name: _mask(value) if provider is None or name in provider.secrets else value
        for name, value in settings.items()
    }


def unmasked(given: Mapping[str, Any], stored: Mapping[str, Any], *, where: str = WHERE) -> dict[str, Any]:
    """What a client means by settings that it got masked: a mask stands for what is stored.

    Raises:
        UnprocessableError: a mask of something else.
    """
    return {name: _unmask(value, stored.get(name), f"{where}.{name}") for name, value in given.items()}


def urls_in(value: Any, where: str = WHERE) -> Iterator[tuple[str, str]]:
    """(field, URL) of every URL in settings."""
    match value:
        case Mapping():
            for name, item in value.items():
                yield from urls_in(item, f"{where}.{name}")
        case list():
            for item in value:
                yield from urls_in(item, where)
        case str() if _URL.match(value):
            yield where, value


def _mask(value: Any) -> Any:
    match value:
        case Mapping():
            return {name: _mask(item) for name, item in value.items()}
        case list():
            return [_mask(item) for item in value]
        case None | "" | bool():
            return value
    text = str(value)
    return MASK + (text[-_SHOWN:] if len(text) >= _LONG else "")


def _unmask(given: Any, stored: Any, where: str) -> Any:
    match given:
        case Mapping():
            known = stored if isinstance(stored, Mapping) else {}
            return {name: _unmask(item, known.get(name), f"{where}.{name}") for name, item in given.items()}
        case list():
            known_items = stored if isinstance(stored, list) else []
            places = [known_items[i] if i < len(known_items) else None for i in range(len(given))]
            return [_unmask(item, known, where) for item, known in zip(given, places, strict=True)]
        case str() if given.startswith(MASK):
            if given != _mask(stored):
                raise UnprocessableError("is masked but does not match the stored value; enter it in full", field=where)
            return stored
    return given
