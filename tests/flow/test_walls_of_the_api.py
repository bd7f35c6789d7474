"""How long one request holds the loop, where bodies end, and how paths are spelt: in this process, on a real socket."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
import trio

from tests.api_site import ACME, ADMIN, api_site
from tests.held import HELD, LOOKS, units
from wagate.config.tables import Limits, Server
from wagate.config.units import Size

MB = 1024 * 1024
HEAVY: dict[str, Callable[[], bytes]] = {
    "empty objects": lambda: b'{"from":"+15550001","to":"1","metadata":[' + b"{}," * 3_300_000 + b"{}]}",
    "unknown keys": lambda: b'{"name":"a","settings":{' + b",".join(b'"%x":1' % n for n in range(500_000)) + b"}}",
    "unknown keys that fit": lambda: (
        b'{"name":"a","provider":"session","settings":{' + b",".join(b'"%x":1' % n for n in range(20_000)) + b"}}"
    ),
    "lone surrogates": lambda: b'{"from":"+15550001","message":"' + b"\\ud800" * 1_700_000 + b'","tenant_id":"acme"}',
    "a long name": lambda: b'{"session":"main","messageId":"true_' + b"@" * 200_000 + b'","reaction":"x"}',
    "brackets": lambda: b"[" * (9 * MB),
    "a file": lambda: (
        b'{"to":"+15550001","tenant_id":"acme","message":{"image":{"data":"' + b"QUJD" * (2 * MB) + b'"}}}'
    ),
    "no file": lambda: b'{"to":"+15550001","tenant_id":"acme","message":{"image":{"data":"' + b"data:" * (MB) + b'"}}}',
    "form": lambda: b"a=1&" * (2 * MB),
}
ROUTES = (
    ("POST", "/messages/send"),
    ("POST", "/webhook/inbound"),
    ("POST", "/api/accounts"),
    ("POST", "/routes/api/v1/conversations/ingest"),
    ("PUT", "/api/reaction"),
    ("POST", "/api/whatsapp/webhook/phone"),
    ("POST", "/nothing"),
)


class Longest(trio.abc.Instrument):
    """The longest step of a task, in seconds of this thread: what neighbours on the machine take does not count."""

    def __init__(self) -> None:
        self.step, self.task, self._began = 0.0, "", time.thread_time()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        took = time.thread_time() - self._began
        if took > self.step and not task.name.startswith("<test"):  # That one is the client.
            self.step, self.task = took, task.name


@pytest.mark.parametrize("what", HEAVY)
async def test_no_request_of_any_size_holds_the_loop_over_100_ms(what: str, tmp_path: Path) -> None:
    body = HEAVY[what]()
    async with api_site(tmp_path) as site, site.as_(ADMIN) as http:
        await http.get("/openapi.json")  # Made once.
        for method, path in ROUTES:
            found = dict[float, str]()
            while len(found) < LOOKS and min(found, default=HELD) >= HELD:
                longest = await longest_step(http, method, path, body)
                found[units(longest.step)] = f"{method} {path}: {longest.task} {longest.step * 1000:.0f} ms"
            assert min(found) < HELD, found


async def longest_step(http: httpx2.AsyncClient, method: str, path: str, body: bytes) -> Longest:
    longest = Longest()
    trio.lowlevel.add_instrument(longest)
    try:
        await http.request(method, path, content=body)
    except (httpx2.WriteError, httpx2.ReadError):
        pass  # Refused before the body was taken.
    finally:
        trio.lowlevel.remove_instrument(longest)
    return longest


async def test_bodies_of_management_routes_end_sooner_than_others(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    body = b'{"x":"' + b"a" * (300 * 1024) + b'"}'
    async with api_site(tmp_path) as site, site.as_(ACME) as http:
        for method, path in (("POST", "/api/accounts"), ("POST", "/routes/api/v1/conversations/ingest")):
            refused = await http.request(method, path, content=body)
            assert (refused.status_code, refused.json()["detail"]) == (413, "the body is over limits.body")
        for path in ("/messages/send", "/webhook/inbound", "/api/sendText"):
            assert (await http.post(path, content=body)).status_code in {400, 422}
    async with api_site(other, limits=Limits(body=Size("1KiB"))) as site, site.as_(ACME) as http:
        assert (await http.post("/api/accounts", content=b" " * 1025)).status_code == 413
        assert (await http.post("/api/accounts", content=b" " * 1024)).status_code == 400


async def test_a_body_without_room_is_503_and_says_when_to_come_back(tmp_path: Path) -> None:
    limits = Limits(body_bytes=Size("100KiB"))
    async with api_site(tmp_path, limits=limits, server=Server(max_body=Size("1MiB"))) as site, site.as_(ACME) as http:
        for path in ("/messages/send", "/webhook/inbound"):
            refused = await http.post(path, content=b" " * 90_000)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "2"), refused.text
            assert (await http.post(path, content=b" " * 1000)).status_code == 400


@pytest.mark.parametrize("path", ["/metrics/", "//metrics", "///metrics", "/api/accounts/", "//api/accounts", "/ping/"])
async def test_a_path_has_one_spelling(path: str, tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ADMIN) as http:
        answer = await http.get(site.url + path)
        assert (answer.status_code, answer.json()["title"]) == (404, "Not found")
