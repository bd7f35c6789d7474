"""What strangers and clients may do to the dashboard, and what it does then."""

from __future__ import annotations

import gzip
import re

import httpx2
import pytest

from tests.flow.dashboard import browser
from tests.gateway import TOKEN
from tests.inprocess import Gateway, running_gateway
from tests.sink import Sink
from wagate.errors import BadRequestError, ForbiddenError, NotFoundError, StorageError

pytest_plugins = ("tests.flow.dashboard",)


@pytest.mark.parametrize("led", ["/ui/\r\nX-A: b", "/ui/\x00", "/ui/\\evil.test", "/ui/../x", "//evil.test", "/ui/é"])
async def test_where_a_form_leads_is_a_page_of_ours_and_breaks_no_header(running: Gateway, led: str) -> None:
    async with browser(running) as http:
        csrf = re.search(r'name="csrf" value="(\w+)"', (await http.get("/ui/")).text)
        assert csrf is not None
        themed = await http.post("/ui/theme", data={"csrf": csrf[1], "to": led})
        entered = await http.post("/ui/signin", data={"token": TOKEN, "next": led})
        for answer in (themed, entered):
            assert answer.status_code == 303, answer.text
            assert re.fullmatch(r"/ui/[!-~]*", answer.headers["location"])
            assert not re.search(r"\\|\.\.|x-a", answer.headers["location"].partition("%0D")[0])


async def test_a_stranger_breaks_no_page_with_an_origin_that_is_none(running: Gateway) -> None:
    async with httpx2.AsyncClient(base_url=running.url, trust_env=False, verify=False) as http:
        answer = await http.post("/ui/signin", data={"token": TOKEN}, headers={"Origin": "http://["})
        assert answer.status_code == 403


async def test_a_form_with_thousands_of_fields_is_refused_before_it_is_taken_apart(running: Gateway) -> None:
    async with browser(running) as http:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await http.post("/ui/theme", content=b"a=&" * 1000, headers=form)
        assert answer.status_code == 413
        assert (await http.post("/ui/theme", content=b"a" * 70_000, headers=form)).status_code == 413


async def test_one_token_has_so_many_browsers_and_the_one_used_longest_ago_goes(
    running: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wagate.storage.passes.MOST_SIGNINS", 2)
    async with browser(running) as first, browser(running) as second, browser(running) as third:
        signed_in = [(await each.get("/ui/")).status_code for each in (first, second, third)]
        assert signed_in == [303, 200, 200]


async def test_a_thousand_receivers_are_shown_page_by_page(running: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wagate.web.ui.receivers.PAGE", 2)
    for number in range(3):
        await running.register(f"https://127.0.0.1/{number}", name=f"Receiver {number}")
    async with browser(running) as http:
        first, last = (await http.get("/ui/receivers")).text, (await http.get("/ui/receivers?page=1")).text
        assert [("Receiver 0" in page, "Receiver 2" in page) for page in (first, last)] == [
            (True, False),
            (False, True),
        ]
        assert ("?page=1" in first, "?page=2" in last) == (True, False)
        for odd in ("-1", "x", "٣", "9999", "99999999"):
            assert (await http.get(f"/ui/receivers?page={odd}")).status_code == 200, odd
        for listed, none in (("receivers", "No receiver gets messages yet"), ("numbers", "No number yet")):
            for client in ("", "?client=default"):
                beyond = (await http.get(f"/ui/{listed}{client or '?'}&page=9")).text
                assert (none in beyond, "There is no such page" in beyond) == (False, True), beyond
                assert f'href="/ui/{listed}{client}">To the first page' in beyond, beyond
        assert "No number yet" in (await http.get("/ui/numbers")).text


async def test_a_page_has_one_spelling(running: Gateway) -> None:
    async with browser(running) as http:
        for path in ("/ui//receivers", "/ui//", "/ui/receivers/", "/ui/static//x/app.css"):
            assert (await http.get(path)).status_code == 404, path


async def test_pages_count_against_the_limit_of_the_api(receiver: Sink) -> None:
    tables = {"limits": {"api": "5/min"}}
    async with running_gateway(tables, ca_file=receiver.ca_file) as gateway, browser(gateway) as http:
        answers = [await http.get("/ui/more") for _ in range(7)]
        assert [each.status_code for each in answers[:5]] == [200] * 5
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["retry-after"]) > 0


async def test_with_tls_in_front_the_cookie_is_secure_and_bound_to_the_host(receiver: Sink) -> None:
    tables = {"server": {"trusted_proxies": ["127.0.0.1"]}}
    async with (
        running_gateway(tables, ca_file=receiver.ca_file) as gateway,
        httpx2.AsyncClient(base_url=gateway.url, trust_env=False, verify=False) as http,
    ):
        for scheme, name, secure in (("https", "__Host-wagate", True), ("http", "wagate", False)):
            answer = await http.post("/ui/signin", data={"token": TOKEN}, headers={"X-Forwarded-Proto": scheme})
            cookie, *flags = answer.headers["set-cookie"].split("; ")
            assert cookie.startswith(f"{name}=")
            assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(flags)
            assert ("Secure" in flags) == secure


async def test_with_tls_in_front_a_plain_cookie_counts_for_nothing(receiver: Sink) -> None:
    """Another host of the domain, or somebody on a plain connection, can plant one: with a sign-in of their own."""
    async with running_gateway({"server": {"trusted_proxies": ["127.0.0.1/32"]}}, ca_file=receiver.ca_file) as gateway:
        async with browser(gateway) as http:
            planted = {"Cookie": f"wagate={http.cookies['wagate']}"}
        async with httpx2.AsyncClient(base_url=gateway.url, trust_env=False, verify=False, headers=planted) as http:
            assert (await http.get("/ui/")).status_code == 200
            assert (await http.get("/ui/", headers={"X-Forwarded-Proto": "https"})).status_code == 303


async def test_a_link_on_another_site_leads_to_the_page_it_names_with_the_cookie(running: Gateway) -> None:
    """The browser keeps a strict cookie back there; a page of ours that goes on by itself brings it."""
    led = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    async with httpx2.AsyncClient(base_url=running.url, trust_env=False, verify=False, headers=led) as http:
        for asked, there in (
            ("/ui/deliveries?state=failed&q=a%22%3E", "/ui/deliveries?state=failed&amp;q=a%22%3E"),
            ("/ui/receivers/%22%3E%3Cscript%3E", "/ui/receivers/%22%3E%3Cscript%3E"),
            ("/ui/enter?k=wrong", "/ui/enter?k=wrong"),
        ):
            answer = await http.get(asked)
            assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
            assert f'content="0;url={there}"' in answer.text
        assert (await http.get("/ui/scan?k=wrong")).status_code == 404
        assert (await http.post("/ui/signout")).status_code == 303
        home = await http.get("/ui/", headers={"Sec-Fetch-Site": "same-origin"})
        assert home.headers["location"] == "/ui/signin?next=/ui/"


async def test_a_form_that_is_too_large_is_refused_with_a_page_for_a_person(running: Gateway) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    async with httpx2.AsyncClient(base_url=running.url, trust_env=False, verify=False, headers=form) as http:
        for path in ("signin", "scan", "enter"):
            refused = await http.post(f"/ui/{path}", content=b"k=" + b"a" * 5000, headers={"Accept": "text/html"})
            assert refused.status_code == 413
            assert refused.headers["content-type"] == "text/html; charset=utf-8"
            assert "script-src 'self'" in refused.headers["content-security-policy"]
            assert "Go back: what you typed is still there." in refused.text
            assert '<title id="tab">Too large · wagate</title>' in refused.text
        program = await http.post("/ui/signin", content=b"k=" + b"a" * 5000)
        assert program.headers["content-type"] == "application/problem+json"


async def test_the_first_page_with_all_that_it_loads_is_light(running: Gateway, receiver: Sink) -> None:
    for number in range(12):
        await running.register(f"{receiver.url}/{number}", name=f"Receiver {number}")
        body = {"name": f"number-{number}", "provider": "session"}
        await running.ask("POST", "/api/accounts", 201, json=body)
    async with browser(running) as http:
        page = await http.get("/ui/")
        loads = set(re.findall(r'(?:src|href)="(/ui/static/[^"]+)"', page.text))
        parts = [page.content] + [(await http.get(each)).content for each in sorted(loads)]
    assert len(parts) >= 4
    assert sum(len(gzip.compress(each)) for each in parts) <= 30_000


@pytest.mark.parametrize(
    ("error", "status", "title"),
    [
        (StorageError("the database is away"), 503, "Not available now"),
        (ForbiddenError("not yours"), 403, "Not allowed"),
        (NotFoundError("gone"), 404, "Not here"),
        (RuntimeError("a fault"), 500, "Something went wrong"),
        (BadRequestError("a riddle"), 400, "That didn&#39;t work"),
    ],
)
async def test_the_title_of_a_problem_says_which_kind_it_is(
    error: Exception, status: int, title: str, running: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> int:
        raise error

    monkeypatch.setattr("wagate.web.ui.numbers.page_asked", fails)
    async with browser(running) as http:
        page = await http.get("/ui/numbers")
    assert (page.status_code, f">{title} · wagate</title>" in page.text) == (status, True), page.text
