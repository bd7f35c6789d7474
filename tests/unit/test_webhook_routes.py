"""``/api/webhooks`` over fakes: rows, owners, changes, secrets."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.webhook_api import BODY, Api
from wagate.hooks import Endpoint, EndpointChange, EndpointSecret
from wagate.http.signing import new_secret
from wagate.testing import NOW
from wagate_webhook.options import read_options

ROW = [
    "id",
    "client_id",
    "tenant_id",
    "phone_number",
    "name",
    "webhook_url",
    "is_active",
    "status",
    "failure_count",
    "max_retries",
    "events",
    "last_error",
    "last_success_at",
    "last_attempt_at",
    "metadata",
    "created_at",
    "updated_at",
    "format",
    "timeout",
    "rate",
    "burst",
    "retry_not_found",
]


@pytest.fixture
def api() -> Api:
    return Api()


# Rows


async def test_a_webhook_is_registered_with_defaults_and_its_secret_is_shown_once(api: Api) -> None:
    made = await api.register()
    assert list(made) == [*ROW, "secret"]
    assert made["secret"].startswith("whsec_")
    shown = await api.ask("GET", f"/{made['id']}")
    assert list(shown) == ROW
    assert (shown["client_id"], shown["tenant_id"], shown["name"], shown["status"]) == (1, "default", "", "active")
    assert (shown["events"], shown["format"], shown["max_retries"]) == (["message"], "flat", 3)
    assert (shown["is_active"], shown["failure_count"], shown["metadata"]) == (True, 0, {})
    assert shown["created_at"].endswith("Z")


async def test_what_was_given_is_kept_and_headers_are_never_shown(api: Api) -> None:
    given = {
        "name": "crm",
        "events": ["message", "message.ack", "message"],
        "format": "waha",
        "max_retries": 7,
        "timeout": 30,
        "rate": 0.5,
        "burst": 4,
        "retry_not_found": True,
        "metadata": {"team": [1, 2]},
        "secret": new_secret(),
    }
    made = await api.register(**given, headers={"Authorization": "Bearer hush"})
    assert {name: made[name] for name in given} == {**given, "events": ["message", "message.ack"]}
    assert "hush" not in str(made)
    [row] = api.fakes.endpoints.rows.values()
    assert "hush" not in str(row)
    assert read_options(row.options, api.fakes.context.decrypt).headers == {"Authorization": "Bearer hush"}


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("*", "*"),
        ("main", "main"),
        ("+55 11 88888-8888", "5511888888888"),
        ("5511888888888@c.us", "5511888888888"),
        (" (1) 555.000.1111 ", "15550001111"),
    ],
)
async def test_a_number_may_be_written_as_people_write_it(api: Api, written: str, kept: str) -> None:
    assert (await api.register(phone_number=written))["phone_number"] == kept


async def test_one_number_and_name_is_one_webhook(api: Api) -> None:
    await api.register()
    await api.register(409, phone_number="+5511888888888")
    await api.register(name="second")
    await api.register(tenant_id="acme")


async def test_the_list_is_newest_first_and_comes_in_pages(api: Api) -> None:
    made = [(await api.register(name=str(number)))["id"] for number in range(5)]
    first = await api.ask("GET", "/list?limit=3")
    assert [row["id"] for row in first["data"]] == made[:1:-1]
    second = await api.ask("GET", f"/list?limit=3&cursor={first['next_cursor']}")
    assert [row["id"] for row in second["data"]] == made[1::-1]
    assert second["next_cursor"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=abc", "cursor=' or 1=1"])
async def test_a_list_refuses_a_query_that_makes_no_sense(api: Api, query: str) -> None:
    answer = await api.ask("GET", f"/list?{query}", 422)
    assert answer["errors"][0]["field"] == f"?{query.partition('=')[0]}"


# Owners


async def test_a_clients_token_sees_and_makes_only_its_own(api: Api) -> None:
    ours = await api.register()
    api.fakes.auth.who = 2
    theirs = await api.register(phone_number="acme-main")
    assert theirs["tenant_id"] == "acme"
    assert [row["id"] for row in (await api.ask("GET", "/list"))["data"]] == [theirs["id"]]
    await api.register(404, tenant_id="default")
    await api.ask("GET", "/list?tenant_id=default", 404)
    for method, path in [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("GET", "/events"),
        ("POST", "/toggle"),
        ("POST", "/test"),
        ("POST", "/rotate-secret"),
        ("POST", "/recover"),
    ]:
        body = {"name": "x"} if method == "PATCH" else {}
        await api.ask(method, f"/{ours['id']}{path}", 404, **body)
    assert api.fakes.endpoints.rows[ours["id"]].is_active


async def test_the_admin_sees_all_or_one_clients(api: Api) -> None:
    await api.register()
    acme = await api.register(tenant_id="acme")
    assert len((await api.ask("GET", "/list"))["data"]) == 2
    for tenant in ("acme", "2"):
        assert [row["id"] for row in (await api.ask("GET", f"/list?tenant_id={tenant}"))["data"]] == [acme["id"]]


# Changes


async def test_a_change_leaves_the_rest(api: Api) -> None:
    made = await api.register(name="crm", metadata={"a": 1})
    changed = await api.ask("PATCH", f"/{made['id']}", max_retries=5, events=["*"])
    assert changed == {name: made[name] for name in ROW} | {
        "max_retries": 5,
        "events": ["*"],
        "updated_at": changed["updated_at"],
    }


async def test_a_change_passes_the_same_checks(api: Api) -> None:
    made = await api.register()
    await api.register(name="b")
    await api.ask("PATCH", f"/{made['id']}", 422, webhook_url="http://hooks.example/")
    await api.ask("PATCH", f"/{made['id']}", 422, phone_number=None)
    await api.ask("PATCH", f"/{made['id']}", 409, name="b")
    await api.ask("PATCH", f"/{made['id']}", 422, secret=new_secret())
    assert (await api.ask("GET", f"/{made['id']}"))["webhook_url"] == BODY["webhook_url"]


async def test_null_makes_a_default_count_again(api: Api) -> None:
    plain = await api.register(name="plain")
    options = {"format": "waha", "headers": {"X-A": "a"}, "timeout": 5, "rate": 2, "burst": 9}
    made = await api.register(**options, name="crm", events=["*"], max_retries=9, metadata={"a": 1})
    every = [*options, "events", "max_retries", "metadata"]
    changed = await api.ask("PATCH", f"/{made['id']}", **dict.fromkeys(every))
    own = {name: changed[name] for name in ("id", "name", "created_at", "updated_at")}
    assert changed == {name: plain[name] for name in ROW} | own
    assert api.fakes.endpoints.rows[made["id"]].options == {"version": 1}
    for required in ("phone_number", "webhook_url", "is_active"):
        await api.ask("PATCH", f"/{made['id']}", 422, **{required: None})


async def test_a_burst_counts_only_with_a_rate(api: Api) -> None:
    assert "rate" in (await api.wrong(burst=5))["burst"]
    made = await api.register()
    await api.ask("PATCH", f"/{made['id']}", 422, burst=5)
    await api.ask("PATCH", f"/{made['id']}", rate=1)
    changed = await api.ask("PATCH", f"/{made['id']}", burst=5)
    assert (changed["rate"], changed["burst"], changed["timeout"]) == (1, 5, None)


async def test_toggle_switches_off_and_on_and_on_clears_what_was_wrong(api: Api) -> None:
    made = await api.register()
    rows = api.fakes.endpoints.rows
    rows[made["id"]] = replace(rows[made["id"]], status="disabled", failure_count=9)
    assert (await api.ask("POST", f"/{made['id']}/toggle"))["is_active"] is False
    on = await api.ask("POST", f"/{made['id']}/toggle")
    assert (on["is_active"], on["status"], on["failure_count"]) == (True, "active", 0)
    assert (await api.ask("POST", f"/{made['id']}/toggle", is_active=True))["is_active"] is True


async def test_the_format_of_waha_alone_takes_a_key_of_any_form(api: Api) -> None:
    key = "the-key-of-our-receivers"
    made = await api.register(format="waha", secret=key)
    assert made["secret"] == key
    for format_ in ("flat", "standard", None):
        await api.ask("PATCH", f"/{made['id']}", 422, format=format_)
    other = await api.register(name="other")
    for path, wrong in ((f"/{other['id']}/rotate-secret", key), (f"/{made['id']}/rotate-secret", "too short")):
        await api.ask("POST", path, 422, secret=wrong)
    answer = await api.register(422, name="third", secret=key)
    assert answer["errors"][0]["field"] == "secret"
    assert key not in str(answer)
    assert (await api.ask("POST", f"/{made['id']}/rotate-secret", secret=f"{key}-2"))["secret"] == f"{key}-2"


async def test_a_rotation_shows_the_new_secret_and_keeps_the_old_one_for_a_day(api: Api) -> None:
    made = await api.register()
    chosen = new_secret()
    assert (await api.ask("POST", f"/{made['id']}/rotate-secret", secret=chosen))["secret"] == chosen
    drawn = (await api.ask("POST", f"/{made['id']}/rotate-secret"))["secret"]
    newest, *before = api.fakes.endpoints.rows[made["id"]].secrets
    assert (newest.secret, newest.expires_at) == (drawn, None)
    assert [each.secret for each in before] == [chosen, made["secret"]]
    assert all((each.expires_at - NOW).total_seconds() == 86400 for each in before if each.expires_at)
    await api.ask("POST", f"/{made['id']}/rotate-secret", 422, secret="hush")


async def test_a_secret_that_another_gateway_makes_at_the_same_moment_signs_too(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, endpoints = await api.register(), api.fakes.endpoints
    change, others = endpoints.change, [EndpointSecret(secret=new_secret())]

    async def late(endpoint_id: str, wanted: EndpointChange) -> Endpoint:
        if others:
            await change(endpoint_id, EndpointChange(secrets=[others.pop(), *endpoints.rows[endpoint_id].secrets]))
        return await change(endpoint_id, wanted)

    monkeypatch.setattr(endpoints, "change", late)
    other = others[0].secret
    drawn = (await api.ask("POST", f"/{made['id']}/rotate-secret"))["secret"]
    assert [each.secret for each in endpoints.rows[made["id"]].secrets] == [drawn, other, made["secret"]]


async def test_a_deleted_webhook_is_gone(api: Api) -> None:
    made = await api.register()
    await api.ask("DELETE", f"/{made['id']}", 204)
    await api.ask("GET", f"/{made['id']}", 404)
    await api.ask("DELETE", f"/{made['id']}", 404)
