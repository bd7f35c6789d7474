"""A webhook receiver to play with: notes what comes in received.txt, answers 503 while a file named broken is there.

python receiver.py PORT
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = 503 if Path("broken").exists() else 200
        with Path("received.txt").open("a", encoding="utf-8") as file:
            file.write(f"{status} {event['from']} {event['content']}\n")
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Quiet: received.txt says it."""


class Server(ThreadingHTTPServer):
    request_queue_size = 128


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
