"""WAHA's sessions and settings as what they become here.

Sources: WAHA's OpenAPI document 2026.7.1 (SessionInfo, SessionConfig, WebhookConfig, App), and
https://waha.devlike.pro/docs/how-to/config/ and /docs/how-to/events/ for its variables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from wagate.cli.imports.plan import (
    EVERY,
    Account,
    Left,
    Plan,
    Webhook,
    bare,
    connect_command,
    digits_of,
    proxy_url,
    take_headers,
)
from wagate.errors import WagateError
from wagate.events import EVENT_KINDS
from wagate.events.kinds import GROUP_PREFIX

ENGINE = "whatsapp"
"""The provider that links the number to wagate itself."""
SAME = {"message.ack.group": "message.ack"}
NOT_EVENTS = {
    "poll.vote": "votes come as message, which you can ask for; in the format waha they are called poll.vote",
    "event.response": "answers come as message, which you can ask for; in the format waha they keep their name",
    "state.change": "session.status says the same",
    "engine.event": "wagate passes on what all providers have in common",
}
MOST_ATTEMPTS = 100
SHORTEST = 16
"""Characters of a key that guards a webhook, as `POST /api/accounts` wants it."""


class Hmac(msgspec.Struct, frozen=True, kw_only=True):
    """``hmac`` of a webhook."""

    key: str | None = None


class Retries(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``retries`` of a webhook."""

    policy: str | None = None
    delay_seconds: float | None = None
    attempts: float | None = None


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """One of ``customHeaders``."""

    name: str
    value: str


class Hook(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A webhook of a session, or of all of them."""

    url: str
    events: list[str] = []
    hmac: Hmac | None = None
    retries: Retries | None = None
    custom_headers: list[Header] | None = None


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session, as ``GET /api/sessions`` lists it."""

    name: str
    config: dict[str, Any] | None = None
    me: dict[str, Any] | None = None
    apps: list[dict[str, Any]] | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """How sessions are reached from here."""

    engine: str
    """`ENGINE`, or ``waha``: WAHA stays behind."""
    base_url: str
    api_key: str = ""
    hmac_key: str = ""
    """``hmac.key`` of the webhook that leads to wagate."""
    ignore: dict[str, bool] = {}
    """For sessions that say nothing of their own."""
    proxy: str = ""
    client: str = "default"


def of_session(session: Session, place: Place) -> Plan:
    """A session: its account, its webhooks and what stays behind."""
    config = dict(session.config or {})
    what = f"session {session.name}"
    left: list[Left] = []
    hooks = _hooks(config.pop("webhooks", None), what, left)
    proxy = _proxy(config.pop("proxy", None)) or place.proxy
    metadata, ignore = config.pop("metadata", None), config.pop("ignore", None)
    config.pop("debug", None)
    account = Account(
        name=session.name,
        provider=place.engine,
        settings=_settings(session, place, proxy, hooks, left),
        phone=digits_of((session.me or {}).get("id")),
        metadata=metadata if isinstance(metadata, dict) else {},
        ignore={key: True for key, on in _given(ignore, place.ignore).items() if on is True},
        proxy=proxy if place.engine == ENGINE else "",
        detail=f"session {session.name} of {bare(place.base_url)}"
        if place.engine != ENGINE
        else "linked to wagate itself",
    )
    left += [Left(what=f"{what}: {key}", why=_why(key, place)) for key, value in config.items() if value is not None]
    plans = [of_hook(hook, session.name, f"{what}: webhook {number}") for number, hook in enumerate(hooks, 1)]
    return Plan(
        accounts=(account,),
        webhooks=tuple(each for plan in plans for each in plan.webhooks),
        left=(*left, *(each for plan in plans for each in plan.left), *_apps(session, what)),
        todo=(*_todo(session, place, signed=bool(account.settings.get("hmac_key"))), *_chatwoot(session, place.client)),
    )


def _hooks(given: Any, what: str, left: list[Left]) -> list[Hook]:
    found = []
    for number, each in enumerate(given if isinstance(given, list) else [], 1):
        try:
            found.append(msgspec.convert(each, Hook, strict=False))
        except msgspec.ValidationError as error:
            left.append(Left(what=f"{what}: webhook {number}", why=f"is not as WAHA documents it: {error}"))
    return found


def _given(own: Any, default: Mapping[str, bool]) -> Mapping[str, Any]:
    """What a session ignores: its own words, where it has any."""
    given = {key: on for key, on in own.items() if on is not None} if isinstance(own, dict) else {}
    return {key: given.get(key, default.get(key)) for key in ("status", "groups", "channels", "broadcast")}


def _proxy(given: Any) -> str:
    if not isinstance(given, dict) or not given.get("server"):
        return ""
    return proxy_url(str(given["server"]), str(given.get("username") or ""), str(given.get("password") or ""))


def _settings(session: Session, place: Place, proxy: str, hooks: Sequence[Hook], left: list[Left]) -> dict[str, Any]:
    if place.engine == ENGINE:
        return {}
    if proxy:
        left.append(Left(what=f"session {session.name}: proxy", why="stays in WAHA, which holds the connection"))
    theirs = [hook.hmac.key for hook in hooks if hook.hmac and hook.hmac.key]
    hmac_key = place.hmac_key or next((key for key in theirs if len(key) >= SHORTEST), "")
    if theirs and not hmac_key:
        why = f"has fewer than {SHORTEST} characters: choose a longer one for the webhook that leads to wagate"
        left.append(Left(what=f"session {session.name}: hmac.key", why=why))
    settings = {"base_url": place.base_url, "session": session.name, "api_key": place.api_key, "hmac_key": hmac_key}
    return {key: value for key, value in settings.items() if value}


def _why(key: str, place: Place) -> str:
    if place.engine != ENGINE and key in {"noweb", "gows", "webjs", "client", "debug"}:
        return "stays in WAHA, which holds the connection"
    if key == "client":
        return "the device name on the phone: set settings.device of the account"
    return (
        "wagate's own connection has no such setting"
        if key in {"noweb", "gows", "webjs"}
        else "wagate does not know it"
    )


def _todo(session: Session, place: Place, *, signed: bool) -> tuple[str, ...]:
    if place.engine == ENGINE:
        return (f"link {session.name} to wagate: wagate pair {session.name}",)
    key = "the hmac.key that WAHA signs with already" if signed else "an hmac.key, which is also in settings.hmac_key"
    where = f"url https://<this gateway>/webhooks/{session.name}, events *, {key}"
    return (f"give WAHA's session {session.name} one more webhook: {where}; wagate doctor sees whether it leads here",)


def _apps(session: Session, what: str) -> list[Left]:
    """All of them; what becomes of Chatwoot's is `_chatwoot`."""
    found = []
    for app in session.apps or []:
        kind, state = str(app.get("app")), "" if app.get("enabled", True) else " (turned off)"
        why = {
            "chatwoot": "an inbox needs your consent: see the command below",
            "calls": "to reject calls, set reject_calls of an account of wagate's own engine; it sends no message",
            "mcp": "wagate has no MCP server",
        }.get(kind, "wagate does not know it")
        found.append(Left(what=f"{what}: app {kind}{state}", why=why))
    return found


def _chatwoot(session: Session, client: str) -> tuple[str, ...]:
    """Commands that connect the inboxes of a session."""
    lines = []
    for app in session.apps or []:
        config = app.get("config")
        if app.get("app") == "chatwoot" and app.get("enabled", True) and isinstance(config, dict):
            command = connect_command(
                str(config.get("url") or ""), config.get("accountId"), account=session.name, client=client
            )
            lines.append(f"turn WAHA's Chatwoot app of {session.name} off, then: {command}")
    return tuple(lines)


def of_hook(hook: Hook, account: str, what: str) -> Plan:
    """A webhook, with what of it stays behind."""
    left: list[Left] = []
    events = known_events(hook.events, what, left)
    if not events:
        why = "wagate has none of its events" if hook.events else "lists no events"
        return Plan(left=(Left(what=f"{what}, {bare(hook.url)}", why=why), *left))
    headers, ours = take_headers([(each.name, each.value) for each in hook.custom_headers or []], what)
    key = hook.hmac.key if hook.hmac else None
    retries = hook.retries or Retries()
    if retries.policy or retries.delay_seconds:
        left.append(Left(what=f"{what}: retries.policy, delaySeconds", why="wagate waits longer each time"))
    return Plan(
        webhooks=(
            Webhook(
                account=account,
                url=hook.url,
                events=tuple(events),
                format="waha",
                max_retries=None if not retries.attempts else max(1, min(int(retries.attempts), MOST_ATTEMPTS)),
                headers=headers,
                secret=key if key and is_secret(key) else None,
                new_secret=bool(key) and not is_secret(key or ""),
            ),
        ),
        left=(*left, *ours),
    )


def is_secret(key: str) -> bool:
    """Whether a key of WAHA's can be the secret of a webhook here."""
    from wagate.http.signing import is_plain, parse_secret

    if is_plain(key):
        return True
    try:
        parse_secret(key)
    except (WagateError, ValueError):
        return False
    return True


def known_events(given: Sequence[str], what: str, left: list[Left]) -> list[str]:
    """Those that wagate has; the others go to ``left``."""
    found: list[str] = []
    for each in (SAME.get(name.strip(), name.strip()) for name in given):
        if each == EVERY:
            found += ["*", "message.any"]  # WAHA's * has message.any, ours has not
        elif each in EVENT_KINDS or each.startswith(GROUP_PREFIX):
            found.append(each)
        elif each:
            left.append(Left(what=f"{what}: event {each}", why=NOT_EVENTS.get(each, "arrives as unknown, if at all")))
    return list(dict.fromkeys(found))
