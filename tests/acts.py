"""Routes that change something, read from the sources: none can be added unseen."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
VERBS = {"post", "put", "patch", "delete"}

_SENDING = "it sends, or takes back, a message: that has a record of its own"
_WORKER = "a worker's jobs have attempts of their own"
NO_ACTS = {
    "wagate/web/api/conversations.py ingest": "what a backend stores is an event",
    "wagate/web/messages/routes.py send": _SENDING,
    "wagate/web/messages/routes.py edit": _SENDING,
    "wagate/web/messages/routes.py revoke": _SENDING,
    "wagate/web/waha/send.py react": _SENDING,
    "wagate/web/waha/send.py revoke": _SENDING,
    "wagate/web/waha/send.py add_url_rule": _SENDING,
    "wagate/web/waha/send.py seen": _SENDING,
    "wagate/web/waha/send.py start_typing": _SENDING,
    "wagate/web/waha/send.py stop_typing": _SENDING,
    "wagate/web/waha/manage.py delete": "it names its act itself, when there was a session to delete",
    "wagate/web/waha/desk.py add_url_rule": "each of its rows names its act: see test_acts.py",
    "plugins/wagate_n8n/routes.py finish": _WORKER,
    "plugins/wagate_n8n/routes.py heartbeat": _WORKER,
    "plugins/wagate_n8n/routes.py retry": _WORKER,
    "plugins/wagate_chatwoot/to_whatsapp/webhook.py take": "Chatwoot's webhook: no person's act",
}
"""Why a route is none; uploads and webhooks come in by doors, in front of the routes."""


def changing_routes() -> dict[str, str]:
    """``file function`` → the audit's word, '' for none."""
    files = [*(ROOT / "wagate/web").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]
    return {name: act for file in files if "web/ui" not in str(file) for name, act in _routes_of(file)}


def _routes_of(file: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
            calls = [each for each in node.decorator_list if isinstance(each, ast.Call)]
            if any(isinstance(each.func, ast.Attribute) and each.func.attr in VERBS for each in calls):
                yield f"{file.relative_to(ROOT)} {node.name}", _act(calls)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            methods = [each for each in node.keywords if each.arg == "methods" and "GET" not in ast.unparse(each)]
            if methods or (node.func.attr in {"add_url_rule", "route"} and not any(k.arg for k in node.keywords)):
                yield f"{file.relative_to(ROOT)} {node.func.attr}", ""


def _act(calls: list[ast.Call]) -> str:
    for call in calls:
        for given in call.keywords:
            if given.arg == "act":
                return ast.unparse(given.value).lstrip("f")[1:-1]
    return ""
