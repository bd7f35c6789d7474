"""What a request changes is done to its end, also when its client goes away in the middle of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing
from quart import Response

from wagate.hooks.routes import endpoint
from wagate.running import RUNNING
from wagate.web.finish import Finishing


class Site:
    """A page that takes a while, asked by a client that hangs up."""

    def __init__(self, *, act: str) -> None:
        self.app = Finishing("site")
        self.begun, self.asked, self.goes_on, self.done = trio.Event(), trio.Event(), trio.Event(), False
        self.before: Callable[[], Awaitable[None]] | None = None

        @self.app.post("/")
        @endpoint(answers={204: None}, act=act)
        async def page() -> Response:
            if self.before is not None:
                await self.before()
            self.begun.set()
            await self.goes_on.wait()
            self.done = True
            return Response(b"", status=204)

        assert page is not None

    async def ask(self, *, whole: bool = True) -> None:
        scope: dict[str, Any] = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
            "path": "/", "raw_path": b"/", "query_string": b"", "root_path": "", "headers": [(b"host", b"here")],
            "server": ("here", 80), "client": ("127.0.0.1", 1), "extensions": {},
        }  # fmt: skip
        came = [{"type": "http.request", "body": b"x", "more_body": not whole}]

        async def receive() -> dict[str, Any]:
            if came:
                return came.pop()
            if whole:
                await self.begun.wait()
            return {"type": "http.disconnect"}

        async def send(_message: dict[str, Any]) -> None:
            await trio.lowlevel.checkpoint()

        await self.app.asgi_app(scope, receive, send)  # type: ignore[arg-type]  # typed as one of many


@pytest.mark.parametrize("act", ["revoke token", ""])
async def test_only_an_act_goes_on_when_its_client_has_gone(act: str) -> None:
    site = Site(act=act)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(site.ask)
        await site.begun.wait()
        await trio.testing.wait_all_tasks_blocked()
        site.goes_on.set()
    assert site.done is bool(act)
    assert RUNNING.get() is None


async def test_an_act_whose_body_never_comes_does_not_wait_for_it() -> None:
    site = Site(act="revoke token")
    with trio.fail_after(10):
        await site.ask(whole=False)
    assert not site.begun.is_set()


async def test_a_stop_of_the_server_ends_an_act_all_the_same() -> None:
    site = Site(act="revoke token")
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(site.ask)
            await site.begun.wait()
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    assert not site.done


@pytest.mark.parametrize("act", ["revoke token", ""])
async def test_who_asked_for_an_act_goes_on_with_it(act: str) -> None:
    outer, inner = Site(act=""), Site(act=act)
    inner.goes_on.set()

    async def through() -> None:
        await inner.ask()
        outer.asked.set()
        await outer.goes_on.wait()

    outer.before = through
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outer.ask)
        await outer.asked.wait()
        outer.begun.set()
        await trio.testing.wait_all_tasks_blocked()
        outer.goes_on.set()
    assert outer.done is bool(act)
