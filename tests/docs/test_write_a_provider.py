"""The provider that the page shows, exactly as it stands there: read out of the page, installed, used."""

from __future__ import annotations

import hashlib
import hmac
import importlib
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from tests.inprocess import running_gateway
from wagate.errors import AccountStoppedError, BadRequestError, NotSentError, SendRefusedError, UnauthorizedError
from wagate.hooks import InboundRequest, Outgoing, OutMessage, ProviderAccount
from wagate.http import HttpClient
from wagate.testing import fake_context
from wagate.testing.server import FakeServer, Fault, Reply, Seen, running

PAGE = (Path(__file__).parents[2] / "docs" / "tutorials/write-a-provider.md").read_text("utf-8")
BODY = msgspec.json.encode(
    {
        "events": [
            {
                "type": "message",
                "id": "m1",
                "contact": "+1 555 000 1111",
                "text": "hello",
                "name": "Ana",
                "at": 1700000000,
            },
            {"type": "status", "id": "hrn-0190", "contact": "15550001111", "state": "read", "ref": "0190"},
            {"type": "weather"},
            "nonsense",
        ]
    }
)


def blocks(language: str) -> list[str]:
    return [block.split("```", 1)[0] for block in PAGE.split(f"```{language}\n")[1:]]


@contextmanager
def installed() -> Iterator[ModuleType]:
    """The page's module and its entry point, as pip would have written them."""
    with tempfile.TemporaryDirectory(prefix="wg") as name:
        folder = Path(name)
        (folder / "wagate_heron.py").write_text(blocks("python")[0], "utf-8")
        project = tomllib.loads(blocks("toml")[0])["project"]
        info = folder / "wagate_heron-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0.1.0\n")
        points = project["entry-points"]["wagate.providers"]
        (info / "entry_points.txt").write_text(
            "[wagate.providers]\n" + "".join(f"{key} = {place}\n" for key, place in points.items())
        )
        sys.path.insert(0, name)
        importlib.invalidate_caches()
        try:
            yield importlib.import_module("wagate_heron")
        finally:
            sys.path.remove(name)
            sys.modules.pop("wagate_heron", None)


@pytest.fixture
def heron() -> Iterator[ModuleType]:
    with installed() as module:
        yield module


def account(heron: ModuleType, **settings: Any) -> ProviderAccount:
    return ProviderAccount(
        name="main",
        phone="15550001000",
        settings=heron.Settings(token="t", secret="s3cret", **settings),
        webhook_secret="",
        webhook_url="",
        trust="operator",
    )


def posted(body: bytes, secret: str = "s3cret") -> InboundRequest:
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"x-heron-signature": signature}
    return InboundRequest(method="POST", url="https://gw.example/webhooks/main", query={}, headers=headers, body=body)


def test_it_is_as_short_as_the_page_says_and_the_tests_shown_are_these() -> None:
    code, test = blocks("python")
    assert len(code.splitlines()) < 100
    assert test.strip() in Path(__file__).read_text("utf-8")


def test_a_signed_body_passes_and_any_other_does_not(heron: ModuleType) -> None:
    heron.verify(posted(BODY), account(heron))
    for wrong in (posted(BODY, "other"), replace(posted(BODY), body=BODY + b" "), replace(posted(BODY), headers={})):
        with pytest.raises(UnauthorizedError):
            heron.verify(wrong, account(heron))


def test_each_item_is_an_event_also_what_is_nonsense(heron: ModuleType) -> None:
    message, status, weather, nonsense = heron.parse(posted(BODY), account(heron))
    assert (message.kind, message.chat, message.content, message.contact_name) == (
        "message",
        "15550001111@c.us",
        "hello",
        "Ana",
    )
    assert (status.kind, status.chat, status.reference, status.extra["ackName"]) == (
        "message.ack",
        message.chat,
        "0190",
        "READ",
    )
    assert [weather.kind, nonsense.kind] == ["unknown", "unknown"]
    assert nonsense.raw.body == b'"nonsense"'
    with pytest.raises(BadRequestError):
        heron.parse(posted(b"{"), account(heron))


async def answered(seen: Seen) -> Reply:
    """Heron, as far as we use it."""
    return Reply(json={"id": f"hrn-{seen.json['ref']}"})


async def test_a_message_is_sent_and_a_refused_token_stops_the_account(heron: ModuleType) -> None:
    server, http = FakeServer(answered), HttpClient(allow_http=True)
    async with running(server):
        [provider] = heron.register_providers(replace(fake_context("heron").context, http=http))
        to = account(heron, base_url=server.url)
        message = OutMessage(chat="15550001111@c.us", type="text", text="hello")
        sent = await provider.send(Outgoing(id="0190", message=message, account=to))
        assert sent.message_id == "hrn-0190"
        assert server.seen[0].json == {"to": "15550001111", "text": "hello", "ref": "0190"}
        server.fail(Fault(reply=Reply(status=401)))
        with pytest.raises(AccountStoppedError):
            await provider.send(Outgoing(id="0191", message=message, account=to))
        await http.aclose()


@pytest.mark.parametrize(("status", "error"), [(429, NotSentError), (422, SendRefusedError)])
async def test_other_answers_say_what_is_certain(heron: ModuleType, status: int, error: type[Exception]) -> None:
    server, http = FakeServer(answered), HttpClient(allow_http=True)
    async with running(server):
        [provider] = heron.register_providers(replace(fake_context("heron").context, http=http))
        server.fail(Fault(reply=Reply(status=status)))
        message = OutMessage(chat="15550001111@c.us", type="text", text="hello")
        with pytest.raises(error):
            await provider.send(Outgoing(id="0190", message=message, account=account(heron, base_url=server.url)))
        await http.aclose()


async def test_a_gateway_takes_its_webhooks_in() -> None:
    table = tomllib.loads(blocks("toml")[1])["accounts"]["main"]
    assert set(table) == {"provider", "phone", "token", "secret"}
    values = table | {"token": "t", "secret": "s3cret"}
    with installed():
        async with running_gateway({"accounts.main": values, "plugins.n8n": {}}) as gateway:
            request = posted(BODY)
            for _ in range(2):
                headers = {**request.headers, "Authorization": ""}
                taken = await gateway.http.post("/webhooks/main", content=BODY, headers=headers)
                assert taken.status_code == 200, taken.text
            headers = {"x-heron-signature": "00", "Authorization": ""}
            refused = await gateway.http.post("/webhooks/main", content=BODY, headers=headers)
            assert refused.status_code == 401
            jobs = await gateway.ask("GET", "/api/jobs", params={"connector": "n8n"})
            assert [job["content"] for job in jobs["data"]] == ["hello"]
