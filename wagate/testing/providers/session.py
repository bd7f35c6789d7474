"""A session engine as a real HTTP server: the REST of avoylenko/wwebjs-api, and its webhooks.

Source: avoylenko/wwebjs-api, src/controllers/ and src/sessions.js; whatsapp-web.js 1.34, src/structures/Message.js.
"""

from __future__ import annotations

import itertools
import time
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import msgspec

from wagate.testing.providers.session_asks import EnginePhone
from wagate.testing.server import FakeServer, Reply, Seen

OURS = "15550000001@c.us"
_MOMENT = 1_795_225_481
_TYPES = {
    "string": "chat",
    "MessageMedia": "image",
    "MessageMediaFromURL": "image",
    "Location": "location",
    "Poll": "poll_creation",
}


class FakeSessions(FakeServer):
    """One engine with its sessions. Give ``faults`` with `fail` for what goes wrong."""

    def __init__(self, *, api_key: str = "", session: str = "main") -> None:
        super().__init__(self._reply)
        self.api_key = api_key
        self.states: dict[str, str | None] = {session: "CONNECTED"}
        """Session → state of WhatsApp Web."""
        self.sent: list[dict[str, Any]] = []
        """Bodies of the messages that were taken, with ``message``, the object that was answered."""
        self.reactions: list[dict[str, Any]] = []
        self.signals: list[tuple[str, str]] = []
        """(path without the session, chat) of what was told to a chat."""
        self.edited: list[dict[str, Any]] = []
        self.too_old = False
        """Whether messages can no longer be edited."""
        self.revoked: list[dict[str, Any]] = []
        """Bodies of what was deleted."""
        self.phone = EnginePhone(ours=OURS)
        self.known = {"3EB0IN01"}
        """Bare ids of messages that came in; they can be reacted to."""
        self.qrs: dict[str, str] = {}
        """Session → the QR text that waits to be scanned."""
        self.files: dict[str, tuple[bytes, str]] = {}
        """Bare id of a message that came in → its file, as WhatsApp has it: content and MIME type."""
        self.now = time.time
        """Unix seconds; when a message came in."""
        self._ids = itertools.count(1)

    def webhook(self, event: str, data: Mapping[str, Any] | None = None, *, session: str = "main") -> bytes:
        """The body of one webhook; ``ready`` and ``authenticated`` have no data."""
        document: dict[str, Any] = {"dataType": event, "sessionId": session}
        return msgspec.json.encode(document if data is None else document | {"data": data})

    def picture(self, bare: str, *, sender: str = "19990000001@c.us", body: str = "", **fields: Any) -> dict[str, Any]:
        """A message with a picture, as it comes in: ``{"message": …}``, without the picture."""
        key = {"fromMe": False, "remote": sender, "id": bare, "_serialized": f"false_{sender}_{bare}"}
        message = {"id": key, "from": sender, "to": OURS, "timestamp": int(self.now()), "fromMe": False, "body": body}
        return {"message": message | {"type": "image", "hasMedia": True, "_data": {"mimetype": "image/png"}} | fields}

    def media(self, about: Mapping[str, Any], content: bytes, *, mimetype: str = "image/png") -> dict[str, Any]:
        """What comes as ``media`` of a message a moment later: the same, and the file in base64."""
        data = b64encode(content).decode()
        held = {"mimetype": mimetype, "data": data, "filename": None, "filesize": len(content)}
        return {"messageMedia": held, **about}

    def echo(self, sent: Mapping[str, Any], *, lid: str = "") -> bytes:
        """The ``message_create`` that the engine posts of a message of ours; ``lid``: in the chat of that."""
        return self.webhook("message_create", {"message": _as_told(sent["message"], lid)})

    def ack(self, sent: Mapping[str, Any], ack: int, *, lid: str = "") -> bytes:
        """The ``message_ack`` of a message of ours."""
        return self.webhook("message_ack", {"message": _as_told(sent["message"], lid) | {"ack": ack}, "ack": ack})

    async def _reply(self, seen: Seen) -> Reply:
        if seen.path == "/ping":
            return Reply(json={"success": True, "message": "pong"})
        if self.api_key and seen.headers.get("x-api-key") != self.api_key:
            return _failed(403, "Invalid API key")
        head, _, name = seen.path.rpartition("/")
        state = self.states.get(name)
        connected = state == "CONNECTED"
        said = "session_connected" if connected else "session_not_connected"
        said = said if name in self.states else "session_not_found"
        if head == "/session/status":
            return Reply(json={"success": connected, "state": state, "message": said})
        if seen.method == "GET" and head.startswith("/session/"):
            return self._control(head, name)
        if not connected:
            return _failed(404, said)
        answers = {
            "/client/sendMessage": self._send,
            "/message/react": self._react,
            "/message/delete": self._delete,
            "/message/edit": self._edit,
            "/message/downloadMedia": self._download,
            "/chat/sendSeen": self._signal,
            "/chat/sendStateTyping": self._signal,
            "/chat/sendStateRecording": self._signal,
            "/chat/clearState": self._signal,
        }
        body = seen.json if seen.body else {}
        answer = answers.get(head) if seen.method == "POST" else None
        return answer(head, body) if answer else self.phone.answer(head, body) or _failed(404, "Not found")

    def _control(self, head: str, name: str) -> Reply:
        """src/controllers/sessionController.js: everything is a GET."""
        if head == "/session/qr":
            qr = self.qrs.get(name)
            waits = {"success": True, "qr": qr} if qr else {"success": False, "message": "qr code not ready"}
            return Reply(json=waits)
        if head == "/session/start":
            if name in self.states:
                return _failed(422, f"Session already exists for: {name}")
            self.states[name], self.qrs[name] = None, f"2@{name}"
        elif name not in self.states:
            return _failed(422, "session_not_found")
        elif head == "/session/restart":
            self.states[name] = "CONNECTED"
        elif head in {"/session/stop", "/session/terminate"}:
            del self.states[name]
            self.qrs.pop(name, None)
        else:
            return _failed(404, "Not found")
        return Reply(json={"success": True, "message": "done"})

    def _send(self, _head: str, body: dict[str, Any]) -> Reply:
        kind, content = body.get("contentType"), body.get("content")
        if kind not in _TYPES:
            return _failed(400, "invalid contentType")
        if kind == "Poll" and not (isinstance(content, dict) and len(content.get("pollOptions") or ()) > 1):
            return _failed(400, "invalid poll")
        if kind == "MessageMedia" and not (isinstance(content, dict) and content.get("data")):
            return _failed(400, "invalid media content")
        chat, bare = body["chatId"], f"3EB0OUT{next(self._ids):013d}"
        whole = f"true_{chat}_{bare}"
        message = {
            "id": {"fromMe": True, "remote": chat, "id": bare, "_serialized": whole},
            "ack": 0,
            "hasMedia": kind.startswith("MessageMedia"),
            "body": content if kind == "string" else _caption(body),
            "type": _TYPES[kind],
            "timestamp": _MOMENT,
            "from": OURS,
            "to": chat,
            "fromMe": True,
        }
        self.sent.append(body | {"message": message, "_id": whole})
        return Reply(json={"success": True, "message": message})

    def _react(self, _head: str, body: dict[str, Any]) -> Reply:
        if body["messageId"] not in self.known:
            return _failed(500, "Message not found")
        self.reactions.append(body)
        return Reply(json={"success": True})

    def _delete(self, _head: str, body: dict[str, Any]) -> Reply:
        if body["messageId"] not in {each["message"]["id"]["id"] for each in self.sent}:
            return _failed(500, "Message not found")
        self.revoked.append(body)
        return Reply(json={"success": True})

    def _edit(self, _head: str, body: dict[str, Any]) -> Reply:
        found = [each["message"] for each in self.sent if each["message"]["id"]["id"] == body["messageId"]]
        if not found:
            return _failed(500, "Message not found")
        if self.too_old:
            return Reply(json={"success": True, "message": None})
        self.edited.append(body)
        return Reply(json={"success": True, "message": found[0] | {"body": body["content"]}})

    def _download(self, _head: str, body: dict[str, Any]) -> Reply:
        """Like the real one, it says 500 of what it does not find."""
        bare = body["messageId"]
        if bare not in self.files:
            return _failed(500, "Message media not found" if bare in self.known else "Message not found")
        content, mimetype = self.files[bare]
        return Reply(json={"success": True} | self.media({}, content, mimetype=mimetype))

    def _signal(self, head: str, body: dict[str, Any]) -> Reply:
        self.signals.append((head, body["chatId"]))
        return Reply(json={"success": True, "result": True})


def _as_told(message: dict[str, Any], lid: str) -> dict[str, Any]:
    """As the engine tells of it afterwards: in a group its id names who wrote it, and a person may be a LID."""
    key = message["id"]
    chat = lid or key["remote"]
    whole = f"true_{chat}_{key['id']}{f'_{OURS}' if chat.endswith('@g.us') else ''}"
    return message | {"id": key | {"remote": chat, "_serialized": whole}, "to": chat}


def _caption(body: dict[str, Any]) -> str:
    """The caption in a request's options."""
    options = body.get("options")
    return str(options.get("caption", "")) if isinstance(options, dict) else ""


def _failed(status: int, error: str) -> Reply:
    return Reply(status=status, json={"success": False, "error": error})
