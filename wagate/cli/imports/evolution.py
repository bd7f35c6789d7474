"""Evolution API's instances as what they become here.

Sources: Evolution API 2.3.7, prisma/postgresql-schema.prisma (Instance, Setting, Proxy, Webhook, Chatwoot), and its
controllers of instances, webhooks and Chatwoot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from wagate.cli.errors import CommandError
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
from wagate.cli.imports.site import Site, segment

BAILEYS, BUSINESS = "WHATSAPP-BAILEYS", "WHATSAPP-BUSINESS"
GROUPS = ("group.*",)
EVENTS: dict[str, tuple[str, ...]] = {
    "MESSAGES_UPSERT": ("message", "message.any", "message.reaction"),
    "SEND_MESSAGE": ("message.any",),
    "MESSAGES_UPDATE": ("message.ack",),
    "MESSAGES_EDITED": ("message.edited",),
    "MESSAGES_DELETE": ("message.revoked",),
    "CONNECTION_UPDATE": ("session.status",),
    "QRCODE_UPDATED": ("session.status",),
    "CALL": ("call.received", "call.accepted", "call.rejected"),
    "PRESENCE_UPDATE": ("presence.update",),
    "GROUPS_UPSERT": GROUPS,
    "GROUP_UPDATE": GROUPS,
    "GROUP_PARTICIPANTS_UPDATE": GROUPS,
}
CHANNELS = ("Rabbitmq", "Nats", "Sqs", "Kafka", "Pusher", "Websocket")
SETTINGS = {
    "msgCall": "wagate sends no message when it rejects a call",
    "alwaysOnline": "wagate shows itself online only while it types",
    "readMessages": "mark messages as read with POST /api/sendSeen, or in Chatwoot",
    "readStatus": "wagate does not mark stories as seen",
    "syncFullHistory": "set settings.history of the account, such as 30d, before you link it",
    "wavoipToken": "wagate makes no calls",
}
CHATWOOT = {
    "signMsg": "is signature of the inbox's table in config.toml",
    "signDelimiter": "belongs to signature of the inbox's table",
    "reopenConversation": "is conversations.mode of the inbox's table: reuse or new",
    "conversationPending": "see conversations in the reference of Chatwoot",
    "importContacts": "run wagate chatwoot pull contacts when the inbox is connected",
    "importMessages": "run wagate chatwoot pull messages when the inbox is connected",
    "ignoreJids": "is ignore of the account, for kinds of chats",
}


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``GET /instance/fetchInstances``; its token is not read."""

    name: str
    integration: str | None = None
    number: str | None = None
    owner: str | None = msgspec.field(default=None, name="ownerJid")
    setting: dict[str, Any] | None = msgspec.field(default=None, name="Setting")
    proxy: dict[str, Any] | None = msgspec.field(default=None, name="Proxy")
    business: str | None = msgspec.field(default=None, name="businessId")


def read_evolution(site: Site, client: str) -> list[Plan]:
    """A plan for each instance. CommandError: what it answers can't be understood, or is of version 1."""
    rows = site.get("/instance/fetchInstances", list[dict[str, Any]])
    if any(isinstance(row.get("instance"), dict) for row in rows):
        raise CommandError(
            f"{site.where} is Evolution API 1: wagate reads version 2; update it, or add the accounts manually"
        )
    plans = []
    for number, row in enumerate(rows):
        try:
            instance = msgspec.convert(row, Instance)
        except msgspec.ValidationError as error:
            raise CommandError(f"{site.where}/instance/fetchInstances, row {number + 1}: {error}") from error
        plans.append(_of_instance(site, instance, row, client))
    return plans


def _of_instance(site: Site, instance: Instance, row: dict[str, Any], client: str) -> Plan:
    what = f"instance {instance.name}"
    hook = site.find(f"/webhook/find/{segment(instance.name)}", dict[str, Any] | None)  # type: ignore[arg-type]
    inbox = site.find(f"/chatwoot/find/{segment(instance.name)}", dict[str, Any] | None)  # type: ignore[arg-type]
    left = [
        Left(what=f"{what}: {each}", why="wagate has webhooks, jobs and plugins") for each in CHANNELS if _on(row, each)
    ]
    account = _account(instance, what, left)
    webhooks = _webhooks(instance.name, hook or {}, what, left) if account else ()
    if hook and not account and hook.get("enabled"):
        left.append(Left(what=f"{what}: webhook", why="needs the account first; run this again once it exists"))
    todo = list(_todo(instance, account))
    if webhooks:
        todo.append(_teach(instance.name))
    if inbox and inbox.get("enabled"):
        todo.append(_inbox(instance, inbox, client, what, left))
    return Plan(accounts=(account,) if account else (), webhooks=webhooks, left=tuple(left), todo=tuple(todo))


def _on(row: dict[str, Any], name: str) -> bool:
    table = row.get(name)
    return isinstance(table, dict) and bool(table.get("enabled"))


def _account(instance: Instance, what: str, left: list[Left]) -> Account | None:
    """An account that the number can be linked to; None: it is reached in another way."""
    kind = instance.integration or BAILEYS
    if kind != BAILEYS:
        why = {
            BUSINESS: "Meta's app secret is needed, which Evolution API does not have: see below",
        }.get(kind, "this channel is not WhatsApp; wagate has POST /webhook/inbound for other channels")
        left.append(Left(what=f"{what} ({kind})", why=why))
        return None
    given = instance.setting or {}
    left += [Left(what=f"{what}: {key}", why=why) for key, why in SETTINGS.items() if given.get(key)]
    settings: dict[str, Any] = {"reject_calls": True} if given.get("rejectCall") else {}
    return Account(
        name=instance.name,
        provider="whatsapp",
        settings=settings,
        phone=digits_of(instance.owner) or digits_of(instance.number),
        ignore={"groups": True} if given.get("groupsIgnore") else {},
        proxy=_proxy(instance.proxy or {}, what, left),
        detail="linked to wagate itself",
    )


def _proxy(given: dict[str, Any], what: str, left: list[Left]) -> str:
    if not given.get("enabled") or not given.get("host"):
        return ""
    protocol = str(given.get("protocol") or "http").lower()
    if protocol not in {"http", "https", "socks5"}:
        left.append(Left(what=f"{what}: proxy", why=f"{protocol[:20]} is not one of http, https and socks5"))
        return ""
    port = f":{given['port']}" if given.get("port") else ""
    server = f"{protocol}://{given['host']}{port}"
    return proxy_url(server, str(given.get("username") or ""), str(given.get("password") or ""))


def global_hook(hook: dict[str, Any]) -> Plan:
    """The webhook for all instances, as ``/webhook/find`` would show it."""
    left: list[Left] = []
    webhooks = _webhooks(EVERY, hook, "webhook for all instances", left)
    todo = (_teach("the webhook for all instances"),) if webhooks else ()
    return Plan(webhooks=webhooks, left=tuple(left), todo=todo)


def _teach(whose: str) -> str:
    return (
        f"teach the receivers of {whose} wagate's body (docs/coming-from-evolution.md), then turn them on: "
        "wagate webhooks list, wagate webhooks set ID is_active=true"
    )


def _webhooks(account: str, hook: dict[str, Any], what: str, left: list[Left]) -> tuple[Webhook, ...]:
    if not hook.get("enabled") or not hook.get("url"):
        return ()
    url, given = str(hook["url"]), hook.get("events")
    names = [str(each) for each in given] if isinstance(given, list) else []
    left += [Left(what=f"{what}: event {name}", why="wagate has no such event") for name in names if name not in EVENTS]
    if not (events := tuple(dict.fromkeys(each for name in names for each in EVENTS.get(name, ())))):
        left.append(Left(what=f"{what}: webhook {bare(url)}", why="wagate has none of its events"))
        return ()
    if hook.get("webhookByEvents"):
        left.append(Left(what=f"{what}: webhookByEvents", why="all events come to one URL, with their name in event"))
    if hook.get("webhookBase64"):
        left.append(Left(what=f"{what}: webhookBase64", why="files are links in media.url, which need no token"))
    return (
        Webhook(
            account=account,
            url=url,
            events=events,
            format="flat",
            headers=_headers(hook, what, left),
            active=False,
        ),
    )


def _headers(hook: dict[str, Any], what: str, left: list[Left]) -> dict[str, str]:
    given = hook.get("headers")
    pairs = [(str(name), str(value)) for name, value in given.items()] if isinstance(given, dict) else []
    if any(name == "jwt_key" for name, _ in pairs):
        left.append(Left(what=f"{what}: jwt_key", why="wagate signs every webhook; its secret replaces this"))
    headers, ours = take_headers([pair for pair in pairs if pair[0] != "jwt_key"], what)
    left += ours
    return headers


def _todo(instance: Instance, account: Account | None) -> Sequence[str]:
    if account:
        return [f"link {instance.name} to wagate: wagate pair {instance.name}"]
    if instance.integration != BUSINESS:
        return []
    number = instance.number or "…"
    line = f"add {instance.name} to config.toml with provider meta, phone_number_id {number}, its access_token, "
    return [line + "the app_secret of your app and a verify_token (docs/how-to/meta.md)"]


def _inbox(instance: Instance, inbox: dict[str, Any], client: str, what: str, left: list[Left]) -> str:
    left += [Left(what=f"{what}: Chatwoot's {key}", why=why) for key, why in CHATWOOT.items() if inbox.get(key)]
    command = connect_command(
        str(inbox.get("url") or ""),
        inbox.get("accountId"),
        account=instance.name,
        client=client,
        inbox=str(inbox.get("nameInbox") or ""),
    )
    return f"turn Evolution's Chatwoot integration of {instance.name} off, then: {command}"
