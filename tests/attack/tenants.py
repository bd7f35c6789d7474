"""One client against another: by ids and names of the other's things, and by a name that changes hands."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tests.attack.case import Case, Client, Target, new_client

CANARY = "canary-of-the-other"
DECIDED = {403, 404, 501}
"""Who asks is refused for what the path names, whatever the body says …"""
FEW = 4
"""… so that the short form tries so many of the bodies there, the empty one among them."""
OPERATIONS = Path(__file__).parents[1] / "openapi" / "waha_operations.json"
PUBLIC = re.compile(r"/(docs|openapi\.json|ping|health|metrics|webhooks?/.*|api/whatsapp/webhook/.*|media/.*)?")
"""Doors and pages that take no token."""
CHAT = "15550001111@c.us"


async def things_of(target: Target, client: Client, name: str) -> dict[str, set[str]]:
    """All sorts of things of a client, with the canary in them: what paths and queries may name, by parameter."""
    account = await client.ask(
        "POST", "/api/accounts", 201, json={"name": name, "provider": "session", "metadata": {"note": CANARY}}
    )
    hook = await client.webhook(f"https://localhost:9/{CANARY}")
    data = {"id": f"false_{CHAT}_{CANARY}", "from": CHAT, "to": "15550002222@c.us", "body": CANARY, "type": "chat"}
    await client.ask("POST", f"/api/whatsapp/webhook/{name}", json={"event": "message", "data": data})
    file = await client.ask("POST", "/api/media", 201, content=CANARY.encode(), headers={"Content-Type": "text/plain"})
    sent = await client.http.post("/messages/send", json={"to": "+15550003333", "message": CANARY, "account": name})
    token = (await target.process.http.post(f"/api/clients/{client.slug}/tokens", json={"name": CANARY})).json()
    jobs = (await client.ask("GET", "/api/jobs"))["data"]
    assert jobs, "nothing is there to be found"
    ids = {job["id"] for job in jobs}
    events = {row["event_id"] for row in await client.rows(hook) if "event_id" in row}
    targets = {f"webhook:{hook}", f"n8n:{account['client_id']}"}
    return defaultdict(
        set,
        account={name},
        name={name},
        session={name},
        sessionId={name},
        session_id={name},
        webhook_id={hook},
        job_id=ids,
        event_id=ids | events,
        id={file["id"]} | ids,
        message_id={str(sent.json().get("message_id") or sent.json().get("id")), CANARY},
        target_id=targets,
        target=targets,
        slug={client.slug},
        tenant_id={client.slug, str(account["client_id"])},
        userId={client.slug, str(account["client_id"])},
        client={client.slug, str(account["client_id"])},
        token_id={token["id"]},
        chat={CHAT, CHAT.partition("@")[0]},
        chatId={CHAT},
        messageId={f"false_{CHAT}_{CANARY}"},
        phone_number={"15550002222"},
    )


def paths(pattern: str, things: dict[str, set[str]]) -> Iterator[str]:
    """The path with each of the other's values; what nobody has is ``x``."""
    found = re.search(r"\{(\w+)\}", pattern)
    if found is None:
        yield pattern
        return
    for value in sorted(things.get(found[1], set())) or ["x"]:
        yield from paths(pattern.replace(found[0], value, 1), things)


async def operations(target: Target) -> list[tuple[str, str]]:
    """Every method and path that the gateway names, and every one of WAHA's."""
    document = (await target.process.http.get("/openapi.json")).json()
    ours = [
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method in methods
        if method in {"get", "post", "put", "patch", "delete"}
    ]
    waha = [(each["method"], each["path"]) for each in msgspec.json.decode(OPERATIONS.read_bytes())]
    return [each for each in dict.fromkeys([*ours, *waha]) if not PUBLIC.fullmatch(each[1])]


def bodies(things: dict[str, set[str]]) -> list[dict[str, Any]]:
    """What names the other's things in a body, in the forms there are."""
    (session,) = things["session"]
    slug = min(things["slug"])
    chat = {"session": session, "chatId": CHAT, "text": "x", "to": CHAT, "messageId": min(things["messageId"])}
    return [
        {},
        chat,
        chat | {"reaction": "x", "reply_to": CANARY},
        {"to": "+15550003333", "message": "x", "account": session},
        {"to": "+15550003333", "message": "x", "tenant_id": slug},
        {"tenant_id": slug, "account": session, "name": "mine", "webhook_url": "https://localhost:9/x"},
        {"name": session, "provider": "session"},
        {"name": session, "session": session, "config": {"webhooks": []}},
        {"verb": "cancel", "which": {"account": session, "tenant_id": slug}, "account": session},
        {"whatsapp_provider": "session", "tenant_id": slug},
    ]


async def others_things(target: Target) -> str:
    """A client asks for everything that another has, by every path there is: nothing is shown, nothing changes."""
    asked = shown = 0
    async with new_client(target) as victim, new_client(target) as thief:
        things = await things_of(target, victim, f"{victim.slug}-shop")
        own = await look(victim, things)
        for method, pattern in await operations(target):
            if pattern.endswith("/stream"):
                continue
            for path in paths(pattern, things):
                queries = [{}] if method != "GET" else [{}, {k: min(v) for k, v in things.items() if v}]
                for query in queries:
                    decided = False
                    for number, body in enumerate(bodies(things) if method in {"POST", "PUT", "PATCH"} else [None]):
                        if decided and number >= target.times(10**6, FEW):
                            break
                        answer = await thief.http.request(
                            method,
                            path,
                            params={k: v for k, v in query.items() if f"{{{k}}}" not in pattern},
                            json=body,
                        )
                        decided = decided or (number == 0 and answer.status_code in DECIDED)
                        asked += 1
                        shown += answer.status_code < 300
                        said = answer.text.replace(path, "")
                        assert answer.status_code < 500 or answer.status_code in {501, 503}, f"{method} {path}: {said}"
                        # What was asked for may be repeated; what only the victim has may not.
                        assert CANARY not in said or CANARY in f"{query}{body}", f"{method} {path}: {said}"
        assert (now := await look(victim, things)) == own, f"{own}\n{now}"
    return f"{asked} requests, {shown} of them answered with the asker's own"


async def look(client: Client, things: dict[str, set[str]]) -> list[Any]:
    """What must be as it was."""
    (name,), (hook,) = things["account"], things["webhook_id"]
    account = await client.ask("GET", f"/api/accounts/{name}")
    jobs = (await client.ask("GET", "/api/jobs?limit=100"))["data"]
    return [
        {k: v for k, v in account.items() if k not in {"updated_at", "status", "message"}},
        {
            k: v
            for k, v in (await client.ask("GET", f"/api/webhooks/{hook}")).items()
            if k in {"name", "webhook_url", "active", "events", "phone_number"}
        },
        sorted((job["id"], job.get("mode", "")) for job in jobs if job["status"] != "cancelled"),
        len((await client.ask("GET", f"/api/conversations/{CHAT}/messages"))["data"]),
        (await client.http.get(f"/api/media/{min(things['id'])}")).status_code,
    ]


CASES = (Case("others' things", "no path, id, name or field shows or changes what another client has", others_things),)
