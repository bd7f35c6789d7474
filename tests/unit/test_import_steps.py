"""What an import does against a gateway that refuses, goes away, or is not there."""

from __future__ import annotations

import json
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from typer.testing import CliRunner, Result

from tests.fake_gateway import TOKEN, FakeGateway, fake_gateway
from wagate.cli import app
from wagate.cli.errors import NoGatewayError
from wagate.cli.gateway import Gateway
from wagate.cli.imports.carry_out import Import
from wagate.cli.imports.plan import Account, Plan, Webhook, bare, digits_of, joined, proxy_url, toml_table
from wagate.cli.imports.waha import Hook, Place, Session, known_events, of_hook, of_session

EMPTY = (200, {"data": [], "next_cursor": None})
LISTS = {"GET /api/accounts": EMPTY, "GET /api/webhooks/list": EMPTY}
COMPOSE = """
services:
  waha:
    image: devlikeapro/waha
    environment:
      WAHA_API_KEY: the-plain-api-key
      WHATSAPP_START_SESSION: shop,office
      WHATSAPP_HOOK_URL: https://bot.example/hook
      WHATSAPP_HOOK_EVENTS: message
      WHATSAPP_HOOK_HMAC_KEY: sixteen-characters
"""


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="wg") as short:
        monkeypatch.chdir(short)
        for name in ("DATABASE_URL", "WAGATE_SECRET_KEY", "WAGATE_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("WAGATE_ADMIN_TOKEN", TOKEN)
        (Path(short) / "data").mkdir()
        (Path(short) / "compose.yaml").write_text(COMPOSE)
        yield Path(short)


@pytest.fixture
def fake(folder: Path) -> Iterator[FakeGateway]:
    with fake_gateway(folder / "data") as running:
        running.answers.update(LISTS)
        yield running


def run(*arguments: str) -> Result:
    found = CliRunner().invoke(app, ["import", "waha", "compose.yaml", *arguments])
    assert "the-plain-api-key" not in found.output
    assert "sixteen-characters" not in found.output
    return found


def account(name: str, **more: Any) -> dict[str, Any]:
    row = {"name": name, "tenant_id": "default", "provider": "waha", "webhook_url": None}
    return row | {"settings": {"session": name, "base_url": "http://waha:3000"}} | more


def test_without_a_gateway_it_tells_what_it_would_do(folder: Path) -> None:
    found = run()
    assert found.exit_code == 0
    assert [line.split("\t")[:2] for line in found.stdout.splitlines()[1:4]] == [
        ["would make", "account shop"],
        ["would make", "account office"],
        ["would make", "webhook https://bot.example/hook"],
    ]
    expected = (
        "nothing was changed; no gateway is running, so existing accounts could not be checked; use --apply to do it\n"
    )
    assert found.stderr == expected
    refused = run("--apply")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert 'start one with "wagate serve"' in refused.stderr


def test_a_private_address_is_refused_with_the_table_to_add(fake: FakeGateway) -> None:
    problem = {
        "title": "Unprocessable content",
        "detail": "settings.base_url is private",
        "errors": [{"field": "settings.base_url", "detail": "settings.base_url is private"}],
    }
    fake.answers["POST /api/accounts"] = [(422, problem), (201, account("office"))]
    fake.answers["POST /api/webhooks/register"] = (
        201,
        {"id": "w-1", "phone_number": "*", "webhook_url": "u", "name": ""},
    )
    found = run("--apply", "--json")
    assert found.exit_code == 1
    steps = [(step["act"], step["what"]) for step in json.loads(found.stdout)["steps"] if step["act"] != "left"]
    assert steps == [
        ("failed", "account shop"),
        ("made", "account office"),
        ("made", "webhook https://bot.example/hook"),
    ]
    table = '[accounts.shop]\nprovider = "waha"\nbase_url = "http://waha:3000"\nsession = "shop"\n'
    table += 'api_key = "env:WAHA_API_KEY"\nhmac_key = "env:WAHA_HMAC_KEY"'
    assert json.loads(found.stdout)["todo"][0].endswith(table)
    sent = [given for asked, given in fake.asked if asked == "POST /api/accounts"]
    assert sent[0]["settings"]["api_key"] == "the-plain-api-key"
    assert sent[0]["client"] == "default"


def test_what_was_done_before_a_failure_is_told(fake: FakeGateway) -> None:
    fake.answers["POST /api/accounts"] = (201, account("shop"))
    fake.answers["POST /api/webhooks/register"] = (500, b"<html>")
    found = run("--apply")
    assert found.exit_code == 1
    assert "made\taccount shop\t" in found.stdout
    assert "failed\twebhook https://bot.example/hook\tfor all numbers: 500 Internal Server Error from" in found.stdout
    assert found.stderr == "1 failed; what was created stays; run the same command again to create the rest\n"


def test_what_was_done_before_the_gateway_went_away_is_told(monkeypatch: pytest.MonkeyPatch, fake: FakeGateway) -> None:
    fake.answers["POST /api/accounts"] = (201, account("shop"))
    ask, posts = Gateway.ask, iter([False, True])

    def gone(self: Gateway, method: str, path: str, **options: Any) -> Any:
        if method == "POST" and next(posts):
            raise NoGatewayError("the gateway: connection refused")
        return ask(self, method, path, **options)

    monkeypatch.setattr(Gateway, "ask", gone)
    found = run("--apply")
    assert found.exit_code == 1
    assert "made\taccount shop\t" in found.stdout
    assert found.stderr == "error: the gateway: connection refused\n"


def test_what_is_there_under_another_name_or_of_another_client_is_seen(fake: FakeGateway) -> None:
    renamed = account("main", settings={"session": "shop", "base_url": "http://waha:3000/"})
    other = account("office", tenant_id="acme", provider="meta", settings={})
    fake.answers["GET /api/accounts"] = (200, {"data": [renamed, other], "next_cursor": None})
    row = {"phone_number": "*", "webhook_url": "https://bot.example/hook", "name": "mine"}
    fake.answers["GET /api/webhooks/list"] = (200, {"data": [row], "next_cursor": None})
    found = run("--apply", "--json")
    steps = [(step["act"], step["what"], step["why"]) for step in json.loads(found.stdout)["steps"]]
    assert steps[:3] == [
        ("is there", "account shop", "as main"),
        (
            "failed",
            "account office",
            "office of the client acme is another account (meta); delete it, or rename the session",
        ),
        ("is there", "webhook https://bot.example/hook", "for all numbers"),
    ]
    assert not [asked for asked, _ in fake.asked if asked.startswith("POST")]


def test_a_webhook_that_leads_here_or_whose_account_failed_is_not_made(fake: FakeGateway) -> None:
    here = account("shop", webhook_url="https://wa.example/webhooks/shop")
    fake.answers["GET /api/accounts"] = (200, {"data": [here], "next_cursor": None})
    Path("compose.yaml").write_text(COMPOSE.replace("https://bot.example/hook", "https://wa.example/webhooks/shop"))
    assert "left\twebhook https://wa.example/webhooks/shop\tleads to this gateway: nothing" in run().stdout


def test_webhooks_of_one_account_to_one_url_are_one() -> None:
    def hook(account: str, *events: str) -> Plan:
        made = Webhook(account=account, url="https://a.example", events=events, format="waha")
        return Plan(webhooks=(made,), todo=("the same",))

    plan = joined([hook("a", "message"), hook("a", "message.ack", "message"), hook("b", "message")])
    assert [(each.account, each.events) for each in plan.webhooks] == [
        ("a", ("message", "message.ack")),
        ("b", ("message",)),
    ]
    assert plan.todo == ("the same",)


def test_a_session_of_wagates_own_engine_is_made_without_its_proxy() -> None:
    config = {"proxy": {"server": "p:1", "username": "u", "password": "p@"}, "webhooks": [{"url": 5}], "gows": {}}
    found = of_session(
        Session(name="a", config=config), Place(engine="whatsapp", base_url="http://waha:3000", ignore={"groups": True})
    )
    [made] = found.accounts
    assert (made.provider, made.settings, made.ignore) == ("whatsapp", {}, {"groups": True})
    assert made.proxy == "http://u:p%40@p:1"
    done = Import(msgspec.structs.replace(found, left=()), None, client="default", apply=False)
    done.run()
    assert [(each.act, each.what) for each in done.steps] == [("would make", "account a"), ("left", "account a: proxy")]
    [before, link] = done.todo
    assert "with PROXY_A set to http://p:1 with its user and password" in before
    assert 'proxy = "env:PROXY_A"' in before
    assert (link, "p%40" in before) == ("link a to wagate: wagate pair a", False)
    assert [each.what for each in found.left] == ["session a: webhook 1", "session a: gows"]
    assert found.todo == ("link a to wagate: wagate pair a",)


def test_a_webhook_without_an_event_of_ours_is_left() -> None:
    found = of_hook(Hook(url="https://u:pw@a.example/x?y=z", events=["label.upsert", "state.change"]), "a", "webhook 1")
    assert found.webhooks == ()
    assert [(each.what, each.why) for each in found.left] == [
        ("webhook 1, https://a.example/x?…", "wagate has none of its events"),
        ("webhook 1: event label.upsert", "arrives as unknown, if at all"),
        ("webhook 1: event state.change", "session.status says the same"),
    ]
    assert known_events(["group.v2.join", " message "], "w", []) == ["group.v2.join", "message"]


def test_small_things() -> None:
    assert bare("http://[") == "(no URL)"
    assert [digits_of(jid) for jid in ("15550000001:3@c.us", "99999@lid", None, "12@c.us")] == [
        "15550000001",
        None,
        None,
        None,
    ]
    assert proxy_url("socks5://h:1") == "socks5://h:1"
    assert toml_table(Account(name="a.b", provider="waha"), {}) == '[accounts."a.b"]\nprovider = "waha"'
    whole = Account(
        name="a",
        provider="whatsapp",
        settings={"reject_calls": True},
        phone="15550000001",
        proxy="http://u:p@h:1",
        ignore={"groups": True},
        metadata={"a b": [1, None, "x\n"], "none": None},
    )
    table = toml_table(whole, {"proxy": "PROXY_A"}, client="acme")
    assert tomllib.loads(table) == {
        "accounts": {
            "a": {
                "client": "acme",
                "provider": "whatsapp",
                "phone": "15550000001",
                "reject_calls": True,
                "proxy": "env:PROXY_A",
                "ignore": {"groups": True},
                "metadata": {"a b": [1, "x\n"]},
            }
        }
    }


def test_a_table_is_toml_whatever_people_wrote() -> None:
    words = '\U0001f44d \x00\x08\x1f\x7f\x85 \\ " é\r\n'
    table = toml_table(Account(name=words, provider="whatsapp", metadata={words: words, "half": "\ud83d"}), {})
    assert tomllib.loads(table)["accounts"][words]["metadata"] == {words: words, "half": "?"}


def test_each_proxy_gets_a_variable_of_its_own() -> None:
    wanted = tuple(Account(name=name, provider="whatsapp", proxy=f"http://{name}:p@h:1") for name in ("a-b", "a.b"))
    done = Import(Plan(accounts=wanted), None, client="default", apply=False)
    done.run()
    assert ['"env:PROXY_A_B"' in each for each in done.todo] == [True, False]
    assert '"env:PROXY_A_B_2"' in done.todo[1]
    assert "with PROXY_A_B_2 set" in done.todo[1]


def test_the_table_of_an_account_that_is_there_has_what_was_set_since() -> None:
    row = account("a", provider="whatsapp", settings={"typing": False, "device": "Shop"}, phone="15550000001", weight=3)
    row |= {"position": 2, "metadata": {"shop": 1}, "ignore": {"groups": True, "status": False}}
    wanted = Account(name="a", provider="whatsapp", settings={"reject_calls": True}, proxy="http://h:1")

    def answer(request: httpx2.Request) -> httpx2.Response:
        rows = [row] if request.url.path == "/api/accounts" else []
        return httpx2.Response(200, json={"data": rows, "next_cursor": None})

    with httpx2.Client(base_url="http://here", transport=httpx2.MockTransport(answer)) as client:
        done = Import(Plan(accounts=(wanted,)), Gateway(client, "here"), client="default", apply=True)
        done.run()
    [table] = [tomllib.loads(each.partition("\n")[2])["accounts"]["a"] for each in done.todo]
    assert table == {
        "provider": "whatsapp",
        "phone": "15550000001",
        "typing": False,
        "device": "Shop",
        "weight": 3,
        "position": 2,
        "proxy": "http://h:1",
        "metadata": {"shop": 1},
        "ignore": {"groups": True},
    }
