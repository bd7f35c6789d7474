"""The APIs that an import reads, as real HTTP servers.

Sources: WAHA's OpenAPI document 2026.7.1 (SessionInfo, SessionConfig, App; ``GET /api/apps`` needs ``session``), and
Evolution API 2.3.7: prisma/postgresql-schema.prisma for the rows, its controllers for what they answer, and main.ts for
the form of errors. A webhook that was never set is null; Chatwoot turned off for the whole server is 400.
"""

from __future__ import annotations

from typing import Any

from wagate.testing.server import FakeServer, Reply, Seen

Json = dict[str, Any]
KEY = "the-api-key-of-the-other"
HMAC = "an old key for hmac"
WHSEC = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


class OtherWaha(FakeServer):
    """A WAHA with sessions that are set up in full."""

    def __init__(self, *sessions: Json, apps: dict[str, list[Json]] | None = None) -> None:
        super().__init__(self._reply)
        self.sessions = sessions
        self.apps = apps
        """By session; None: WAHA_APPS_ENABLED is not set."""

    async def _reply(self, seen: Seen) -> Reply:
        if seen.headers.get("x-api-key") != KEY:
            return Reply(status=401, json={"message": "Unauthorized", "statusCode": 401})
        if seen.path == "/api/sessions":
            all_of_them = seen.query.get("all") == "true"
            return Reply(json=[each for each in self.sessions if all_of_them or each["status"] != "STOPPED"])
        if seen.path == "/api/apps" and self.apps is not None:
            return Reply(json=self.apps.get(seen.query["session"], []))
        return Reply(status=404, json={"message": f"Cannot GET {seen.path}", "error": "Not Found", "statusCode": 404})


def session(name: str, *webhooks: Json, status: str = "WORKING", **config: Any) -> Json:
    """A row of ``GET /api/sessions``."""
    me = {"id": "15550000001:3@c.us", "lid": "99@lid", "pushName": "Shop"} if status == "WORKING" else None
    parts = {"webhooks": list(webhooks), "metadata": {}, "proxy": None, "debug": False, "ignore": None} | config
    times = {"timestamps": {"activity": None}, "presence": {}, "assignedWorker": "waha"}
    return {"name": name, "status": status, "me": me, "config": parts} | times


class OtherEvolution(FakeServer):
    """An Evolution API 2 with instances."""

    def __init__(self, *instances: Json, webhooks: dict[str, Json], chatwoot: dict[str, Json] | None) -> None:
        super().__init__(self._reply)
        self.instances = instances
        self.webhooks = webhooks
        self.chatwoot = chatwoot
        """By instance; None: CHATWOOT_ENABLED is not set."""

    async def _reply(self, seen: Seen) -> Reply:
        if seen.headers.get("apikey") != KEY:
            return _wrong(401, "Unauthorized", "Unauthorized")
        if seen.path == "/instance/fetchInstances":
            return Reply(json=list(self.instances))
        kind, _, name = seen.path.strip("/").partition("/find/")
        if kind == "webhook" and name:
            return Reply(json=self.webhooks[name]) if name in self.webhooks else Reply(body=b"null")
        if kind == "chatwoot" and name:
            off = {"enabled": False, "url": "", "accountId": "", "token": "", "signMsg": False, "nameInbox": ""}
            return (
                _wrong(400, "Bad Request", ["Chatwoot is disabled"])
                if self.chatwoot is None
                else Reply(json=self.chatwoot.get(name, off))
            )
        return _wrong(404, "Not Found", [f"Cannot GET {seen.path}"])


def _wrong(status: int, error: str, message: Any) -> Reply:
    return Reply(status=status, json={"status": status, "error": error, "response": {"message": message}})


def instance(name: str, *, integration: str = "WHATSAPP-BAILEYS", **more: Any) -> Json:
    """A row of ``GET /instance/fetchInstances``."""
    setting = {"rejectCall": False, "msgCall": "", "groupsIgnore": False, "alwaysOnline": False, "readMessages": False}
    row = {
        "id": "0a1b",
        "name": name,
        "connectionStatus": "open",
        "ownerJid": "5511988887777@s.whatsapp.net",
        "profileName": "Shop",
        "profilePicUrl": None,
        "integration": integration,
        "number": None,
        "businessId": None,
        "token": "SECRET-TOKEN-OF-THE-INSTANCE",
        "clientName": "evolution",
        "disconnectionReasonCode": None,
        "createdAt": "2026-01-01T00:00:00.000Z",
        "Chatwoot": None,
        "Proxy": None,
        "Rabbitmq": None,
        "Nats": None,
        "Sqs": None,
        "Websocket": None,
        "Setting": setting | {"readStatus": False, "syncFullHistory": False, "wavoipToken": ""},
        "_count": {"Message": 1, "Contact": 1, "Chat": 1},
    }
    return row | more
