"""WAHA's environment: how it is reached, its webhook for all sessions, and what has no place here.

Source: https://waha.devlike.pro/docs/how-to/config/ and global.webhook.config of its core for how it reads them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from wagate.cli.errors import CommandError
from wagate.cli.imports.compose import Composed, address_of
from wagate.cli.imports.plan import EVERY, Left, Plan, is_true, proxy_url
from wagate.cli.imports.waha import ENGINE, SHORTEST, Header, Hmac, Hook, Retries, of_hook

PORT = "3000"
KEYS = ("WAHA_API_KEY_PLAIN", "WAHA_API_KEY", "WHATSAPP_API_KEY")
IGNORES = "WAHA_SESSION_CONFIG_IGNORE_"
PROXY = ("WHATSAPP_PROXY_SERVER", "WHATSAPP_PROXY_SERVER_USERNAME", "WHATSAPP_PROXY_SERVER_PASSWORD")
HOOK = "WHATSAPP_HOOK_"
HOOKS = (
    "URL",
    "EVENTS",
    "HMAC_KEY",
    "RETRIES_POLICY",
    "RETRIES_DELAY_SECONDS",
    "RETRIES_ATTEMPTS",
    "CUSTOM_HEADERS",
)
TAKEN = frozenset(
    {
        *KEYS,
        *PROXY,
        *(HOOK + each for each in HOOKS),
        *(IGNORES + each for each in ("STATUS", "GROUPS", "CHANNELS", "BROADCAST")),
        "WHATSAPP_START_SESSION",
        "WHATSAPP_API_PORT",
        "WHATSAPP_DEFAULT_ENGINE",
    }
)
REASONS: tuple[tuple[str, str], ...] = (
    ("WAHA_PRESENCE_AUTO_ONLINE", "wagate shows itself online only while it types"),
    ("WAHA_DASHBOARD_", "wagate's dashboard is at /ui/, and you sign in with a token"),
    ("WHATSAPP_SWAGGER_", "wagate's API is described at /docs"),
    ("WHATSAPP_FILES_LIFETIME", "is retention.media in config.toml"),
    ("WHATSAPP_SESSIONS_", "wagate keeps sessions in its own database: database.url"),
    ("WHATSAPP_DOWNLOAD_MEDIA", "wagate fetches every file, and keeps it for retention.media"),
    ("WHATSAPP_FILES_", "wagate keeps files in its data folder: see media in config.toml"),
    ("WAHA_MEDIA_", "wagate keeps files in its data folder: see media in config.toml"),
    ("WAHA_S3_", "wagate keeps files in its data folder: see media in config.toml"),
    ("WHATSAPP_RESTART_ALL_SESSIONS", "wagate connects its own numbers at every start"),
    ("WHATSAPP_START_ALL_SESSIONS", "wagate connects its own numbers at every start"),
    ("WAHA_WORKER_", "concerns WAHA's own process"),
    ("WAHA_AUTO_START_DELAY", "concerns WAHA's own process"),
    ("WAHA_PRINT_QR", "wagate pair shows the code"),
    ("WAHA_LOG_", "is log in config.toml"),
    ("WAHA_HTTP_LOG_", "is log in config.toml"),
    ("WAHA_APPS_", "WAHA's apps are connectors here, such as wagate chatwoot connect"),
    ("WAHA_CLIENT_", "the device name on the phone: settings.device of an account of wagate's own engine"),
    ("WAHA_BASE_URL", "is server.public_url in config.toml"),
    ("WAHA_PUBLIC_URL", "is server.public_url in config.toml"),
    ("WHATSAPP_API_HOSTNAME", "is server.public_url in config.toml"),
    ("WHATSAPP_API_SCHEMA", "is server.public_url in config.toml"),
    ("WHATSAPP_PROXY_", "one proxy for each account here: proxy of its table in config.toml, with wagate's own engine"),
)
"""The beginning of a variable's name → where that is here, or why it is not."""


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """What WAHA's environment says."""

    base_url: str
    """How it is reached, as far as the file says that."""
    api_key: str
    """'' when it has none, or only its hash is known."""
    hashed: bool
    """Only the key's hash is known."""
    hmac_key: str
    sessions: tuple[str, ...]
    ignore: dict[str, bool]
    proxy: str
    plan: Plan
    """Its webhook for all sessions, and what stays behind."""


def read_environment(service: Composed, engine: str) -> Environment:
    """All of it. CommandError names file and variable of what can't be understood."""
    given = service.environment
    key, hashed = _key(given)
    plan = _global_hook(service)
    names = [name.strip() for name in given.get("WHATSAPP_START_SESSION", "").split(",")]
    server, user, password = (given.get(name, "") for name in PROXY)
    return Environment(
        base_url=address_of(service, given.get("WHATSAPP_API_PORT") or PORT),
        api_key=key,
        hashed=hashed,
        hmac_key=hmac if len(hmac := given.get(HOOK + "HMAC_KEY", "")) >= SHORTEST else "",
        sessions=tuple(dict.fromkeys(filter(None, names))) or ("default",),
        ignore={
            name.removeprefix(IGNORES).lower(): is_true(value)
            for name, value in given.items()
            if name.startswith(IGNORES) and name in TAKEN
        },
        proxy=proxy_url(server, user, password) if server and engine == ENGINE else "",
        plan=msgspec.structs.replace(plan, left=(*plan.left, *_left(service, engine))),
    )


def _key(given: Mapping[str, str]) -> tuple[str, bool]:
    keys = [given[name] for name in KEYS if given.get(name)]
    plain = [key for key in keys if not re.match("sha(256|512):", key)]
    return (plain[0] if plain else "", bool(keys) and not plain)


def _global_hook(service: Composed) -> Plan:
    given = {name: service.environment.get(HOOK + name, "").strip() for name in HOOKS}
    if not given["URL"] or not given["EVENTS"]:
        alone = next((name for name in HOOKS if given[name]), "")
        why = f"{HOOK}URL and {HOOK}EVENTS must both be set: without, WAHA posts nothing either"
        return Plan(left=(Left(what=HOOK + alone, why=why),) if alone else ())
    hook = Hook(
        url=given["URL"],
        events=given["EVENTS"].split(","),
        hmac=Hmac(key=given["HMAC_KEY"]) if given["HMAC_KEY"] else None,
        retries=Retries(
            policy=given["RETRIES_POLICY"] or None,
            delay_seconds=_number(service, "RETRIES_DELAY_SECONDS"),
            attempts=_number(service, "RETRIES_ATTEMPTS"),
        ),
        custom_headers=_headers(service, given["CUSTOM_HEADERS"]),
    )
    return of_hook(hook, EVERY, "webhook for all sessions")


def _number(service: Composed, name: str) -> float | None:
    text = service.environment.get(HOOK + name, "").strip()
    if not text:
        return None
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text):
        raise CommandError(
            f"{service.file}: {HOOK}{name}: {text[:40]!r} is not a number; write digits, or leave it out"
        )
    return float(text)


def _headers(service: Composed, text: str) -> list[Header]:
    """``Name:value;Name:value``; a value is not shown, for it may be a secret."""
    found = []
    for number, part in enumerate(filter(str.strip, text.split(";")), 1):
        name, colon, value = part.partition(":")
        if not colon or not name.strip():
            raise CommandError(f"{service.file}: {HOOK}CUSTOM_HEADERS: header {number} has no colon; write Name:value")
        found.append(Header(name=name.strip(), value=value.strip()))
    return found


def _left(service: Composed, engine: str) -> list[Left]:
    found = list(service.left)
    if engine != ENGINE and 0 < len(service.environment.get(HOOK + "HMAC_KEY", "")) < SHORTEST:
        why = f"has fewer than {SHORTEST} characters: choose a longer one for the webhook that leads to wagate"
        found.append(Left(what=HOOK + "HMAC_KEY", why=why))
    for name in sorted(service.environment):
        if name not in TAKEN:
            why = next((why for start, why in REASONS if name.startswith(start)), "wagate does not know it")
            found.append(Left(what=name, why=why))
    if service.environment.get(PROXY[0]) and engine != ENGINE:
        found.append(Left(what=PROXY[0], why="stays in WAHA, which holds the connection"))
    if service.environment.get("WHATSAPP_DEFAULT_ENGINE"):
        why = "wagate has one engine" if engine == ENGINE else "stays in WAHA: wagate works with each of them"
        found.append(Left(what="WHATSAPP_DEFAULT_ENGINE", why=why))
    return found
