"""Whatever goes wrong before a request has left, each provider's message was not sent; afterwards nobody knows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.contract.test_golden_outgoing import ID, MESSAGES, PLUGINS, SITES, THEM, held
from tests.provider_sites import Site
from tests.receivers import LOOPBACK, OK, Authority, Names, answering, read_request, serving
from tests.unit.test_http_left import REFUSALS, STALLS, saying
from wagate.config import convert_settings
from wagate.errors import NotSentError, OutcomeUnknownError, SendError
from wagate.hooks import Edit, Outgoing, OutMessage, Provider, ProviderAccount
from wagate.http import HttpClient, Response
from wagate.http.resolve import Resolver
from wagate.outbound.handover import as_send_error
from wagate.testing import fake_context
from wagate.testing.server import running

BRIEF, LONG = 0.2, 2.0
"""Seconds for what never leaves, and for what must."""
ABOUT = f"true_{THEM}_3EB0IN01"
sites = pytest.mark.parametrize("make", SITES, ids=lambda make: make.provider)


class Hurried(HttpClient):
    """The real one, with less patience."""

    patience = BRIEF

    async def request(self, method: str, url: str, **options: Any) -> Response:
        return await super().request(method, url, **options | {"timeout": self.patience})


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload of Meta's has a patience of its own, and nothing of the message leaves with it."""
    monkeypatch.setattr("wagate_meta.send._PATIENCE", BRIEF)


@asynccontextmanager
async def at(site: Site, base: str, **options: Any) -> AsyncIterator[tuple[Provider, ProviderAccount]]:
    """The site's provider, whose service is somewhere else."""
    names = Resolver(Names(api_test=[["127.0.0.1"]]), deadline=60)
    http = Hurried(**{"guard": LOOPBACK, "allow_http": True, "resolver": names} | options)
    [provider] = PLUGINS[site.provider].register_providers(context=replace(fake_context("x").context, http=http))
    async with running(site.server):
        given = {name: value for name, value in site.settings().items() if name not in {"phone", "webhook_secret"}}
    moved = {name: base for name in given if name.endswith("_url")}
    media = {"media": "base64"} if site.provider in {"waha", "session"} else {}
    account = ProviderAccount(
        name="main",
        phone="15550000100",
        settings=convert_settings(provider.settings_type, given | moved | media, key="accounts.main"),
        webhook_secret="",
        webhook_url="https://gate.example/webhooks/main",
        trust="operator",
    )
    try:
        yield provider, account
    finally:
        await http.aclose()


async def outcomes(provider: Provider, account: ProviderAccount, folder: Path) -> dict[str, SendError]:
    """What becomes of everything that it can be asked to send or to change: all at once, since each waits in vain."""
    assert provider.send is not None
    send = partial(Outgoing, id=ID, account=account)
    text, image = (OutMessage(chat=THEM, **MESSAGES[kind]) for kind in ("text", "image"))
    acts = {
        "text": partial(provider.send, send(message=text)),
        "image": partial(provider.send, send(message=image, file=held("image", folder))),
    }
    if provider.revoke is not None:
        acts["revoke"] = partial(provider.revoke, ABOUT, THEM, account)
    if provider.edit is not None:
        acts["edit"] = partial(provider.edit, Edit(message_id=ABOUT, chat=THEM, text="Hi", type="text"), account)
    found = {}

    async def tried(name: str) -> None:
        with pytest.raises(Exception) as caught:  # noqa: PT011  (the core takes all)
            await acts[name]()
        found[name] = as_send_error(caught.value)

    async with trio.open_nursery() as nursery:
        for name in acts:
            nursery.start_soon(tried, name)
    return found


async def nothing_sent(provider: Provider, account: ProviderAccount, folder: Path) -> None:
    found = await outcomes(provider, account, folder)
    assert {name: type(error) for name, error in found.items()} == dict.fromkeys(found, NotSentError), found


@sites
async def test_without_a_connection_it_was_not_sent(make: type[Site], tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with AsyncExitStack() as stack:
        refusing = await stack.enter_async_context(AsyncExitStack())
        closed = await refusing.enter_async_context(serving(answering(OK)))
        await refusing.aclose()
        other = await stack.enter_async_context(serving(answering(OK), authority.server("other.test")))
        mute = await stack.enter_async_context(serving(saying()))
        places = (
            closed.url(""),
            "https://gone.test",
            other.url("", host="api.test", scheme="https"),
            mute.url("", scheme="https"),
        )
        for place in places:
            async with at(make(), place, ca_file=authority.file) as (provider, account):
                await nothing_sent(provider, account, tmp_path)


@sites
@pytest.mark.parametrize(
    ("scheme", "answers", "then"),
    [
        *((*case, "waits") for case in STALLS[1::2]),
        *((*case, "hangs up") for case in REFUSALS),
    ],
)
async def test_what_a_proxy_did_not_pass_on_was_not_sent(
    make: type[Site], scheme: str, answers: Sequence[bytes], then: str, tmp_path: Path
) -> None:
    async with serving(saying(*answers, then=then)) as proxy:
        options = {"proxy": f"{scheme}://127.0.0.1:{proxy.port}"}
        async with at(make(), "https://api.test", **options) as (provider, account):
            await nothing_sent(provider, account, tmp_path)


@sites
@pytest.mark.parametrize("how", ["hangs up", "waits"])
async def test_what_was_sent_and_not_answered_may_have_been_taken(
    make: type[Site], how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hurried, "patience", LONG)

    async def rude(stream: trio.abc.Stream) -> None:
        await read_request(stream)
        if how == "waits":
            await trio.sleep_forever()

    site = make()
    async with serving(rude) as server, at(site, server.url("")) as (provider, account):
        found = await outcomes(provider, account, tmp_path)
    by_upload = {"image"} if site.provider in {"meta", "dialog360"} else set()
    for name, error in found.items():
        assert isinstance(error, NotSentError if name in by_upload else OutcomeUnknownError), (name, error)
