"""``/webhooks/{account}``: a provider's webhooks in a whole gateway, from the signature to the stored events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fake_provider import SECRET, Pigeon, body_of, installed, letter, sign
from tests.flow.dashboard import browser
from tests.inprocess import Gateway, running_gateway
from wagate.errors import ConfigError
from wagate.events import NewEvent

PIGEON = {"provider": "pigeon", "api_token": "a token of the fake", "app_secret": SECRET}
DOOR = "/webhooks/main"


@asynccontextmanager
async def gateway(pigeon: Pigeon | None = None, **tables: Any) -> AsyncIterator[Gateway]:
    accounts = {"accounts.main": PIGEON | {"phone": "5511888888888", "number_id": "n1", "verify_token": "let me in"}}
    with installed(pigeon=pigeon or Pigeon()):
        async with running_gateway({**accounts, "plugins.webhook": {}, "plugins.n8n": {}, **tables}) as running:
            yield running


async def post(running: Gateway, body: bytes, expected: int = 200, *, path: str = DOOR, **headers: str) -> Any:
    given = headers or sign(body)
    response = await running.http.post(path, content=body, headers={"Authorization": "", **given})
    assert response.status_code == expected, response.text
    return response


async def stored(running: Gateway) -> list[tuple[str, str, dict[str, Any]]]:
    """(account, content, extra) of every event, oldest first."""
    jobs = await running.ask("GET", "/api/jobs", params={"limit": 200, "connector": "n8n"})
    return [(each["account"], each["content"], each) for each in reversed(jobs["data"])]


async def metric(running: Gateway, name: str) -> list[str]:
    text = (await running.http.get("/metrics")).text
    return [line for line in text.splitlines() if line.startswith(name + "{")]


async def test_a_signed_body_is_stored_and_answered_as_the_provider_wants() -> None:
    async with gateway() as running:
        answer = await post(running, body_of(letter("one", number="n1"), letter("two")))
        assert answer.json() == {"success": True}
        assert [each[:2] for each in await stored(running)] == [("main", "one"), ("main", "two")]


async def test_a_body_that_comes_again_is_answered_the_same_and_stored_once() -> None:
    async with gateway() as running:
        body = body_of(letter("one"))
        first, again = await post(running, body), await post(running, body)
        assert first.content == again.content
        assert len(await stored(running)) == 1


async def test_a_wrong_signature_is_refused_counted_and_stores_nothing() -> None:
    async with gateway() as running:
        body = body_of(letter("one"))
        await post(running, body, 401, **sign(body, "another secret"))
        await post(running, body, 401, **{"X-Nothing": "1"})
        assert await stored(running) == []
        [line] = await metric(running, "wagate_webhooks_refused_total")
        assert line == 'wagate_webhooks_refused_total{provider="pigeon",reason="signature"} 2.0'


async def test_a_body_that_a_proxy_wrote_anew_is_refused() -> None:
    async with gateway() as running:
        body = body_of(letter("olá"))
        assert b"\\u00e1" in body
        anew = json.dumps(json.loads(body), ensure_ascii=False).encode()
        assert anew != body
        await post(running, anew, 401, **sign(body))
        assert await stored(running) == []


async def test_a_challenge_is_echoed_as_plain_text_to_who_knows_the_verify_token() -> None:
    async with gateway() as running:
        right = await running.http.get(DOOR, params={"token": "let me in", "challenge": "<b>1158201444</b>"})
        assert (right.status_code, right.text) == (200, "<b>1158201444</b>")
        assert right.headers["content-type"].startswith("text/plain")
        assert right.headers["x-content-type-options"] == "nosniff"
        wrong = await running.http.get(DOOR, params={"token": "let me out", "challenge": "1158201444"})
        assert wrong.status_code == 403
        assert "1158201444" not in wrong.text
        assert 'reason="challenge"' in "".join(await metric(running, "wagate_webhooks_refused_total"))


NO_CHALLENGES: list[Any] = ["x" * 2000, "a\r\nSet-Cookie: b=1", "\x00"]
"""Too long, or no text."""


async def test_a_challenge_that_is_none_is_not_echoed() -> None:
    async with gateway() as running:
        for challenge in NO_CHALLENGES:
            answer = await running.http.get(DOOR, params={"token": "let me in", "challenge": challenge})
            assert answer.status_code == 400, challenge
            assert challenge not in answer.text


async def test_events_of_another_number_go_to_the_account_that_has_it() -> None:
    second = {"accounts.second": PIGEON | {"number_id": "n2"}, "accounts.second.ignore": {"groups": True}}
    async with gateway(**second) as running:
        letters = [
            letter("to one", number="n1"),
            letter("to two", number="n2"),
            letter("to a group of two", number="n2", chat="123456789@g.us"),
            letter("to nobody", number="n3"),
        ]
        await post(running, body_of(*letters))
        found = [each[:2] for each in await stored(running)]
        assert sorted(found) == [("main", "to one"), ("second", "to two")]
        assert [each["number"] for each in (await running.ask("GET", "/api/unknown-numbers"))["data"]] == ["n3"]


async def test_another_clients_account_gets_nothing_of_it() -> None:
    async with gateway(**{"accounts.theirs": PIGEON | {"number_id": "n2", "client": "acme"}}) as running:
        await post(running, body_of(letter("hello", number="n2")))
        assert await stored(running) == []
        [shown] = (await running.ask("GET", "/api/unknown-numbers"))["data"]
        assert (shown["number"], shown["tenant_id"]) == ("n2", "default")


async def test_what_cannot_be_read_three_times_in_a_row_needs_somebody_until_one_is_accepted() -> None:
    async with gateway() as running, browser(running) as http:
        for times in range(1, 4):
            await post(running, b"{", 400)
            assert ("gets webhooks that are refused" in (await http.get("/ui/")).text) == (times == 3)
        await post(running, body_of(letter("one")))
        assert "gets webhooks that are refused" not in (await http.get("/ui/")).text


MALFORMED: list[Any] = [b"", b"{", b"[]", b'{"letters": 1']
"""Bodies."""


async def test_malformed_json_is_400_even_when_it_is_signed() -> None:
    async with gateway() as running:
        for body in MALFORMED:
            answer = await post(running, body, 400)
            assert answer.headers["content-type"] == "application/problem+json"
        assert await stored(running) == []


async def test_odd_but_signed_json_is_not_refused() -> None:
    async with gateway() as running:
        odd = b'{"letters": [{"id": "1", "from": "+5511999999999", "text": "a\\ud800\\u0000b", "n": 1e999}]}'
        await post(running, odd)
        [(_, content, _)] = await stored(running)
        assert content == "a\ufffd\ufffdb"


async def test_a_body_that_the_plugin_fails_to_read_is_kept_whole() -> None:
    async with gateway() as running:
        body = b'{"letters": [{"id": "1"}]}'
        await post(running, body)
        await post(running, body)
        jobs = await running.ask("GET", "/api/jobs")
        assert jobs["data"] == []


async def test_an_unknown_account_is_answered_as_a_wrong_signature_is() -> None:
    accounts = {"accounts.phone": {"provider": "session", "webhook_secret": "the phone's secret"}}
    async with gateway(limits={"auth": "30/min"}, **accounts) as running:
        await running.post("one", to="+5511777777777")
        body = body_of(letter("one"))
        names = ("nobody", "main", "phone", "default-5511777777777")
        wrong: list[dict[str, str]] = [sign(body, "another secret"), {"X-Nothing": "1"}, {"X-Webhook-Secret": "wrong"}]
        for headers in wrong:
            answers = [await post(running, body, 401, path=f"/webhooks/{name}", **headers) for name in names]
            assert len({answer.text for answer in answers}) == 1, [answer.text for answer in answers]
        for query in ("", "?challenge=1&token=wrong"):
            looks = [await running.http.get(f"/webhooks/{name}{query}") for name in names]
            said = [(look.status_code, look.text.replace(name, "")) for look, name in zip(looks, names, strict=True)]
            assert len(set(said)) == 1, said


async def test_a_large_body_for_an_unknown_account_goes_where_others_go() -> None:
    accounts = {"accounts.phone": {"provider": "session", "webhook_secret": "the phone's secret"}}
    names = ("nobody", "main", "phone")
    body = b" " * 2_000_000
    for reserve, status in (("1GiB", 401), ("1000000GiB", 503)):  # to the disk, which has room or has none
        async with gateway(limits={"auth": "30/min", "reserve": reserve}, **accounts) as running:
            engines = {"X-Hub-Signature-256": "sha256=00"}  # who seems to be one may post files
            answers = [await post(running, body, status, path=f"/webhooks/{name}", **engines) for name in names]
            assert len({answer.text for answer in answers}) == 1, [answer.text for answer in answers]


async def test_wrong_signatures_are_limited_and_right_ones_are_not() -> None:
    async with gateway(limits={"auth": "2/hour"}) as running:
        body = body_of(letter("one"))
        for path in (DOOR, "/webhooks/nobody"):
            await post(running, body, 401, path=path, **sign(body, "another secret"))
        for path in (DOOR, "/webhooks/nobody", "/api/whatsapp/webhook/nobody"):
            await post(running, body, 429, path=path, **{"X-Hub-Signature-256": "sha256=00"}, **sign(body, "another"))
        await post(running, body)


async def test_longer_paths_are_not_this_door() -> None:
    async with gateway() as running:
        body = body_of(letter("one"))
        answer = await post(running, body, 404, path="/webhooks/nothing/main")
        assert "no route has this path" in answer.text
        answer = await running.http.put(DOOR, content=body)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")


async def test_the_url_is_the_public_one_with_the_query_as_it_came() -> None:
    pigeon = Pigeon()
    async with gateway(pigeon, server={"public_url": "https://wa.example.org"}) as running:
        body = body_of(letter("one"))
        await post(running, body, path=f"{DOOR}?b=%7e&a=1+2&b")
        assert pigeon.urls == [f"https://wa.example.org{DOOR}?b=%7e&a=1+2&b"]


async def test_without_a_public_url_a_trusted_proxy_says_what_the_sender_called_us() -> None:
    pigeon = Pigeon()
    body = body_of(letter("one"))
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "wa.example.org"}
    async with gateway(pigeon, server={"trusted_proxies": ["127.0.0.0/8"]}) as running:
        await post(running, body, **sign(body), **forwarded)
    async with gateway(pigeon) as running:
        await post(running, body, **sign(body), **forwarded)
        assert pigeon.urls == [f"https://wa.example.org{DOOR}", f"{running.url}{DOOR}"]


async def test_a_session_account_is_taken_in_here_as_at_its_own_door() -> None:
    accounts = {"accounts.phone": {"provider": "session", "webhook_secret": "the phone's secret"}}
    async with gateway(**accounts) as running:
        body = json.dumps({"event": "qr", "data": {"qr": "2@abc"}}).encode()
        await post(running, body, 401, path="/webhooks/phone", **{"X-Webhook-Secret": "wrong"})
        answer = await post(running, body, path="/webhooks/phone", **{"X-Webhook-Secret": "the phone's secret"})
        assert answer.json()["sessionId"] == "phone"
        state = await running.ask("GET", "/api/whatsapp/session/status/phone")
        assert "qr_generated" in str(state)


async def test_the_rate_limit_counts_what_is_signed() -> None:
    async with gateway(limits={"intake": "2/hour", "api": "off"}) as running:
        for _ in range(3):
            await post(running, body_of(letter("x")), 401, **{"X-Nothing": "1"})
        for text in ("one", "two"):
            await post(running, body_of(letter(text)))
        answer = await post(running, body_of(letter("three")), 429)
        assert int(answer.headers["retry-after"]) > 0


async def test_a_provider_that_cannot_be_used_stops_only_who_names_it() -> None:
    with installed(broken=ImportError("no module named pigeons")):
        async with running_gateway() as running:
            assert (await running.ask("GET", "/ping"))["message"] == "pong"
        with pytest.raises(ExceptionGroup) as caught:
            async with running_gateway({"accounts.main": {"provider": "broken"}}):
                pass
    [error] = leaves(caught.value)
    assert isinstance(error, ConfigError)
    assert "accounts.main.provider: the plugin of provider 'broken' can't be used" in str(error)
    assert "no module named pigeons" in str(error)


async def test_keys_are_changed_and_what_was_missed_is_asked_for_over_restarts(tmp_path: Path) -> None:
    old, new = "the old passphrase 01", "the new passphrase 02"
    pigeon = Pigeon()
    database = {"url": f"sqlite:///{tmp_path / 'wagate.db'}"}
    account = {"name": "made", "provider": "pigeon", "settings": {"api_token": "t", "app_secret": "of its own"}}
    async with gateway(pigeon, database=database, auth={"secret_key": old}) as running:
        await running.ask("POST", "/api/accounts", 201, json=account)
    pigeon.missed["made"] = [NewEvent(kind="message", provider_id="1", type="text", content="missed")]
    async with gateway(pigeon, database=database, auth={"secret_key": [new, old]}) as running:

        async def caught_up() -> bool:
            return [each[:2] for each in await stored(running)] == [("made", "missed")]

        await running.until(caught_up)
    async with gateway(pigeon, database=database, auth={"secret_key": new}) as running:
        body = body_of(letter("one"))
        await post(running, body, path="/webhooks/made", **sign(body, "of its own"))


def leaves(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    return [
        leaf for each in group.exceptions for leaf in (leaves(each) if isinstance(each, BaseExceptionGroup) else [each])
    ]
