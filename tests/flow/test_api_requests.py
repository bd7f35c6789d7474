"""What every request of the API passes: tokens, limits, errors, browsers, idempotency keys."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import trio
from quart import Blueprint, request

from tests.api_site import ACME, ADMIN, OTHER, ApiSite, api_site
from wagate.config.tables import Limits, Server
from wagate.config.units import Rate, Size
from wagate.errors import ConfigError
from wagate.web.access.idempotency import RENEWED

NEW = {"name": "main", "provider": "session"}


async def test_a_token_goes_in_either_header_and_a_wrong_one_is_401(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(None) as http:
        for headers, status in (
            ({"Authorization": f"Bearer {ADMIN}"}, 200),
            ({"Authorization": f"bearer {ACME}"}, 200),
            ({"X-Api-Key": ACME}, 200),
            ({}, 401),
            ({"X-Api-Key": "wrong"}, 401),
            ({"Authorization": "Basic YTpi"}, 401),
        ):
            answer = await http.get("/api/accounts", headers=headers)
            assert answer.status_code == status, headers
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert (await http.get(f"/api/accounts?token={ADMIN}")).status_code == 401


async def test_who_guesses_tokens_is_slowed_down_and_who_knows_one_is_not(tmp_path: Path) -> None:
    async with api_site(tmp_path, limits=Limits(auth=Rate("2/hour"))) as site, site.as_(None) as http:
        guesses = [await http.get("/health", headers={"X-Api-Key": f"guess{n}"}) for n in range(3)]
        assert [each.status_code for each in guesses] == [401, 401, 429]
        assert 1 <= int(guesses[2].headers["retry-after"]) <= 3600
        assert (await http.get("/health", headers={"X-Api-Key": ADMIN})).status_code == 200


async def test_each_token_has_its_own_rate(tmp_path: Path) -> None:
    limits = Limits(api=Rate("2/hour"))
    async with api_site(tmp_path, limits=limits) as site, site.as_(ACME) as acme, site.as_(OTHER) as other:
        assert [(await acme.get("/api/jobs")).status_code for _ in range(3)] == [200, 200, 429]
        assert (await other.get("/api/jobs")).status_code == 200
        refused = await acme.get("/api/jobs")
        assert int(refused.headers["retry-after"]) >= 1
        site.clock.shift(3601)
        assert (await acme.get("/api/jobs")).status_code == 200


async def test_errors_are_problem_documents(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ADMIN) as http:
        missing = await http.get("/nowhere")
        wrong = await http.put("/api/accounts", json={})
        broken = await http.post("/api/accounts", content=b'{"name": ')
        for answer, status in ((missing, 404), (wrong, 405), (broken, 400)):
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"
            assert {"type", "title", "status", "detail"} <= set(answer.json())
        assert set(wrong.headers["allow"].split(", ")) >= {"GET", "POST"}
        session = await http.get("/api/whatsapp/session/status/nobody")
        assert (session.status_code, session.json()["success"]) == (404, False)


@pytest.mark.parametrize("name", ["a%00b", "%ff", "%ed%a0%80", "a%0ab", "%e2%80%ae", "x" * 3000, "..%2f..%2fetc"])
async def test_odd_names_in_a_path_are_not_found(name: str, tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ADMIN) as http:
        for path in ("/api/accounts/", "/api/clients/", "/api/jobs/", "/api/whatsapp/session/status/"):
            assert (await http.get(path + name)).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"[" * 100_000,
        b'{"name": "\\ud800"}',
        b'{"name": 1e999999}',
        b"\xff\xfe",
        b'{"a":' + b"1" * 5000,
    ],
)
async def test_odd_bodies_are_refused_and_never_a_server_error(body: bytes, tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ADMIN) as http:
        assert (await http.post("/api/accounts", content=body)).status_code in {400, 422}


async def test_what_curl_sends_without_a_content_type_is_read_as_json(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ADMIN) as http:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        made = await http.post("/api/clients", content=b'{"slug":"curl"}', headers=form)
        assert made.status_code == 201


async def test_a_body_over_the_limit_is_413_and_the_connection_goes_on(tmp_path: Path) -> None:
    async with api_site(tmp_path, server=Server(max_body=Size("2KiB"))) as site, site.as_(ADMIN) as http:
        for _ in range(2):
            refused = await http.post("/api/clients", json={"slug": "a", "name": "x" * 4000})
            assert refused.status_code == 413
            assert refused.headers["content-type"] == "application/problem+json"


async def test_an_unexpected_error_is_503_without_a_trace(tmp_path: Path) -> None:
    routes = Blueprint("broken", __name__)

    @routes.get("/boom")
    async def boom() -> None:
        raise RuntimeError("a secret detail")

    async with api_site(tmp_path, plugins=[("broken", routes)]) as site, site.as_(ADMIN) as http:
        answer = await http.get("/plugins/broken/boom")
        assert answer.status_code == 503
        assert "secret" not in answer.text
        assert "Traceback" not in answer.text
        async with site.as_(None) as nobody:
            assert (await nobody.get("/plugins/broken/boom")).status_code == 401


async def test_two_plugins_with_one_path_are_an_error_at_start(tmp_path: Path) -> None:
    first, second = (Blueprint(name, __name__, url_prefix="/shared") for name in ("first", "second"))
    for routes in (first, second):
        routes.add_url_rule("/path", "view", _nothing, methods=["GET"])
    with pytest.RaisesGroup(pytest.RaisesExc(ConfigError, match="GET /shared/path"), flatten_subgroups=True):
        async with api_site(tmp_path, plugins=[("first", first), ("second", second)]):
            pass


async def _nothing() -> str:
    return ""


async def test_only_pages_of_allowed_origins_may_call(tmp_path: Path) -> None:
    good, bad = {"Origin": "https://app.example.org"}, {"Origin": "https://evil.example.org"}
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    server = Server(cors_origins=["https://app.example.org"])
    async with api_site(tmp_path, server=server) as site, site.as_(None) as nobody, site.as_(ACME) as acme:
        allowed = await nobody.options("/api/accounts", headers=good | asking)
        assert allowed.status_code == 204
        assert allowed.headers["access-control-allow-origin"] == good["Origin"]
        assert "Authorization" in allowed.headers["access-control-allow-headers"]
        refused = await nobody.options("/api/accounts", headers=bad | asking)
        assert refused.status_code == 405
        assert "access-control-allow-origin" not in refused.headers
        answer = await acme.get("/api/accounts", headers=good)
        assert answer.headers["access-control-allow-origin"] == good["Origin"]
        assert "Retry-After" in answer.headers["access-control-expose-headers"]
        assert answer.headers["vary"] == "Origin"
        assert "access-control-allow-origin" not in (await acme.get("/api/accounts", headers=bad)).headers
        # A refusal must be readable, too.
        assert "access-control-allow-origin" in (await nobody.get("/api/accounts", headers=good)).headers


async def test_the_same_key_and_body_give_the_same_answer_also_after_a_restart(tmp_path: Path) -> None:
    key = {"Idempotency-Key": "order-1"}
    async with api_site(tmp_path) as site, site.as_(ACME) as acme:
        first = await acme.post("/api/accounts", json=NEW, headers=key)
        again = await acme.post("/api/accounts", json=NEW, headers=key)
        assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
        assert (again.headers["idempotent-replayed"], again.headers["content-type"]) == ("true", "application/json")
        other_body = await acme.post("/api/accounts", json=NEW | {"name": "b"}, headers=key)
        assert other_body.status_code == 409
    # The answer holds a secret: it must not lie about in plain text.
    rows = sqlite3.connect(tmp_path / "wagate.db").execute("SELECT body FROM idempotency").fetchall()
    assert len(rows) == 1
    assert first.json()["webhook_secret"].encode() not in rows[0][0]
    async with api_site(tmp_path) as site, site.as_(ACME) as acme:
        after = await acme.post("/api/accounts", json=NEW, headers=key)
        assert (after.status_code, after.content) == (201, first.content)
        site.clock.shift(25 * 3600)
        assert (await acme.post("/api/accounts", json=NEW, headers=key)).status_code == 409  # the name is taken now


async def test_keys_of_two_clients_and_two_paths_have_nothing_to_do_with_each_other(tmp_path: Path) -> None:
    key = {"Idempotency-Key": "k"}
    async with api_site(tmp_path) as site, site.as_(ACME) as acme, site.as_(OTHER) as other:
        assert (await acme.post("/api/accounts", json=NEW, headers=key)).status_code == 201
        assert (await other.post("/api/accounts", json=NEW, headers=key)).status_code == 409  # its own: the name
        token = await acme.post("/api/whatsapp/session/main/view-token", headers=key)
        assert token.status_code == 201


async def test_a_failure_is_not_kept(tmp_path: Path) -> None:
    key = {"Idempotency-Key": "k"}
    async with api_site(tmp_path, limits=Limits(accounts=1)) as site, site.as_(ACME) as acme:
        await acme.post("/api/accounts", json=NEW)
        refused = await acme.post("/api/accounts", json=NEW | {"name": "b"}, headers=key)
        await acme.delete("/api/accounts/main")
        made = await acme.post("/api/accounts", json=NEW | {"name": "b"}, headers=key)
        assert (refused.status_code, made.status_code) == (409, 201)


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9"])
async def test_a_key_that_can_not_be_kept_is_refused(key: str, tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as acme:
        headers = [("Authorization", f"Bearer {ACME}"), ("Idempotency-Key", key.encode("latin-1"))]
        assert (await acme.post("/api/accounts", json=NEW, headers=headers)).status_code == 400  # type: ignore[arg-type]


class SlowRoute:
    """A plugin's POST that runs until it is let go, and counts its runs."""

    def __init__(self) -> None:
        self.started = trio.Event()
        self.go_on = trio.Event()
        self.ended = trio.Event()
        self.runs = 0
        self.routes = Blueprint("slow", __name__)
        self.routes.add_url_rule("/slow", "slow", self.run, methods=["POST"])

    async def run(self) -> tuple[dict[str, Any], int]:
        assert await request.get_data(cache=True, as_text=False, parse_form_data=False)
        self.runs += 1
        self.started.set()
        await self.go_on.wait()
        self.ended.set()
        return {"runs": self.runs}, 201


async def test_a_twin_in_flight_is_told_to_wait(tmp_path: Path) -> None:
    slow = SlowRoute()
    async with api_site(tmp_path, plugins=[("slow", slow.routes)]) as site:
        async with site.as_(ACME, **{"Idempotency-Key": "k"}) as http, trio.open_nursery() as nursery:
            nursery.start_soon(post_slow, site)
            await slow.started.wait()
            twin = await http.post("/plugins/slow/slow", json={})
            assert (twin.status_code, twin.headers["retry-after"]) == (409, "1")
            slow.go_on.set()
        async with site.as_(ACME, **{"Idempotency-Key": "k"}) as http:
            assert (await http.post("/plugins/slow/slow", json={})).json() == {"runs": 1}
        assert slow.runs == 1


async def test_a_key_stays_claimed_however_long_its_request_takes(tmp_path: Path) -> None:
    slow = SlowRoute()

    def claimed() -> str:
        [(at,)] = sqlite3.connect(tmp_path / "wagate.db").execute("SELECT created_at FROM idempotency").fetchall()
        return str(at)

    async with api_site(tmp_path, plugins=[("slow", slow.routes)]) as site:
        async with site.as_(ACME, **{"Idempotency-Key": "k"}) as http, trio.open_nursery() as nursery:
            nursery.start_soon(post_slow, site)
            await slow.started.wait()
            for _ in range(6):
                before = claimed()
                site.clock.shift(RENEWED)
                with trio.fail_after(60):
                    while claimed() == before:
                        await trio.sleep(0.02)
                assert (await http.post("/plugins/slow/slow", json={})).status_code == 409
            slow.go_on.set()
        assert slow.runs == 1


async def test_a_client_that_hung_up_gets_the_answer_when_it_asks_again(tmp_path: Path) -> None:
    slow = SlowRoute()
    async with api_site(tmp_path, plugins=[("slow", slow.routes)]) as site:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(post_slow, site)
            await slow.started.wait()
            nursery.cancel_scope.cancel()
        slow.go_on.set()
        await slow.ended.wait()
        async with site.as_(ACME, **{"Idempotency-Key": "k"}) as http:
            with trio.fail_after(60):
                answer = await http.post("/plugins/slow/slow", json={})
                while answer.status_code == 409:
                    answer = await http.post("/plugins/slow/slow", json={})
        assert (answer.status_code, answer.json()) == (201, {"runs": 1})


async def post_slow(site: ApiSite) -> None:
    async with site.as_(ACME, **{"Idempotency-Key": "k"}) as http:
        await http.post("/plugins/slow/slow", json={})
