"""A gateway's API as the command line sees it, on a unix socket: answers from a table, requests noted."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TOKEN = "the-admin-token-0"

Answer = tuple[int, Any]
"""Status and JSON; a dict with ``title`` goes out as a problem."""


class FakeGateway:
    """What it was asked, and what it answers."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | list[Answer]] = {}
        """``POST /path`` → the answer, or one for each time; the last one stays."""
        self.asked: list[tuple[str, Any]] = []
        """``POST /path`` with the JSON body, or the query of a GET."""
        self.lock = threading.Lock()

    def answer(self, call: str, given: Any) -> Answer:
        with self.lock:
            self.asked.append((call, given))
            found = self.answers.get(call, (404, {"title": "Not found", "detail": f"nothing at {call}"}))
            if isinstance(found, list):
                return found.pop(0) if len(found) > 1 else found[0]
            return found


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


@contextmanager
def fake_gateway(folder: Path) -> Iterator[FakeGateway]:
    """Serve on ``folder/wagate.sock``; the path must be short."""
    fake = FakeGateway()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_any(self) -> None:
            url = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length)
            given = json.loads(text) if text else dict(parse_qsl(url.query))
            if self.headers.get("Authorization") == f"Bearer {TOKEN}":
                status, value = fake.answer(f"{self.command} {url.path}", given)
            else:
                status, value = 401, {"title": "Unauthorized", "detail": "a wrong token"}
            body = value if isinstance(value, bytes) else b"" if value is None else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if body:  # who got all there is may have hung up already
                self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = do_any  # noqa: N815  (names of the standard library)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Keep quiet."""

        def address_string(self) -> str:
            return "unix"

    server = _Server(str(folder / "wagate.sock"), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)
