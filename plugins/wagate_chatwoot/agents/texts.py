"""Texts that wagate writes in Chatwoot, by key and locale; people may put their own in place of any."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from wagate.errors import ConfigError

LOCALES: Final = ("en", "pt", "es", "de", "fr", "it", "id", "ar", "tr", "ru")
"""Those that come along, as ``locales/<locale>.toml``."""
NAMES: Final = {
    "en": "English",
    "pt": "Português",
    "es": "Español",
    "de": "Deutsch",
    "fr": "Français",
    "it": "Italiano",
    "id": "Bahasa Indonesia",
    "ar": "العربية",
    "tr": "Türkçe",
    "ru": "Русский",
}
"""In themselves."""
FALLBACK: Final = "en"
"""Has every key; it says which keys and placeholders there are."""
WHERE: Final = "plugins.chatwoot"
_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")


class Texts:
    """All texts of one locale: ``texts("status.loading", account="shop", percent=40)``."""

    def __init__(self, locale: str, templates: Mapping[str, str]) -> None:
        """``templates`` by key (``table.name``), every key of `FALLBACK` among them."""
        self.locale = locale
        self._templates = dict(templates)

    def __call__(self, key: str, **values: object) -> str:
        """One text with its placeholders filled in, without empty lines at its ends or where a value was ''.

        Values are put in as they are: braces in them mean nothing. KeyError: no such text, or a value is missing.
        """
        template = self._templates[key]
        lines = (_fill(line, values) for line in template.split("\n"))
        return "\n".join(line for line in lines if line is not None)


def text(locale: str, key: str, **values: object) -> str:
    """A text that comes along, without anybody's own."""
    return load_texts(locale)(key, **values)


def load_texts(locale: str, folder: str = "") -> Texts:
    """The texts of a locale: from ``<folder>/<locale>.toml``, else those that come along, else English.

    ``pt_BR`` and ``pt-BR`` (Chatwoot writes the first) are ``pt`` where they have no file of their own.

    Raises:
        ConfigError: there is no such locale, or a file in the folder can't be used; it names file and key.
    """
    own = own_texts(folder)
    language = locale.replace("_", "-").partition("-")[0]
    if language not in LOCALES and locale not in own:
        have = ", ".join(sorted({*LOCALES, *own}))
        raise ConfigError(f'{WHERE}: there are no texts for locale "{locale}"; there are: {have}')
    along = packaged(language) if language in LOCALES else {}
    return Texts(locale, {**packaged(FALLBACK), **along, **own.get(locale, own.get(language, {}))})


def own_texts(folder: str) -> dict[str, dict[str, str]]:
    """Somebody's own texts by locale; {} without a folder. ConfigError as `load_texts`, for all files in it."""
    if not folder:
        return {}
    place = Path(folder)
    if not place.is_dir():
        raise ConfigError(f'{WHERE}.templates: there is no folder "{folder}"')
    return {file.stem: _own(file) for file in sorted(place.glob("*.toml"))}


@cache
def packaged(locale: str) -> Mapping[str, str]:
    """Texts that come along, by key."""
    return dict(_flat(tomllib.loads((files(__package__) / "locales" / f"{locale}.toml").read_text("utf-8"))))


def placeholders(template: str) -> frozenset[str]:
    """Names in braces."""
    return frozenset(_PLACEHOLDER.findall(template))


def _own(file: Path) -> dict[str, str]:
    try:
        found = dict(_flat(tomllib.loads(file.read_text("utf-8"))))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file}: can't be read: {error}") from error
    known = packaged(FALLBACK)
    for key, template in found.items():
        if key not in known:
            raise ConfigError(f"{file}: {key}: there is no such text")
        if not isinstance(template, str):
            raise ConfigError(f"{file}: {key}: must be a text in quotes")
        if more := placeholders(template) - placeholders(known[key]):
            have = ", ".join(f"{{{name}}}" for name in sorted(placeholders(known[key]))) or "none"
            raise ConfigError(f"{file}: {key}: {{{min(more)}}} is not a placeholder of this text; use one of: {have}")
    return found


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _fill(line: str, values: Mapping[str, object]) -> str | None:
    """A line filled in; None when it has placeholders and nothing was put into any of them."""
    names = placeholders(line)
    filled = _PLACEHOLDER.sub(lambda match: str(values[match[1]]), line)
    return None if names and not any(str(values[name]) for name in names) else filled.rstrip()
