"""Texts that try to become more than texts, and a gateway that has them wherever somebody else's words can stand."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.bad_plugin import bad_plugin
from tests.flow.dashboard import browser, fields_of
from tests.inprocess import Gateway, running_gateway
from tests.sink import Got, Sink, https_sink
from wagate.errors import Reject
from wagate.events import Event
from wagate.hooks import Figure, Finding, Handler, Panel, PanelAsked, PanelData, Target
from wagate.testing.providers.waha import FakeWaha
from wagate.testing.server import Fault, Reply, running
from wagate.web.ui.deliveries import FIELDS
from wagate.web.ui.webhooks import TEXTS

MARK = "xq7"
"""Stands in every tag and attribute that a text would make."""
PAYLOADS = (
    "<script>alert('xq7')</script><xq7>",
    '"\'><img src=x onerror=alert(1)><xq7 a="',
    "'><svg/onload=alert(1)><xq7 a='",
    "</title></textarea></script></style></pre><xq7 onclick=alert(1)>",
    "javascript:alert(1)//xq7",
    "{{7777*7777}}${7777*7777}{%print(7777*7777)%}<%=7777*7777%>xq7",
    '" autofocus onfocus=alert(1) xq7="',
    "<iframe srcdoc='<script>alert(1)</script>'></iframe><xq7>",
    "<a href=javascript:alert(1) xq7>here</a>",
    '<!--<noscript><p title="--><xq7>">',
    "&lt;xq7&gt;&#60;xq7&#62;",
    "<span id=need hx-get=/ui/ hx-trigger=load hx-swap-oob=true xq7>",
    "data:text/html,<xq7>",
    "a\u202etxt.xq7\u2066<xq7>\u202d",
    "nul\0xq7<xq7>\x01\x0b\x1b[31m\x7f",
    "</p></span></td></table></form></main><form action=//evil.test xq7>",
    "]]><xq7/>\r\n\r\nevent: end\r\ndata: <xq7>\r\n\r\n",
    "<meta http-equiv=refresh content=0;url=//evil.test xq7><base href=//evil.test xq7><style xq7>*{color:red}</style>",
    f"<xq7>{'W' * 5000}",
)
BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
NUMBER = "main"
KEY = "hmac key of the test"


def plainly(text: str) -> str:
    """What is left to see of a text: no control characters, and blanks as a page shows them."""
    return " ".join([kept for word in text.split() for kept in _printable(word)])


def _printable(word: str) -> list[str]:
    """What other than printable characters parts, all of it at once if there are none."""
    if word.isprintable() and "\ufffd" not in word:
        return [word]
    return "".join([each if each.isprintable() and each != "\ufffd" else " " for each in word]).split()


def is_shown(place: str, payload: str, seen: str) -> bool:
    """Whether a text of this place stands somewhere in ``seen``, which `plainly` made; names may be cut."""
    return plainly(f"{place} {payload}"[:60]) in seen


class Elements(HTMLParser):
    """What a browser makes of a page: its elements with their attributes, and its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.strange: list[str] = []
        self.texts: list[str] = []
        self.live: list[str] = []
        """Streams that it listens to."""
        self.led: list[str] = []
        """Where it leads, below ``/ui/``."""
        self.feed(page)
        self.close()
        self.strange += [text for text in self.texts if not is_balanced(text)]

    @cached_property
    def text(self) -> str:
        """All that can be read, in attributes, too."""
        return plainly(" ".join(self.texts))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.texts += found.values()
        self.live += [found["data-live"]] if "data-live" in found else []
        if tag == "a" and found.get("href", "").startswith("/ui/") and "/static/" not in found["href"]:
            self.led.append(found["href"].partition("#")[0])
        links = [found[name] for name in ("href", "src", "action", "formaction", "data-live") if name in found]
        if (
            tag not in TAGS
            or any(MARK in name or name.startswith("on") or name in {"style", "srcdoc", "formaction"} for name in found)
            or any(MARK in value for name, value in found.items() if name.startswith("hx-"))
            or not all(re.match(r"/(?![/\\])|#|$|data:image/", link) for link in links)
            or (tag == "script" and "src" not in found)
        ):
            self.strange.append(self.get_starttag_text() or tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.strange.append(data)


def is_balanced(text: str) -> bool:
    """Whether what turns the direction of a text ends within it, so that nothing behind it is turned."""
    opened: list[str] = []
    for each in BIDI.findall(text):
        if each in "\u202d\u202e" or (each in "\u202c\u2069" and (not opened or opened.pop() != each)):
            return False
        if each not in "\u202c\u2069":
            opened.append("\u2069" if each >= "\u2066" else "\u202c")
    return not opened


_SOURCES = Path(__file__).parent.parent / "wagate/web/ui"
TAGS = {
    tag
    for file in (*_SOURCES.rglob("*.j2"), *_SOURCES.glob("*.py"))
    for tag in re.findall(r"<([a-z][a-z0-9]*)[ >]", file.read_text("utf-8"))
}
"""Elements that the pages are made of."""


def read_of(what: str) -> list[str]:
    """Names of the fields that pages read of ``request.args`` or of a ``form``."""
    found = {name for file in _SOURCES.glob("*.py") for name in re.findall(what, file.read_text("utf-8"))}
    return sorted(found)


CURSORS = {"before", "after", "page", "at", "ids"}
"""In a query, a wrong one of these is refused, and nothing else is shown."""
ASKED = {*read_of(r'args\.get(?:list)?\("(\w+)"'), *FIELDS, "about", "who", "k", "phone_number", "name"}
"""Names in the queries of pages."""
TYPED = {*read_of(r'form\)?\.get(?:list)?\("(\w+)"'), *TEXTS, "s.base_url", "s.api_key"} - {"once", "csrf"}
"""Names in the forms of pages."""


async def _panel(_asked: PanelAsked) -> PanelData:
    return PanelData(
        text=f"panel {PAYLOADS[0]}",
        figures=tuple(Figure(label=f"figure {each[:80]}", value=each[:80], state="wait") for each in PAYLOADS),
        columns=("column", f"column {PAYLOADS[1]}"),
        rows=tuple((f"cell {each}", each) for each in PAYLOADS),
    )


def _panels(context: object) -> list[Panel]:
    return [Panel(title=f"title {each[:80]}", render=_panel) for each in PAYLOADS[:3]]


def _checks(context: object) -> list[Any]:
    async def check() -> list[Finding]:
        said = [each.replace("\0", "\ufffd") for each in PAYLOADS]
        return [Finding(level="fail", what="found", detail=f"Finding {each}", next_step=each) for each in said]

    return [check]


def _handlers(context: object) -> list[Handler]:
    def targets(event: Event) -> list[Target]:
        found = [each for each in PAYLOADS if f"text {each}"[:40] == event.content[:40]]
        return [Target(id=plainly(f"shelf {each[:80]}").replace("|", "/"), max_retries=1) for each in found]

    async def handle(delivery: Any) -> None:
        raise Reject(f"raised {delivery.event.content}")

    return [Handler(name="bad", targets=targets, handle=handle)]


@asynccontextmanager
async def hostile_gateway() -> AsyncIterator[Gateway]:
    """Customers, receivers, engines, providers, plugins and clients: all say nothing but `PAYLOADS`."""
    fake = FakeWaha(api_key="k")
    with bad_plugin(register_panels=_panels, register_checks=_checks, register_handlers=_handlers) as plugin:
        async with running(fake), https_sink() as sink:
            account: dict[str, Any] = {"provider": "waha", "base_url": fake.url, "api_key": "k", "hmac_key": KEY}
            tables: dict[str, dict[str, Any]] = {
                "delivery": {"allow_networks": ["127.0.0.0/8"], "max_retries": 1},
                "plugins.n8n": {"clients": ["*"]},
            }
            tables |= {f"accounts.{NUMBER}": account | {"phone": "15550000001"}, **plugin}
            async with running_gateway(tables, ca_file=sink.ca_file) as gateway:
                await _fill(gateway, sink, fake)
                yield gateway


async def _fill(gateway: Gateway, sink: Sink, fake: FakeWaha) -> None:
    sink.script = lambda _: (400, {"content-type": "text/html"})
    sink.says = _answer
    for number, each in enumerate(PAYLOADS):
        url = f"{sink.url}/{number}?key={quote(f'query {each[:200]}')}"
        await gateway.register(url, name=plainly(f"webhook {each[:80]}"), phone_number=f"+120255501{number:02}")
        await gateway.ask("POST", "/api/clients/default/tokens", 201, json={"name": plainly(f"token {each[:80]}")})
    await gateway.ask("PATCH", "/api/clients/default", json={"name": f"client {PAYLOADS[1]}"})
    await gateway.register(f"{sink.url}/all", name="all of it", events=["*"])
    for number, each in enumerate(PAYLOADS):
        await _write(gateway, fake, number, each)
    for number in (0, 13):
        told = {"event": "auth_failure", "data": {"message": f"engine {PAYLOADS[number]}"}}
        await gateway.ask("POST", f"/api/whatsapp/webhook/broken-{number}", json=told)
    headers = {"Authorization": "", "X-Webhook-Hmac": quote(PAYLOADS[0])}
    for _ in range(3):  # refused so often that it needs somebody
        refused = await gateway.http.post(f"/webhooks/{NUMBER}", content=PAYLOADS[1].encode(), headers=headers)
        assert refused.status_code in {400, 401, 403}, refused.text
    await sink.until(lambda each: len(each.got) >= 2 * len(PAYLOADS))
    await gateway.passes(5)
    await _act(gateway)


async def _write(gateway: Gateway, fake: FakeWaha, number: int, each: str) -> None:
    """A customer writes, with a file; somebody of a group; and we do, which the provider refuses."""
    chat = f"+551190000{number:04}"
    media = [{"type": "document", "filename": f"file {each}", "url": "https://127.0.0.1/none", "caption": each}]
    await gateway.post(
        f"text {each}",
        chat=chat,
        to="+15550000001",
        contact_name=f"contact {each}",
        message_id=f"id {number} {each[:300]}",
        message={"text": f"text {each}", "media": media},
    )
    group = {"id": f"1203630000000{number:03}@g.us", "subject": f"group {each}"}
    for name, payload in (
        ("group.v2.update", {"group": group, "timestamp": 1738000000 + number}),
        ("message", fake.incoming(f"in a group {each}") | {"from": group["id"], "participant": "19990000000@c.us"}),
    ):
        body, headers = fake.webhook(name, payload, key=KEY)
        answer = await gateway.http.post(f"/webhooks/{NUMBER}", content=body, headers={**headers, "Authorization": ""})
        assert answer.status_code == 200, answer.text
    refused = json.dumps({"message": f"provider {each}"}).encode()
    fake.fail(Fault(reply=Reply(status=400, body=refused)))
    sent = {"to": chat, "message": {"text": f"sent {each}"}, "account": NUMBER}
    await gateway.http.post("/messages/send", json=sent)


def _answer(got: Got) -> bytes:
    said = "".join(f"answer {each[:90]}\n" for each in PAYLOADS)
    return said.encode() + b"<xq7>" * 500 if "/all" in got.path else b""


async def _act(gateway: Gateway) -> None:
    """What stands in the audit, in links, and in an act on many."""
    jobs = await gateway.deliveries(state="pending", limit=50)
    async with browser(gateway) as http:
        form = fields_of(await http.get("/ui/more"))
        for each, job in zip(PAYLOADS, jobs, strict=False):
            await http.post(f"/ui/deliveries/{job['id']}/cancel", data=form | {"why": f"reason {each}"})
        for each in PAYLOADS[:8]:
            await http.post("/ui/clients/default/links", data=form | {"note": f"link {each}"})
    with closing(sqlite3.connect(gateway.folder / "data" / "wagate.db", timeout=30)) as db, db:
        db.execute(
            "INSERT INTO bulk (id, who, verb, which, until, after, state, done, refused, total, reasons, created_at, "
            "updated_at) VALUES ('01980000-0000-7000-8000-000000000001', 'admin', 'retry', '{}', '', '', 'done', 1, 1, "
            "2, ?, '2025-01-20T10:00:00.000000Z', '2025-01-20T10:00:00.000000Z')",
            (json.dumps({f"refused {PAYLOADS[0]}": 1}),),
        )
