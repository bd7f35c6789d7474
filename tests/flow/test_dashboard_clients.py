"""Clients and tokens on the dashboard: made, shown once, seen in use, revoked."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.flow.dashboard import browser, fields_of, press
from tests.inprocess import Gateway, running_gateway

TOKEN = re.compile(r"wgt_[\w-]{40,}")


@pytest.fixture
async def running() -> AsyncIterator[Gateway]:
    async with running_gateway() as gateway:
        yield gateway


@pytest.fixture
async def http(running: Gateway) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser(running) as client:
        yield client


async def made(http: httpx2.AsyncClient, page: str, **fields: str) -> str:
    """The token that a form's answer shows."""
    form = fields_of(await http.get(page.removesuffix("/tokens"))) | fields
    answers = [await http.post(page, data=form) for _ in range(2)]
    tokens = {match[0] for answer in answers if (match := TOKEN.search(answer.text))}
    assert len(tokens) == 1, "the same form makes one token"
    return tokens.pop()


async def test_a_client_is_added_with_a_token_that_is_shown_once(running: Gateway, http: httpx2.AsyncClient) -> None:
    token = await made(http, "/ui/clients", slug="bakery", name="Harbour Bakery")
    listed = (await http.get("/ui/clients")).text
    shown = (await http.get("/ui/clients/bakery")).text
    assert "Harbour Bakery" in listed
    assert token not in listed + shown
    assert "never" in shown
    async with browser(running, token) as theirs:
        assert (await theirs.get("/ui/")).status_code == 200
    await running.passes(120)
    assert "never" not in (await http.get("/ui/clients/bakery")).text


async def test_a_token_is_made_and_revoked_and_the_audit_names_both(running: Gateway, http: httpx2.AsyncClient) -> None:
    await running.client("bakery")
    token = await made(http, "/ui/clients/bakery/tokens", label="for the till")
    async with browser(running, token) as theirs:
        (row,) = [
            each
            for each in (await running.ask("GET", "/api/clients/bakery/tokens"))["data"]
            if each["name"] == "for the till"
        ]
        gone = await press(http, "/ui/clients/bakery", f"/ui/clients/bakery/tokens/{row['id']}/revoke")
        assert "Revoked" in gone.text
        assert "for the till" not in gone.text
        assert (await theirs.get("/ui/")).status_code == 303
    audit = (await http.get("/ui/audit")).text
    assert audit.index(">revoke token<") < audit.index(">add token<")
    assert token not in audit


async def test_a_client_is_renamed_and_keeps_its_slug(running: Gateway, http: httpx2.AsyncClient) -> None:
    await running.client("bakery")
    page = await press(http, "/ui/clients/bakery", "/ui/clients/bakery", name="<b>Harbour & Sons</b>")
    assert "Saved." in page.text
    assert "&lt;b&gt;Harbour &amp; Sons" in page.text
    assert (await running.ask("GET", "/api/clients/bakery"))["name"] == "<b>Harbour & Sons</b>"


@pytest.mark.parametrize(
    ("slug", "cure"), [("12345", "slug"), ("not a slug", "letters, digits"), ("default", "exists")]
)
async def test_a_slug_that_cannot_be_is_refused_with_the_cure(http: httpx2.AsyncClient, slug: str, cure: str) -> None:
    form = fields_of(await http.get("/ui/clients")) | {"slug": slug, "name": "Typed with care"}
    refused = await http.post("/ui/clients", data=form)
    assert refused.status_code == 422
    assert 'id="h-slug"' in refused.text
    assert cure in refused.text
    assert f'value="{slug}"' in refused.text
    assert 'value="Typed with care"' in refused.text


async def test_a_clients_own_token_opens_none_of_these_pages(running: Gateway) -> None:
    token = (await running.client("other"))["token"]
    async with browser(running, token) as http:
        form = fields_of(await http.get("/ui/webhooks/new"))
        for page in ("/ui/clients", "/ui/clients/other", "/ui/clients/default"):
            assert (await http.get(page)).status_code == 403
            assert (await http.post(page, data=form | {"slug": "mine", "name": "x"})).status_code == 403
        assert (await http.post("/ui/clients/other/tokens", data=form)).status_code == 403
        assert "Clients</a>" not in (await http.get("/ui/more")).text
    assert [each["slug"] for each in (await running.ask("GET", "/api/clients"))["data"]] == ["default", "other"]
