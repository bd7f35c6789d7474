"""Commands that talk to a running gateway, over its socket."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.fake_gateway import TOKEN, FakeGateway, fake_gateway
from wagate.cli import app
from wagate.config.lock import hold

MISSING: dict[str, Any] = {"title": "Not found", "status": 404, "detail": "no such delivery"}


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="wg") as short:
        monkeypatch.chdir(short)
        for name in ("DATABASE_URL", "WAGATE_SECRET_KEY", "WAGATE_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("WAGATE_ADMIN_TOKEN", TOKEN)
        (Path(short) / "data").mkdir()
        yield Path(short)


@pytest.fixture
def fake(folder: Path) -> Iterator[FakeGateway]:
    with fake_gateway(folder / "data") as running:
        yield running


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def job(number: int, **more: Any) -> dict[str, Any]:
    row = {"id": f"d-{number}", "connector": "webhook", "target": "w-1", "chat": "1555@c.us", "status": "failed"}
    return row | {"attempt_count": 3, "max_retries": 3, "error": "Server error (503)", "attempts": []} | more


def test_a_client_is_added_and_its_token_alone_goes_to_standard_output(fake: FakeGateway) -> None:
    fake.answers["POST /api/clients"] = (201, {"id": 2, "slug": "acme", "token": "wga_x"})
    result = run("client", "add", "acme", "--name", "Acme Inc.")
    assert (result.exit_code, result.stdout) == (0, "wga_x\n")
    assert fake.asked == [("POST /api/clients", {"slug": "acme", "name": "Acme Inc."})]
    assert json.loads(run("client", "add", "acme", "--json").stdout) == {"id": 2, "slug": "acme", "token": "wga_x"}


def test_a_refusal_is_one_line_with_the_fields(fake: FakeGateway) -> None:
    problem = {
        "title": "Conflict",
        "detail": "a client 'acme' exists",
        "errors": [{"field": "slug", "detail": "a client 'acme' exists"}, {"field": "name", "detail": "too\nlong"}],
    }
    fake.answers["POST /api/clients"] = (409, problem)
    result = run("client", "add", "acme")
    assert result.exit_code == 1
    assert result.stderr == "error: Conflict (409): a client 'acme' exists; the field is slug; name: too long\n"


def test_an_answer_that_is_no_problem_is_still_one_line(fake: FakeGateway) -> None:
    fake.answers["POST /api/clients"] = (502, b"<html>")
    assert run("client", "add", "acme").stderr == "error: 502 Bad Gateway from /api/clients\n"


def test_tokens_are_given_and_revoked(fake: FakeGateway) -> None:
    fake.answers["POST /api/clients/a%2Fb/tokens"] = (201, {"id": "t-1", "token": "wga_y"})
    tokens = {"data": [{"id": "t-1"}, {"id": "t-2"}], "next_cursor": None}
    fake.answers["GET /api/clients/a%2Fb/tokens"] = (200, tokens)
    fake.answers["DELETE /api/clients/a%2Fb/tokens/t-1"] = (204, None)
    fake.answers["DELETE /api/clients/a%2Fb/tokens/t-2"] = (204, None)
    assert run("client", "token", "a/b").stdout == "wga_y\n"
    assert run("client", "revoke", "a/b", "t-1").stderr == "1 revoked\n"
    assert run("client", "revoke", "a/b", "--all").stderr == "2 revoked\n"
    fake.answers["DELETE /api/clients/a%2Fb/tokens/t-2"] = (404, MISSING)
    half = run("client", "revoke", "a/b", "--all")
    assert (half.exit_code, half.stderr.splitlines()[0]) == (1, "1 of 2 revoked")
    assert run("client", "revoke", "a/b").exit_code == 2
    assert run("client", "revoke", "a/b", "t-1", "--all").exit_code == 2


def test_jobs_are_listed_page_by_page_with_the_filters(fake: FakeGateway) -> None:
    first = {"data": [job(number) for number in range(200)], "next_cursor": "c"}
    fake.answers["GET /api/jobs"] = [(200, first), (200, {"data": [job(200)], "next_cursor": None})]
    result = run("jobs", "list", "--state", "failed", "--connector", "webhook", "--limit", "250", "--json")
    assert len(json.loads(result.stdout)) == 201
    filters = {"status": "failed", "connector": "webhook"}
    assert fake.asked == [
        ("GET /api/jobs", filters | {"limit": "200"}),
        ("GET /api/jobs", filters | {"limit": "51", "cursor": "c"}),
    ]


def test_what_came_from_outside_can_not_steer_the_terminal(fake: FakeGateway) -> None:
    fake.answers["GET /api/jobs"] = (200, {"data": [job(1, error="a\x1b[2J\nb\tc")], "next_cursor": None})
    lines = run("jobs", "list").stdout.splitlines()
    assert lines == [
        "id\tstored\ttarget\tchat\tstate\ttries\terror",
        "d-1\t\twebhook:w-1\t1555@c.us\tfailed\t3/3\ta [2J b c",
    ]


def test_one_job_is_shown_with_its_attempts_in_local_time(fake: FakeGateway) -> None:
    attempt = {"number": 1, "started_at": "2026-01-31T12:00:00Z", "duration_ms": 12, "http_status": 503, "error": "no"}
    fake.answers["GET /api/jobs/d-1"] = (200, job(1, attempts=[attempt]))
    lines = run("jobs", "show", "d-1").stdout.splitlines()
    assert "error\tServer error (503)" in lines
    there = datetime(2026, 1, 31, 12, tzinfo=UTC).astimezone()
    assert lines[-1].startswith(f"1\t{there:%Y-%m-%d %H:%M:%S}\t")
    assert lines[-1].endswith("\t12\t503\tno")
    assert json.loads(run("jobs", "show", "d-1", "--json").stdout)["attempts"] == [attempt]


def test_all_that_failed_is_tried_again_and_refusals_are_counted(fake: FakeGateway) -> None:
    fake.answers["GET /api/jobs"] = (200, {"data": [job(1), job(2)], "next_cursor": None})
    fake.answers["POST /api/jobs/d-1/retry"] = (200, job(1))
    fake.answers["POST /api/jobs/d-2/retry"] = (404, MISSING)
    result = run("jobs", "retry", "--failed", "--since", "2h")
    assert result.exit_code == 1
    assert result.stderr == "retry: 1 done, 1 refused\nerror: d-2: Not found (404): no such delivery\n"
    call, query = fake.asked[0]
    assert call == "GET /api/jobs"
    assert (query["status"], query["since"][-1]) == ("failed", "Z")


def test_jobs_are_cancelled_by_id(fake: FakeGateway) -> None:
    fake.answers["POST /api/jobs/d-1/cancel"] = (200, job(1))
    result = run("jobs", "cancel", "d-1")
    assert (result.exit_code, result.stderr) == (0, "cancel: 1 done, 0 refused\n")
    assert run("jobs", "cancel", "d-1", "--pending").exit_code == 2


def test_jobs_are_exported_as_json_lines_into_a_new_file(fake: FakeGateway, folder: Path) -> None:
    fake.answers["GET /api/jobs"] = (200, {"data": [job(1), job(2)], "next_cursor": None})
    assert run("jobs", "export", "--output", "out.jsonl").stderr == "2 written\n"
    lines = (folder / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["d-1", "d-2"]
    assert [json.loads(line)["id"] for line in run("jobs", "export").stdout.splitlines()] == ["d-1", "d-2"]
    fake.answers["GET /api/jobs"] = [(200, {"data": [job(1)], "next_cursor": "c"}), (503, b"")]
    half = run("jobs", "export", "--output", "half.jsonl")
    assert (half.exit_code, half.stderr.splitlines()[0]) == (1, "1 written")
    again = run("jobs", "export", "--output", "out.jsonl")
    assert (again.exit_code, again.stderr) == (1, "error: out.jsonl: File exists\n")


@pytest.mark.parametrize("since", ["yesterday", "2 parsecs", ""])
def test_a_time_that_can_not_be_read_is_a_usage_error(fake: FakeGateway, since: str) -> None:
    fake.answers["GET /api/jobs"] = (200, {"data": [], "next_cursor": None})
    result = run("jobs", "list", "--since", since)
    assert result.exit_code == (2 if since else 0)


def test_a_message_is_sent(fake: FakeGateway) -> None:
    fake.answers["POST /messages/send"] = (200, {"status": "sent", "message_id": "wamid.1", "id": "m-1"})
    assert run("send", "main", "+15551234567", "Hello").stdout == "sent wamid.1\n"
    body = {"account": "main", "to": "+15551234567", "message": {"text": "Hello"}}
    assert fake.asked == [("POST /messages/send", body)]
    queued = {"status": "queued", "id": "m-2", "detail": "the account is blocked", "warnings": ["no quote"]}
    fake.answers["POST /messages/send"] = (202, queued)
    result = run("send", "main", "+15551234567", "Hello")
    assert (result.exit_code, result.stdout) == (0, "queued m-2\n")
    assert result.stderr == "the account is blocked\nno quote\n"
    assert json.loads(run("send", "main", "+15551234567", "Hello", "--json").stdout) == queued


def test_a_message_that_may_be_lost_or_was_refused_is_no_success(fake: FakeGateway) -> None:
    fake.answers["POST /messages/send"] = (202, {"status": "unknown", "id": "m-3", "detail": "no answer came"})
    result = run("send", "main", "+15551234567", "Hello")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "unknown m-3\n", "no answer came\n")
    refused = {"title": "Unprocessable content", "detail": "send a template", "code": "131047", "id": "m-4"}
    fake.answers["POST /messages/send"] = (422, refused)
    result = run("send", "main", "+15551234567", "Hello")
    assert result.exit_code == 1
    assert result.stderr == "error: Unprocessable content (422): send a template (the provider's code 131047)\n"


def test_a_wrong_token_is_said(fake: FakeGateway) -> None:
    result = run("--token", "wrong", "jobs", "list")
    assert (result.exit_code, result.stderr) == (1, "error: Unauthorized (401): a wrong token\n")


def test_without_a_gateway_commands_that_need_one_say_so(folder: Path) -> None:
    for arguments in (
        ["send", "a", "b", "c"],
        ["jobs", "retry", "d-1"],
        ["simulate", "ready"],
        ["simulate", "message"],
    ):
        result = run(*arguments)
        assert result.exit_code == 1
        expected = f'error: no gateway is running on {folder}/data; start one with "wagate serve"\n'
        assert result.stderr.replace("/private", "") == expected


def test_a_gateway_that_runs_but_can_not_be_reached_is_told_apart(folder: Path) -> None:
    with hold(folder / "data", port=8123):
        result = run("jobs", "list")
    assert result.exit_code == 1
    assert "a gateway is running (process " in result.stderr
    assert result.stderr.endswith("try --url http://127.0.0.1:8123\n")


def test_an_address_where_nobody_listens_is_one_line() -> None:
    result = run("--url", "http://127.0.0.1:1", "--token", "t", "jobs", "list")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: http://127.0.0.1:1: ")
    assert len(result.stderr.splitlines()) == 1


HOOK = "01a23125-ca1c-76f7-a337-2654c2246169"
WEBHOOK: dict[str, Any] = {
    "id": HOOK,
    "tenant_id": "default",
    "phone_number": "*",
    "name": "crm",
    "webhook_url": "https://hooks.example/in",
    "status": "active",
    "events": ["message"],
    "timeout": None,
    "rate": 0.5,
    "burst": 4,
}


def test_webhooks_are_listed_with_what_they_allow(fake: FakeGateway) -> None:
    fake.answers["GET /api/webhooks/list"] = (200, {"data": [WEBHOOK], "next_cursor": None})
    heads, row = run("webhooks", "list").stdout.splitlines()
    assert heads.split("\t")[-2:] == ["timeout", "rate"]
    assert row.split("\t")[:4] == [HOOK, "default", "*", "crm"]
    assert row.split("\t")[-2:] == ["", "0.5"]
    assert json.loads(run("webhooks", "list", "--json").stdout) == [WEBHOOK]


def test_one_is_shown_with_all_its_options(fake: FakeGateway) -> None:
    fake.answers[f"GET /api/webhooks/{HOOK}"] = (200, WEBHOOK)
    assert "burst\t4" in run("webhooks", "show", HOOK).stdout.splitlines()


def test_values_are_read_as_json_or_text_and_nothing_is_the_default(fake: FakeGateway) -> None:
    fake.answers[f"PATCH /api/webhooks/{HOOK}"] = (200, WEBHOOK)
    assert run("webhooks", "set", HOOK, "rate=0.5", "format=waha", "timeout=", 'events=["*"]').exit_code == 0
    body = {"rate": 0.5, "format": "waha", "timeout": None, "events": ["*"]}
    assert fake.asked == [(f"PATCH /api/webhooks/{HOOK}", body)]
    assert run("webhooks", "set", HOOK, "rate").exit_code == 2
