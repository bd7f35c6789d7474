"""What is wrong is told clearly, costs nothing else, and leaves no trace of secrets; on both databases."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import msgspec
import pytest
import trio

from tests.gateway import TOKEN, GatewayProcess, gateway

INBOUND, SESSION = "/webhook/inbound", "/api/whatsapp/webhook/main"
REGISTER, ACCOUNTS, CLIENTS = "/api/webhooks/register", "/api/accounts", "/api/clients"
WRONG = "wrong-token-9876543210"
SECRET = "account-secret-0123456789"
MOST = 10 * 1024 * 1024
DEEP = b'{"a":' * 20_000 + b"1" + b"}" * 20_000

GOOD: dict[str, dict[str, Any]] = {
    INBOUND: {"from": "+1234567890", "to": "+1987654321", "message": "hi", "tenant_id": "default"},
    SESSION: {"event": "message", "data": {"message": {"id": "m1", "body": "hi", "from": "1234567890@c.us"}}},
    REGISTER: {"phone_number": "1987654321", "webhook_url": "https://127.0.0.1:9/hook"},
    ACCOUNTS: {"name": "new", "provider": "session"},
    CLIENTS: {"slug": "new"},
}
EVERY = tuple(GOOD)
DOORS = (INBOUND, SESSION)


@dataclass
class Case:
    """One wrong request, and what must be said of it."""

    what: str
    path: str
    status: int
    field: str | None = None
    """What ``errors`` must name; None: nothing in particular."""
    body: bytes = b""
    method: str = "POST"
    token: str | None = TOKEN

    def __str__(self) -> str:
        return f"{self.what}: {self.method} {self.path}"


def but(path: str, **fields: Any) -> bytes:
    """A good body with other fields; ... leaves one out."""
    return json.dumps({name: value for name, value in (GOOD[path] | fields).items() if value is not ...}).encode()


def bulk(**which: str) -> bytes:
    """All that match, again."""
    return json.dumps({"action": "retry", "filter": which}).encode()


def with_text(path: str, text: bytes) -> bytes:
    """A good body that carries this JSON text in a field of its own and, at doors, in the message."""
    body = but(path, extra="HERE", message={"text": "HERE"}) if path == INBOUND else but(path, extra="HERE")
    if path == SESSION:
        body = but(path, data={"message": GOOD[SESSION]["data"]["message"] | {"body": "HERE"}})
    return body.replace(b'"HERE"', text)


UNREADABLE = [
    Case(what, path, 400, "", body)
    for path in EVERY
    for what, body in (
        ("malformed", b'{"from": '),
        ("not JSON", b"from=1&message=hi"),
        ("empty", b""),
        ("not UTF-8", b'{"\xff\xfe'),
        ("NaN", but(path)[:-1] + b', "x": NaN}'),
    )
]
NOT_AN_OBJECT = [Case("a list", path, 400, "", b"[1, 2]") for path in DOORS] + [
    Case("a list", path, 422, "", b"[1, 2]") for path in EVERY if path not in DOORS
]
TOO_MUCH = [Case("10 MiB and a byte", path, 413, None, b" " * (MOST + 1)) for path in EVERY] + [
    Case("nested 20,000 deep", path, 400, "", DEEP) for path in DOORS
]
ENGINE = [
    Case("no from", INBOUND, 400, "from", but(INBOUND, **{"from": ...})),
    Case("a number as from", INBOUND, 400, "from", but(INBOUND, **{"from": 5})),
    Case("empty from", INBOUND, 422, "from", but(INBOUND, **{"from": " "})),
    Case("no message", INBOUND, 400, "message", but(INBOUND, message=...)),
    Case("a number as message", INBOUND, 400, "message", but(INBOUND, message=7)),
    Case("a list as text", INBOUND, 400, "message.text", but(INBOUND, message={"text": [1]})),
    Case("to that is no number", INBOUND, 422, "to", but(INBOUND, to="nobody")),
    Case("a time that is none", INBOUND, 422, "timestamp", but(INBOUND, timestamp="yesterday")),
    Case("a list as message_id", INBOUND, 400, "message_id", but(INBOUND, message_id=[1])),
    Case("no tenant", INBOUND, 422, "tenant_id", but(INBOUND, tenant_id=...)),
    Case("unknown tenant", INBOUND, 404, None, but(INBOUND, tenant_id="nobody")),
    Case("GET", INBOUND, 405, None, method="GET"),
]
SESSIONS = [
    Case("no event", SESSION, 400, "event", but(SESSION, event=...)),
    Case("a number as event", SESSION, 400, "event", but(SESSION, event=5)),
    Case("no message", SESSION, 400, "data.message", but(SESSION, data={})),
    Case("text as data", SESSION, 400, "data", but(SESSION, data="x")),
    Case("qr without its text", SESSION, 400, "data.qr", b'{"event":"qr","data":{}}'),
    Case("percent that is none", SESSION, 400, "data.percent", b'{"event":"loading_screen","data":{"percent":{}}}'),
    Case("a name that is none", "/api/whatsapp/webhook/a b", 400, "sessionId", but(SESSION)),
    Case("unknown session", "/api/whatsapp/session/status/nobody", 404, None, method="GET"),
    Case("unknown status", "/api/whatsapp/session/list-realtime?status=odd", 400, "?status", method="GET"),
]
WEBHOOKS = [
    Case("no phone_number", REGISTER, 422, "phone_number", but(REGISTER, phone_number=...)),
    Case("a number that is none", REGISTER, 422, "phone_number", but(REGISTER, phone_number="me")),
    Case("a list as phone_number", REGISTER, 422, "phone_number", but(REGISTER, phone_number=[1])),
    Case("no URL", REGISTER, 422, "webhook_url", but(REGISTER, webhook_url=...)),
    Case("an unknown event", REGISTER, 422, "events", but(REGISTER, events=["mesage"])),
    Case("no events", REGISTER, 422, "events", but(REGISTER, events=[])),
    Case("a number among events", REGISTER, 422, "events[0]", but(REGISTER, events=[5])),
    Case("an unknown format", REGISTER, 422, "format", but(REGISTER, format="xml")),
    Case("an unknown field", REGISTER, 422, "url", but(REGISTER, url="x")),
    Case("no retries", REGISTER, 422, "max_retries", but(REGISTER, max_retries=0)),
    Case("a short secret", REGISTER, 422, "secret", but(REGISTER, secret="whsec_c2hvcnQ=")),
    Case("our own header", REGISTER, 422, "headers", but(REGISTER, headers={"webhook-id": "1"})),
    Case("a line break in a header", REGISTER, 422, "headers", but(REGISTER, headers={"X-A": "a\r\nb: c"})),
    Case("NUL in the name", REGISTER, 422, "name", but(REGISTER, name="a\0b")),
    Case("unknown tenant", REGISTER, 404, None, but(REGISTER, tenant_id="nobody")),
    Case("limit 0", "/api/webhooks/list?limit=0", 422, "?limit", method="GET"),
    Case("limit x", "/api/jobs?limit=x", 422, "?limit", method="GET"),
    Case("odd cursor", "/api/jobs?cursor=%00", 422, "?cursor", method="GET"),
    Case("odd lease", "/queue/next-job?lease=1", 422, "?lease", method="GET"),
    Case("unknown webhook", "/api/webhooks/nobody", 404, None, method="GET"),
    Case("NUL in the path", "/api/webhooks/%00", 404, None, method="GET"),
    Case("a lone surrogate in the path", "/api/webhooks/%ed%a0%80", 404, None, method="GET"),
    Case("unknown job", "/queue/job/nobody", 404, None, method="GET"),
    Case("odd since", "/api/jobs?since=yesterday", 422, "?since", method="GET"),
    Case("the year 0", "/api/bulk", 422, "filter.since", bulk(since="0001-01-01T00:00:00+23:59")),
    Case("the year 10000", "/api/bulk", 422, "filter.until", bulk(until="9999-12-31T23:59:59-23:59")),
    Case("no such path", "/api/nothing", 404, None, method="GET"),
    Case("no such method", "/api/webhooks/list", 405, None, method="DELETE"),
]
REST = [
    Case("no name", ACCOUNTS, 422, "name", but(ACCOUNTS, name=...)),
    Case("a name that is none", ACCOUNTS, 422, "name", but(ACCOUNTS, name="a b")),
    Case("NUL in the name", ACCOUNTS, 422, "name", but(ACCOUNTS, name="a\0")),
    Case("an unknown provider", ACCOUNTS, 422, "provider", but(ACCOUNTS, provider="pigeon")),
    Case("a short secret", ACCOUNTS, 422, "webhook_secret", but(ACCOUNTS, webhook_secret="short")),
    Case("a phone that is none", ACCOUNTS, 422, "phone", but(ACCOUNTS, phone="12")),
    Case("a slug that is none", CLIENTS, 422, "slug", but(CLIENTS, slug="A B")),
    Case("a slug that is taken", CLIENTS, 409, None, but(CLIENTS, slug="default")),
]
UNKNOWN = [
    Case(what, path, 401, None, but(path), token=token)
    for path in EVERY
    for what, token in (("no token", None), ("wrong token", WRONG), ("NUL in a token", "a%00b"))
] + [
    Case("no token", path, 401, None, method="GET", token=None)
    for path in ("/api/webhooks/list", "/api/jobs", "/queue/next-job", "/api/whatsapp/session/list-realtime")
]
CASES = [*UNREADABLE, *NOT_AN_OBJECT, *TOO_MUCH, *ENGINE, *SESSIONS, *WEBHOOKS, *REST, *UNKNOWN]


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[GatewayProcess]:
    tables = {"database": {"url": database_url}, "limits": {"api": "off", "auth": "off"}, "log": {"level": "debug"}}
    async with gateway(tables) as running:
        yield running


async def test_what_is_wrong_is_told_and_changes_nothing(server: GatewayProcess) -> None:
    faults = [f"{case}: {fault}" for case in CASES for fault in faults_of(await send(server, case), case)]
    assert not faults, "\n".join(faults)
    assert (await server.http.get("/api/jobs")).json()["data"] == []
    assert (await server.http.get("/api/webhooks/list")).json()["data"] == []
    await assert_goes_on(server)
    assert_quiet(server, WRONG)


async def send(server: GatewayProcess, case: Case) -> httpx2.Response:
    headers = {"Content-Type": "application/json"}
    headers["Authorization"] = f"Bearer {case.token}" if case.token else ""
    return await server.http.request(case.method, case.path, content=case.body, headers=headers)


def faults_of(answer: httpx2.Response, case: Case) -> list[str]:
    """What is wrong with the answer."""
    if answer.status_code != case.status:
        return [f"{answer.status_code} instead of {case.status}: {answer.text[:300]}"]
    if answer.headers.get("content-type") != "application/problem+json":
        return [f"content type {answer.headers.get('content-type')}"]
    told = answer.json()
    faults = []
    if told["status"] != case.status or not told["title"] or not told["type"] or len(told["detail"]) < 10:
        faults.append(f"unclear: {told}")
    fields = [each["field"] for each in told.get("errors", [])]
    if case.field is not None and case.field not in fields:
        faults.append(f"errors name {fields} instead of {case.field!r}: {told['detail']}")
    if told.get("success") is not (False if case.path.startswith("/api/whatsapp/") else None):
        faults.append(f"success is {told.get('success')}")
    if leaks := [each for each in ("Traceback", 'File "', "wagate/", TOKEN, WRONG) if each in answer.text]:
        faults.append(f"shows {leaks}")
    return faults


async def assert_goes_on(server: GatewayProcess) -> None:
    """Each door and route takes what is good."""
    for path, status in ((INBOUND, 202), (SESSION, 200), (ACCOUNTS, 201), (CLIENTS, 201), (REGISTER, 201)):
        answer = await server.http.post(path, json=GOOD[path])
        assert answer.status_code == status, answer.text
    jobs = (await server.http.get("/api/jobs?connector=n8n")).json()["data"]
    assert sorted(job["content"] for job in jobs) == ["hi", "hi"]
    with trio.fail_after(60):
        # A machine that stood still for two seconds is not healthy for a moment.
        while (await server.http.get("/health")).json()["status"] != "healthy":
            await trio.sleep(0.2)


def assert_quiet(server: GatewayProcess, *secrets: str) -> None:
    """No error and no secret is in the log."""
    for line in server.log.read_text().splitlines():
        assert not [each for each in (*secrets, TOKEN, SECRET) if each in line], "a secret is in the log"
        if line.startswith("{"):
            entry = msgspec.json.decode(line)
            assert entry["level"] not in {"error", "critical"}, line
            assert "exception" not in entry, line
            assert entry.get("status") != 500, line
        assert "Traceback" not in line


MENDED = {
    "NUL": (b'"a\\u0000b"', "a\ufffdb"),
    "lone surrogate": (b'"a\\ud800b"', "a\ufffdb"),
    "not UTF-8": (b'"a\xffb"', "a\ufffdb"),
    "control character": (b'"a\x01b"', "a\x01b"),
}


async def test_odd_characters_in_a_signed_body_are_replaced(server: GatewayProcess) -> None:
    for what, (text, mended) in MENDED.items():
        for path, status in ((INBOUND, 202), (SESSION, 200)):
            # An id of its own: the same one again would be the first message.
            body = with_text(path, text).replace(b'"m1"', json.dumps(what).encode())
            answer = await server.http.post(path, content=body)
            assert answer.status_code == status, f"{what}: {answer.text}"
        jobs = (await server.http.get("/api/jobs?connector=n8n&limit=2")).json()["data"]
        assert [job["content"] for job in jobs] == [mended, mended], what
    assert_quiet(server)


async def test_huge_numbers_in_a_signed_body_are_taken_in(server: GatewayProcess) -> None:
    huge = b"9" * 5000
    for number in (b"1e400", b"-1e400", huge):
        body = but(INBOUND, message={"text": "hi", "n": "HERE"}).replace(b'"HERE"', number)
        assert (await server.http.post(INBOUND, content=body)).status_code == 202
        body = but(
            SESSION, data={"message": {"id": str(len(body)), "from": "1234567890@c.us", "body": "hi", "n": "HERE"}}
        )
        answer = await server.http.post(SESSION, content=body.replace(b'"HERE"', number))
        assert answer.status_code == 200, answer.text
    # At the API too no number is a 500.
    for number in (b"1e400", huge):
        for path in (REGISTER, ACCOUNTS):
            body = but(path, metadata={"n": "HERE"}).replace(b'"HERE"', number)
            answer = await server.http.post(path, content=body)
            assert answer.status_code in {201, 400, 409, 422}, answer.text
    assert (await server.http.get("/api/webhooks/list")).status_code == 200
    assert (await server.http.get("/api/accounts")).status_code == 200
    assert (await server.http.get("/queue/next-job")).json()["payload"]["content"]["text"] == "hi"
    assert_quiet(server)


async def test_odd_characters_at_the_api_are_taken_or_refused_but_never_break_it(server: GatewayProcess) -> None:
    for number, text in enumerate((b'"a\\u0000b"', b'"a\\ud800b"', b'"a\xffb"', DEEP)):
        for path in (REGISTER, ACCOUNTS):
            body = but(path, name=f"n{number}", metadata={"n": "HERE"}).replace(b'"HERE"', text)
            answer = await server.http.post(path, content=body)
            assert answer.status_code in {201, 400, 422}, answer.text
            if answer.status_code != 201:
                assert answer.headers["content-type"] == "application/problem+json"
    for path in ("/api/webhooks/list", "/api/accounts"):
        assert (await server.http.get(path)).status_code == 200
    assert_quiet(server)


async def test_an_unknown_event_is_stored_and_answered_200(server: GatewayProcess) -> None:
    answer = await server.http.post(SESSION, json={"event": "tea_time", "data": {"cups": 2}})
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    assert answer.json()["event_id"]
    again = await server.http.post(SESSION, json={"event": "tea_time", "data": {"cups": 2}})
    assert again.json()["event_id"] != answer.json()["event_id"], "what has no id is never a duplicate"


async def test_another_clients_things_are_not_there(server: GatewayProcess) -> None:
    """Whoever holds another client's token learns nothing, not even who has what."""
    acme, other = [(await server.http.post(CLIENTS, json={"slug": slug})).json() for slug in ("acme-corp", "other")]
    mine = {"Authorization": f"Bearer {acme['token']}"}
    theirs = {"Authorization": f"Bearer {other['token']}"}
    hook = (await server.http.post(REGISTER, json=GOOD[REGISTER], headers=mine)).json()
    made = await server.http.post(
        ACCOUNTS, json={"name": "shop", "provider": "session"} | {"webhook_secret": SECRET}, headers=mine
    )
    assert made.status_code == 201
    good = {name: value for name, value in GOOD[INBOUND].items() if name != "tenant_id"}
    job_id = (await server.http.post(INBOUND, json=good, headers=mine)).json()["job_id"]
    taken = await server.http.post(ACCOUNTS, json={"name": "shop", "provider": "session"}, headers=theirs)
    assert (taken.status_code, taken.json()["status"]) == (409, 409)
    assert "acme" not in taken.text
    with trio.fail_after(60):
        for method, path, body in (
            ("GET", f"/api/webhooks/{hook['id']}", None),
            ("PATCH", f"/api/webhooks/{hook['id']}", {"max_retries": 5}),
            ("DELETE", f"/api/webhooks/{hook['id']}", None),
            ("GET", f"/api/webhooks/{hook['id']}/events", None),
            ("POST", f"/api/webhooks/{hook['id']}/toggle", None),
            ("POST", f"/api/webhooks/{hook['id']}/rotate-secret", None),
            ("POST", f"/api/webhooks/{hook['id']}/test", None),
            ("POST", f"/api/webhooks/{hook['id']}/recover", None),
            ("GET", f"/queue/job/{job_id}", None),
            ("PATCH", f"/queue/job/{job_id}", {"status": "completed"}),
            ("POST", f"/queue/job/{job_id}/heartbeat", None),
            ("POST", f"/queue/job/{job_id}/retry", None),
            ("GET", f"/api/jobs/{job_id}", None),
            ("POST", f"/api/jobs/{job_id}/cancel", None),
            ("POST", f"/api/webhooks/events/{job_id}/retry", None),
            ("GET", "/api/accounts/shop", None),
            ("PATCH", "/api/accounts/shop", {"phone": "1234567890"}),
            ("DELETE", "/api/accounts/shop", None),
            ("POST", "/api/whatsapp/webhook/shop", GOOD[SESSION]),
            ("GET", "/api/whatsapp/session/status/shop", None),
            ("POST", INBOUND, GOOD[INBOUND] | {"tenant_id": "acme-corp"}),
            ("GET", "/queue/next-job?tenant_id=acme-corp", None),
        ):
            answer = await server.http.request(method, path, json=body, headers=theirs)
            assert answer.status_code == 404, f"{method} {path}: {answer.status_code} {answer.text}"
            assert answer.headers["content-type"] == "application/problem+json"
        assert (await server.http.get(CLIENTS, headers=theirs)).status_code == 403
    assert (await server.http.get("/api/jobs", headers=theirs)).json()["data"] == []
    assert (await server.http.get("/api/webhooks/list", headers=theirs)).json()["data"] == []
    assert (await server.http.get("/queue/next-job", headers=theirs)).json()["status"] == "no_jobs"
    assert (await server.http.get(f"/queue/job/{job_id}", headers=mine)).json()["status"] == "queued"
    assert_quiet(server, acme["token"], other["token"], hook["secret"])
