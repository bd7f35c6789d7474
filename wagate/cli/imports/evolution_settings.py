"""Evolution API's environment: how it is reached, its webhook for all instances, and what has no place here.

Source: Evolution API 2.3.7, .env.example and src/config/env.config.ts.
"""

from __future__ import annotations

import msgspec

from wagate.cli.imports.compose import Composed, address_of
from wagate.cli.imports.evolution import global_hook
from wagate.cli.imports.plan import Left, Plan, is_true

PORT = "8080"
HOOK, EVENT = "WEBHOOK_GLOBAL_", "WEBHOOK_EVENTS_"
TAKEN = frozenset({"AUTHENTICATION_API_KEY", "SERVER_PORT", "SERVER_TYPE", "SERVER_NAME", "SERVER_URL"})
CHANNELS = ("RABBITMQ", "NATS", "KAFKA", "SQS", "PUSHER", "WEBSOCKET")
BOTS = ("TYPEBOT", "OPENAI", "DIFY", "FLOWISE", "EVOAI", "N8N")
REASONS: tuple[tuple[str, str], ...] = (
    ("SERVER_", "see server in config.toml"),
    ("AUTHENTICATION_", "see auth in config.toml"),
    ("DATABASE_", "wagate has a database of its own: database.url in config.toml"),
    ("CACHE_", "wagate brings its own Valkey: redis.url in config.toml"),
    *((f"{each}_", "wagate has webhooks, jobs and plugins") for each in CHANNELS),
    *((f"{each}_", "bots are n8n, your webhooks, or a plugin") for each in BOTS),
    ("CHATWOOT_", "an inbox needs your consent: wagate chatwoot connect"),
    ("S3_", "wagate keeps files in its data folder: see media in config.toml"),
    ("PROXY_", "one proxy for each account here: proxy of its table in config.toml"),
    ("WA_BUSINESS_", "is verify_token of an account with provider meta, in config.toml"),
    ("CONFIG_SESSION_PHONE_", "the device name on the phone: settings.device of the account"),
    ("QRCODE_", "wagate pair shows the code"),
    ("LOG_", "is log in config.toml"),
    ("CORS_", "is server.cors_origins in config.toml"),
    ("DEL_", "see retention in config.toml"),
    ("WEBHOOK_REQUEST_", "is timeout of the webhook"),
    ("WEBHOOK_RETRY_", "is max_retries of the webhook"),
)
"""The beginning of a variable's name → where that is here, or why it is not."""


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """What Evolution API's environment says."""

    url: str
    """How it is reached, as far as the file says that."""
    api_key: str
    """'' when it has none."""
    plan: Plan
    """Its webhook for all instances, and what stays behind."""


def read_environment(service: Composed) -> Environment:
    """All of it."""
    given = service.environment
    hook = _hook(given)
    left = [*service.left, *hook.left]
    for name in sorted(given):
        if name not in TAKEN and not name.startswith((HOOK, EVENT)):
            why = next((why for start, why in REASONS if name.startswith(start)), "wagate does not know it")
            left.append(Left(what=name, why=why))
    return Environment(
        url=address_of(service, given.get("SERVER_PORT") or PORT),
        api_key=given.get("AUTHENTICATION_API_KEY", ""),
        plan=msgspec.structs.replace(hook, left=tuple(left)),
    )


def _hook(given: dict[str, str]) -> Plan:
    url = given.get(f"{HOOK}URL", "").strip()
    if not url or not is_true(given.get(f"{HOOK}ENABLED", "")):
        why = f"{HOOK}ENABLED is not true: Evolution API posts nothing there either"
        return Plan(left=(Left(what=f"{HOOK}URL", why=why),) if url else ())
    events = [name.removeprefix(EVENT) for name, on in given.items() if name.startswith(EVENT) and is_true(on)]
    by_events = is_true(given.get(f"{HOOK}WEBHOOK_BY_EVENTS", ""))
    return global_hook({"enabled": True, "url": url, "events": events, "webhookByEvents": by_events})
