"""What an import wants: accounts, webhooks, what can't be taken over, what a person must do."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

EVERY = "*"
"""All numbers of the client."""
OURS = frozenset({"content-type", "user-agent", "content-length", "host"})
"""Headers that wagate sets itself, and that no receiver misses."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account that should be there."""

    name: str
    provider: str
    settings: dict[str, Any] = {}
    """The provider's own keys, secrets among them: they are sent, and never shown."""
    phone: str | None = None
    metadata: dict[str, Any] = {}
    ignore: dict[str, bool] = {}
    proxy: str = ""
    """Its URL. It is trusted only in config.toml, so a person must write it there."""
    detail: str = ""
    """About it, for people."""


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook that should be there."""

    account: str
    """The account's name, or `EVERY`."""
    url: str
    events: tuple[str, ...]
    format: str
    max_retries: int | None = None
    headers: dict[str, str] = {}
    """They are sent, and never shown."""
    secret: str | None = None
    new_secret: bool = False
    """It had a key that can't be a secret here: its receiver must learn the new one."""
    active: bool = True


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was not taken over."""

    what: str
    why: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    accounts: tuple[Account, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    left: tuple[Left, ...] = ()
    todo: tuple[str, ...] = ()
    """For a person to do, in this order."""


def joined(plans: Iterable[Plan]) -> Plan:
    """Several plans as one; webhooks of one account to one URL are one, for the events of all."""
    every = list(plans)
    accounts = {account.name: account for plan in every for account in plan.accounts}
    webhooks: dict[tuple[str, str], Webhook] = {}
    for hook in (hook for plan in every for hook in plan.webhooks):
        known = webhooks.get((hook.account, hook.url))
        events = tuple(dict.fromkeys([*known.events, *hook.events])) if known else hook.events
        webhooks[hook.account, hook.url] = msgspec.structs.replace(known or hook, events=events)
    return Plan(
        accounts=tuple(accounts.values()),
        webhooks=tuple(webhooks.values()),
        left=tuple(dict.fromkeys(left for plan in every for left in plan.left)),
        todo=tuple(dict.fromkeys(line for plan in every for line in plan.todo)),
    )


def bare(url: str) -> str:
    """A URL for people: without a user, a password or a query, which may be secrets."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "(no URL)"
    return urlunsplit((parts.scheme, host, parts.path, "…" if parts.query else "", ""))


def take_headers(given: Iterable[tuple[str, str]], what: str) -> tuple[dict[str, str], list[Left]]:
    """Headers to send along, without those that wagate sets itself."""
    headers = dict(given)
    ours = sorted(name for name in headers if name.lower() in OURS)
    kept = {name: value for name, value in headers.items() if name not in ours}
    return kept, [Left(what=f"{what}: header {name}", why="wagate sets it itself") for name in ours]


def is_true(value: Any) -> bool:
    """As WAHA reads its variables: ``true``, ``1`` and so on, in any case."""
    return str(value or "").strip().lower() in {"true", "1", "yes", "on", "y"}


def digits_of(jid: Any) -> str | None:
    """``15550000001:3@s.whatsapp.net`` → ``15550000001``; None: no phone number (a LID has none)."""
    text = str(jid or "")
    local, _, domain = text.partition("@")
    local = local.partition(":")[0].removeprefix("+")
    return local if local.isascii() and local.isdigit() and 5 <= len(local) <= 15 and domain != "lid" else None


def proxy_url(server: str, user: str = "", password: str = "") -> str:
    """A proxy as one URL; http when it names no protocol."""
    from urllib.parse import quote

    scheme, mark, rest = server.strip().partition("://")
    if not mark:
        scheme, rest = "http", server.strip()
    who = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    return f"{scheme}://{who}{rest}"


def toml_table(account: Account, env: Mapping[str, str], *, client: str = "default") -> str:
    """The account as a table of config.toml; ``env``: key → the variable that its secret is to come from."""
    own = {
        "client": client if client != "default" else "",
        "provider": account.provider,
        "phone": account.phone,
        **account.settings,
        "proxy": account.proxy,
        "ignore": account.ignore,
        "metadata": account.metadata,
    }
    values = {
        key: f"env:{env[key]}" if key in env else value for key, value in own.items() if value not in (None, "", {})
    }
    lines = (f"{key} = {_toml(each)}" for key, each in values.items())
    return "\n".join([f"[accounts.{_toml_key(account.name)}]", *lines])


def _toml_key(name: str) -> str:
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else _toml(name)


def _toml(value: Any) -> str:
    """JSON's types as TOML, which has no null."""
    import json

    match value:
        case dict():
            pairs = (f"{_toml_key(key)} = {_toml(each)}" for key, each in value.items() if each is not None)
            return f"{{ {', '.join(pairs)} }}"
        case list():
            return f"[{', '.join(_toml(each) for each in value if each is not None)}]"
    # Two things that TOML does not take and JSON does: half a surrogate pair, and DEL as it is.
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode().replace("\x7f", "\\u007f")


def connect_command(url: str, account_id: Any, *, account: str, client: str, inbox: str = "") -> str:
    """``wagate chatwoot connect …`` for the inbox of one account; the token comes from the environment."""
    table = re.sub("[^a-z0-9]+", "-", account.lower()).strip("-")[:40] or "support"
    words = ["wagate", "chatwoot", "connect", "--url", bare(url), "--token", "env:CHATWOOT_TOKEN"]
    number = str(account_id or "")
    words += ["--account-id", number] if number.isascii() and number.isdigit() else []
    words += ["--inbox-name", inbox] if inbox else []
    words += ["--name", table, "--account", account]
    words += ["--client", client] if client != "default" else []
    return shlex.join(words)
