"""The dashboard over HTTP, without a browser: sign-in, pages, acts, safety."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

import httpx2
import pytest
import trio

from tests.flow.dashboard import browser, press
from tests.gateway import TOKEN
from tests.inprocess import Gateway, running_gateway
from tests.sink import Sink

pytest_plugins = ("tests.flow.dashboard",)

NASTY = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(2)>",
    "</title></textarea><svg/onload=alert(3)>",
    "' autofocus onfocus=alert(4) x='",
    "<iframe srcdoc='<script>alert(5)</script>'>",
    "javascript:alert(6)//<a href=javascript:alert(6)>",
    "{{7*191}}${7*191}{%print(7*191)%}",
    "<!--<noscript><p title='--><img src=x onerror=alert(7)>'>",
    "&lt;script&gt;alert(8)&lt;/script&gt;",
    "<span id=need hx-swap-oob=true hx-get=/ui/>",
)
"""Texts that must stay texts."""
PAGES = (
    "",
    "numbers",
    "add",
    "add/meta",
    "receivers",
    "webhooks",
    "webhooks/new",
    "conversations",
    "deliveries",
    "clients",
    "clients/default",
    "doctor",
    "audit",
    "system",
    "more",
)


@pytest.fixture
async def target(running: Gateway, receiver: Sink) -> str:
    """The receiver's webhook."""
    made = await running.register(receiver.url, name="Order bot")
    return f"webhook:{made['id']}"


async def test_who_is_not_signed_in_is_led_to_the_sign_in_and_back(running: Gateway) -> None:
    async with httpx2.AsyncClient(base_url=running.url, trust_env=False, verify=False) as http:
        for page in PAGES:
            answer = await http.get(f"/ui/{page}")
            assert (answer.status_code, answer.headers["location"]) == (303, f"/ui/signin?next=/ui/{page}")
        wrong = await http.post("/ui/signin", data={"token": "not-the-token-of-anybody"})
        assert (wrong.status_code, "not valid" in wrong.text) == (401, True)
        right = await http.post("/ui/signin", data={"token": TOKEN, "next": "/ui/deliveries"})
        assert (right.status_code, right.headers["location"]) == (303, "/ui/deliveries")
        foreign = await http.post("/ui/signin", data={"token": TOKEN, "next": "https://evil.test/ui/"})
        assert foreign.headers["location"] == "/ui/"


async def test_a_browser_is_led_to_the_dashboard_and_a_program_is_not(running: Gateway) -> None:
    async with httpx2.AsyncClient(base_url=running.url, trust_env=False, verify=False) as http:
        for path, led in (("/", "/ui/"), ("/jobs", "/ui/deliveries"), ("/ui", "/ui/")):
            answer = await http.get(path, headers={"Accept": "text/html,*/*"})
            assert (answer.status_code, answer.headers["location"]) == (303, led)
        assert (await http.get("/", headers={"Accept": "application/json"})).status_code != 303


async def test_the_cookie_is_no_token_and_the_token_is_no_cookie(running: Gateway) -> None:
    async with browser(running) as http:
        cookie = http.cookies["wagate"]
        assert cookie != TOKEN
        assert (await http.get("/api/jobs")).status_code == 401
        assert (await running.http.get("/api/jobs", headers={"Authorization": f"Bearer {cookie}"})).status_code == 401
    async with httpx2.AsyncClient(
        base_url=running.url, trust_env=False, verify=False, cookies={"wagate": TOKEN}
    ) as http:
        assert (await http.get("/ui/")).status_code == 303


async def test_every_page_has_the_strict_policy_and_nothing_inline(running: Gateway) -> None:
    async with browser(running) as http:
        for page in PAGES:
            answer = await http.get(f"/ui/{page}")
            assert answer.status_code == 200, (page, answer.text)
            assert "script-src 'self'" in answer.headers["content-security-policy"]
            assert answer.headers["cache-control"] == "no-store"
            assert re.findall(r'<script src="/ui/static/\w+/([^"]+)"', answer.text) == ["wagate.js"]
            assert not re.search(r"<style|\sstyle=|\son\w+=|hx-on|javascript:|<script(?! src=)", answer.text), page
            for link in set(re.findall(r'(?:href|src)="(/ui/static/[^"]+)"', answer.text)):
                asset = await http.get(link)
                assert (asset.status_code, "immutable" in asset.headers["cache-control"]) == (200, True)


async def test_an_act_needs_the_secret_of_the_page_and_its_own_site(running: Gateway, target: str) -> None:
    async with browser(running) as http:
        url = f"/ui/receivers/{target}/pause"
        csrf = re.search(r'name="csrf" value="(\w+)"', (await http.get("/ui/")).text)
        assert csrf is not None
        assert (await http.post(url, data={})).status_code == 403
        assert (await http.post(url, data={"csrf": "0" * 32})).status_code == 403
        for header in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.test"}):
            assert (await http.post(url, data={"csrf": csrf[1]}, headers=header)).status_code == 403
        shown = await running.ask("GET", f"/api/targets/{target}")
        assert shown["state"] == "up"


async def test_a_receiver_is_paused_and_resumed_and_who_did_it_is_written_down(
    running: Gateway, receiver: Sink, target: str
) -> None:
    async with browser(running) as http:
        page = await press(http, f"/ui/receivers/{target}", f"/ui/receivers/{target}/pause")
        assert "Paused." in page.text
        await running.post("hello")
        assert receiver.got == []
        overview = (await http.get("/ui/receivers")).text
        assert "Order bot" in overview
        await press(http, f"/ui/receivers/{target}", f"/ui/receivers/{target}/resume")
        await receiver.until(lambda sink: len(sink.got) >= 1)
        audit = (await http.get("/ui/audit")).text
        assert audit.index(">resume<") < audit.index(">pause<")


async def test_what_is_down_needs_somebody_and_try_now_says_what_came_of_it(
    running: Gateway, receiver: Sink, target: str
) -> None:
    receiver.script = lambda _: 503
    async with browser(running) as http:
        await running.post("hello")
        for _ in range(12):
            if (await running.ask("GET", f"/api/targets/{target}"))["state"] == "down":
                break
            await running.passes(120)
        page = (await http.get("/ui/")).text
        assert "One thing needs you" in page
        assert "does not answer" in page
        still = await press(http, "/ui/", f"/ui/receivers/{target}/probe", to="/ui/")
        assert "still accepts nothing" in still.text
        receiver.script = lambda _: 200
        up = await press(http, "/ui/", f"/ui/receivers/{target}/probe", to="/ui/")
        assert "It answers." in up.text


class Elements(HTMLParser):
    """What a browser makes of a page: its elements with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.made: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.made.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def strange(self) -> list[tuple[str, dict[str, str | None]]]:
        """Elements and attributes that no template of ours has."""
        return [
            (tag, found)
            for tag, found in self.made
            if tag == "iframe"
            or (tag == "script" and "src" not in found)
            or any(name.startswith("on") for name in found)
            or found.get("src") == "x"
            or "hx-swap-oob" in found
            or (found.get("href") or "").startswith("javascript:")
        ]


async def test_what_comes_from_outside_is_text(running: Gateway, receiver: Sink, target: str) -> None:
    receiver.script = lambda _: (400, {"x-reason": NASTY[1], "content-type": NASTY[0]})
    for number, text in enumerate(NASTY):
        await running.register(f"{receiver.url}/{number}", name=text[:60], phone_number=f"+1202555010{number}")
        await running.post(
            text,
            contact_name=text,
            message_id=f"{number} {text}",
            message={"text": text, "media": [{"type": "document", "filename": text, "url": receiver.url}]},
        )
    await running.ask(
        "POST", "/api/whatsapp/webhook/broken", json={"event": "auth_failure", "data": {"message": NASTY[1]}}
    )
    await receiver.until(lambda sink: len(sink.got) >= len(NASTY))
    async with browser(running) as http:
        jobs = (await running.ask("GET", "/api/jobs"))["data"]
        hooks = (await running.ask("GET", "/api/targets"))["data"]
        seen = ""
        for page in (
            *PAGES,
            "numbers/broken",
            *(f"deliveries/{job['id']}" for job in jobs),
            *(f"receivers/{hook['id']}" for hook in hooks),
        ):
            elements = Elements((await http.get(f"/ui/{page}")).text)
            assert elements.strange() == [], page
            assert "1337" not in elements.text, page
            seen += elements.text
        for text in NASTY:
            assert text in seen, text
            for field in ("error", "q", "chat", "number"):
                shown = await http.get("/ui/deliveries", params={field: text})
                assert Elements(shown.text).strange() == [], (field, text)


async def test_a_client_sees_its_own_things_alone_on_every_page(running: Gateway, target: str) -> None:
    await running.post("a secret of the default client")
    job = (await running.ask("GET", "/api/jobs"))["data"][0]
    token = (await running.client("other"))["token"]
    async with browser(running, token) as http:
        for page in (*PAGES, f"receivers/{target}", f"deliveries/{job['id']}", "numbers/default"):
            answer = await http.get(f"/ui/{page}")
            assert answer.status_code in {200, 403, 404}
            for ours in ("a secret of", "Order bot", target, job["id"]):
                assert ours not in answer.text.replace(f"/ui/{page}", ""), page


async def test_revoking_a_token_signs_its_holder_out(running: Gateway) -> None:
    token = (await running.client("acme"))["token"]
    async with browser(running, token) as http:
        assert (await http.get("/ui/")).status_code == 200
        (row,) = (await running.ask("GET", "/api/clients/acme/tokens"))["data"]
        await running.ask("DELETE", f"/api/clients/acme/tokens/{row['id']}", 204)
        assert (await http.get("/ui/")).status_code == 303


async def test_a_sign_in_ends_when_nobody_uses_it_and_lasts_when_it_is_kept(running: Gateway) -> None:
    async with browser(running) as http, browser(running, keep="on") as kept:
        await running.passes(11 * 3600)
        assert (await http.get("/ui/")).status_code == 200
        await running.passes(11 * 3600)
        assert (await http.get("/ui/")).status_code == 200
        await running.passes(13 * 3600)
        assert (await http.get("/ui/")).status_code == 303
        assert (await kept.get("/ui/")).status_code == 200
        await running.passes(30 * 86400)
        assert (await kept.get("/ui/")).status_code == 303


async def test_signing_out_ends_it_everywhere(running: Gateway) -> None:
    async with browser(running) as http:
        stolen = dict(http.cookies)
        await press(http, "/ui/more", "/ui/signout")
        async with httpx2.AsyncClient(base_url=running.url, trust_env=False, verify=False, cookies=stolen) as thief:
            assert (await thief.get("/ui/")).status_code == 303


async def test_deliveries_are_found_picked_and_run_again(running: Gateway, receiver: Sink, target: str) -> None:
    receiver.script = lambda _: 400
    for text in ("one", "two"):
        await running.post(text)
    await receiver.until(lambda sink: len(sink.got) >= 2)
    async with browser(running) as http:
        jobs = [each["id"] for each in (await running.ask("GET", "/api/jobs?state=failed"))["data"]]
        listed = (await http.get("/ui/deliveries?state=failed&error=(400)")).text
        assert all(each in listed for each in jobs)
        nothing = (await http.get("/ui/deliveries?error=nothing+like+it")).text
        assert not any(each in nothing for each in jobs)
        assert "Look further" not in listed + nothing
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("wagate.storage.events.listing.SEARCHED", 1)
            nothing = (await http.get("/ui/deliveries?error=nothing+like+it")).text
            assert "Nothing was found in the 1 deliveries that were looked through." in nothing
            first = (await http.get("/ui/deliveries?state=failed&error=(400)")).text
            assert (f'value="{jobs[0]}"' in first, f'value="{jobs[1]}"' in first, "Retry all that match" in first) == (
                True,
                False,
                True,
            )
            [further] = re.findall(r'href="([^"]+)">Look further', first)
            second = (await http.get(unescape(further))).text
            assert (f'value="{jobs[0]}"' in second, f'value="{jobs[1]}"' in second, "Look further" in second) == (
                False,
                True,
                True,
            )
        found = await http.get("/ui/deliveries", params={"q": jobs[0]})
        assert found.headers["location"] == f"/ui/deliveries/{jobs[0]}"
        receiver.script = lambda _: 200
        page = await press(http, "/ui/deliveries?state=failed", "/ui/deliveries", id=jobs, do="retry")
        assert "2 deliveries. It will be sent again." in page.text
        await receiver.until(lambda sink: len(sink.got) >= 4)


async def test_all_that_match_are_run_again_once_the_count_was_seen(
    running: Gateway, receiver: Sink, target: str
) -> None:
    receiver.script = lambda _: 400
    for text in ("one", "two", "three"):
        await running.post(text)
    await receiver.until(lambda sink: len(sink.got) >= 3)
    async with browser(running) as http:
        listed = await http.get(f"/ui/deliveries?state=failed&target={target}")
        assert "do=retry-all" in listed.text
        assert "Retry all 3 that match …" in listed.text
        asked = (await http.get(f"/ui/deliveries/bulk?state=failed&target={target}&do=retry-all")).text
        assert "Retry 3 failed deliveries to Order bot?" in asked
        assert "Order bot is failing now" in asked
        assert ("<dd>Order bot</dd>" in asked, "<dt>Chats</dt><dd>1</dd>" in asked) == (True, True)
        receiver.script = lambda _: 200
        form = {name: re.search(rf'name="{name}" value="([^"]+)"', asked)[1] for name in ("csrf", "shown")}  # type: ignore[index]
        forged = await http.post("/ui/deliveries/bulk?do=retry-all", data=form | {"shown": form["shown"][:-3] + "abc"})
        assert forged.status_code == 400
        started = await http.post("/ui/deliveries/bulk?do=retry-all", data=form)
        await receiver.until(lambda sink: len(sink.got) >= 6)
        await running.passes(1)
        assert "3 done" in (await http.get(started.headers["location"])).text
        assert "retry all" in (await http.get("/ui/audit")).text


async def test_recover_asks_first_with_its_filter_filled_in(running: Gateway, receiver: Sink, target: str) -> None:
    receiver.script = lambda _: 400
    await running.post("one")
    await receiver.until(lambda sink: len(sink.got) >= 1)
    async with browser(running) as http:
        form = (
            (await http.get(f"/ui/receivers/{target}"))
            .text.partition('aria-labelledby="rec"')[2]
            .partition("</form>")[0]
        )
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
        assert re.search(r'method="get" action="([^"]+)"', form)[1] == "/ui/deliveries/bulk"  # type: ignore[index]
        for since, count in (("24h", 1), ("", 1)):
            asked = (await http.get("/ui/deliveries/bulk", params=hidden | {"since": since})).text
            assert f"Retry {count} permanently failed deliveries to Order bot" in asked
    assert len(receiver.got) == 1


async def test_giving_up_all_needs_the_count_typed(running: Gateway, receiver: Sink, target: str) -> None:
    receiver.script = lambda _: 503
    await running.post("one")
    await receiver.until(lambda sink: len(sink.got) >= 1)
    async with browser(running) as http:
        path = f"/ui/deliveries/bulk?state=pending&target={target}&do=cancel-all"
        asked = (await http.get(path)).text
        form = {name: re.search(rf'name="{name}" value="([^"]+)"', asked)[1] for name in ("csrf", "shown")}  # type: ignore[index]
        refused = await http.post(path, data=form)
        assert (refused.status_code, "Type 1 to confirm" in refused.text) == (422, True)
        assert (await http.post(path, data=form | {"typed": "1"})).status_code == 303
        job = (await running.ask("GET", "/api/jobs"))["data"]
        for _ in range(100):
            job = (await running.ask("GET", f"/api/jobs?target={target.partition(':')[2]}"))["data"]
            if job[0]["status"] == "cancelled":
                break
            await running.passes(1)
        assert job[0]["status"] == "cancelled"


async def test_a_body_that_nobody_may_post_is_not_kept(running: Gateway) -> None:
    async with httpx2.AsyncClient(base_url=running.url, trust_env=False, verify=False, timeout=60) as http:
        large = {"token": "x" * 10_000}
        assert (await http.post("/ui/signin", data=large)).status_code == 413
        assert (await http.post("/ui/deliveries", data=large)).status_code == 303


async def test_the_stream_shows_a_client_its_own_things_and_ends_with_the_gateway(receiver: Sink) -> None:
    async with running_gateway({"limits": {"streams": 1, "api": "off", "auth": "off"}}) as gateway:
        ours = await gateway.register(receiver.url, name="Order bot")
        token = (await gateway.client("other"))["token"]
        async with browser(gateway) as admin, browser(gateway, token) as http:
            path = f"/ui/live?page=receiver&thing=webhook:{ours['id']}"
            async with admin.stream("GET", path) as full:
                assert f"t-webhook:{ours['id']}-state" in await full.aiter_text().__anext__()
            async with http.stream("GET", "/ui/live?page=overview") as cut:
                open_still = cut.aiter_text()
                text = await open_still.__anext__()
                assert "0 receivers up" in text
                assert ours["id"] not in text
                assert (await http.get("/ui/live?page=overview")).status_code == 429
                await open_still.aclose()
            async with http.stream("GET", path) as nothing:
                assert await nothing.aiter_text().__anext__() == ": beat\n\n"
            assert (await http.get("/ui/live?page=nowhere")).status_code == 404
        async with browser(gateway) as admin, admin.stream("GET", "/ui/live?page=overview") as last:
            texts = last.aiter_text()
            await texts.__anext__()
            gateway.stop.set()
            with trio.fail_after(60):
                assert [text async for text in texts if "event: trouble" in text] == []
