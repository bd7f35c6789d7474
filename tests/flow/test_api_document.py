"""The OpenAPI document, held against the running API by generated requests."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import trio

from tests.api_site import ACME, ADMIN, api_site
from tests.effort import effort
from wagate.config.tables import Limits
from wagate.config.units import Rate
from wagate.hooks.sessions import SESSION_ACTIONS
from wagate.web.documents import routes
from wagate.web.documents.openapi import build_openapi
from wagate.web.health import Check, Level

UNLIMITED = Limits(api=Rate("off"), auth=Rate("off"))
STREAM = "/api/whatsapp/session/stream"
DOORS = (
    "/webhook/inbound",
    "/api/whatsapp/webhook/{sessionId}",
    "/webhooks/{account}",
    "/routes/api/v1/conversations/ingest",
    "/api/accounts",
    "/api/accounts/{name}",
    "/api/tenants/{tenant_id}/whatsapp-settings",
    "/routes/tenants/{tenant_id}/whatsapp-settings",
)
SESSIONS = (
    "/api/{session}/auth/qr",
    "/api/{session}/auth/request-code",
    *(f"/api/sessions/{{session}}/{each}" for each in SESSION_ACTIONS),
)
"""What a session can do depends on its provider, and on what it does already."""
VERBS = (
    "/messages/send",
    *(f"/api/send{kind}" for kind in ("Text", "Image", "File", "Voice", "Video", "Location", "ContactVcard", "Seen")),
    *("/api/startTyping", "/api/stopTyping", "/api/reaction"),
)
MEANT = (*DOORS, *VERBS, "/api/media")
"""What a message or a file means is more than a schema says."""


async def well() -> Check:
    """A machine that stands still while it is asked makes no 503."""
    return Check(status=Level.HEALTHY)


WELL = {"database": well, "disk": well}
ALL = "examples,coverage,fuzzing,stateful"
TOKENS = pytest.mark.parametrize("token", [ADMIN, ACME, None], ids=["admin", "client", "nobody"])


async def schemathesis(url: str, token: str | None, *arguments: str) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", "--no-color", *arguments]
    command += [] if token is None else ["-H", f"Authorization: Bearer {token}"]
    # The edges of each field are tried by who may do everything: what others send is read by the same code.
    command += ["--phases", ALL if token == ADMIN else effort("examples,fuzzing", ALL)]
    # Who has no token is refused before anything is read: one request of each kind shows it.
    command += [
        "--max-examples",
        effort("1" if token is None else "3", "100"),
        "--continue-on-failure",
        "--request-timeout",
        "60",
        "--seed",
        "1",
    ]
    # Neither what another run found, nor how fast this machine is today, may decide.
    command += ["--generation-database", "none", "--suppress-health-check", "all"]
    done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
    output = done.stdout.decode() + done.stderr.decode()
    assert done.returncode == 0, output[output.find("FAILURES") - 100 :]
    assert " passed" in output


@TOKENS
async def test_generated_requests_find_nothing_that_the_document_does_not_say(
    token: str | None, tmp_path: Path
) -> None:
    async with api_site(tmp_path, limits=UNLIMITED, probes=WELL) as site:
        excluded = [argument for path in (STREAM, *MEANT) for argument in ("--exclude-path", path)]
        await schemathesis(site.url, token, *excluded)


async def test_the_document_is_built_once_whoever_asks_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []

    def build(operations: Any) -> Any:
        built.append(trio.from_thread.run_sync(trio.current_time))  # raises on the loop's own thread
        return build_openapi(operations)

    monkeypatch.setattr(routes, "build_openapi", build)
    async with api_site(tmp_path) as site, site.as_(None) as http, trio.open_nursery() as nursery:
        for path in ("/docs", "/openapi.json") * 4:
            nursery.start_soon(http.get, path)
    assert len(built) == 1


@TOKENS
async def test_generated_requests_find_nothing_at_the_doors_that_the_document_does_not_say(
    token: str | None, tmp_path: Path
) -> None:
    async with api_site(tmp_path, limits=UNLIMITED, probes=WELL) as site:
        # What a webhook means, what settings a provider takes, or what its session can do, is more than a schema says.
        doors = [argument for path in (*DOORS, *SESSIONS) for argument in ("--include-path", path)]
        await schemathesis(site.url, token, *doors, "--exclude-checks", "positive_data_acceptance")


async def test_what_a_session_refuses_is_in_the_document(tmp_path: Path) -> None:
    code = {"phoneNumber": "15550001111"}
    async with api_site(tmp_path, limits=UNLIMITED) as site, site.as_(ADMIN) as http:
        account = {"name": "plain", "provider": "engine", "tenant_id": "acme"}
        assert (await http.post("/api/accounts", json=account)).status_code == 201
        paths = (await http.get("/openapi.json")).json()["paths"]
        for path in SESSIONS:
            ((method, operation),) = paths[path].items()
            given = {"json": code} if "requestBody" in operation else {}
            answer = await http.request(method, path.replace("{session}", "plain"), **given)
            assert answer.status_code == 422, answer.text
            assert "422" in operation["responses"], path


async def test_every_reference_resolves_and_every_type_is_a_valid_schema(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(None) as http:
        document = (await http.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        jsonschema_rs.meta.validate(schema | {"$schema": "https://json-schema.org/draft/2020-12/schema"})
        assert schema.get("description"), name
    references = list(references_in(document))
    assert references
    assert {each.rpartition("/")[2] for each in references} <= set(schemas)
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))


def references_in(value: Any) -> Any:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from references_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from references_in(each)


async def test_fields_are_described_by_the_words_of_the_sources(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(None) as http:
        document = (await http.get("/openapi.json")).json()
    token = document["components"]["schemas"]["MadeClient"]["properties"]["token"]
    assert token["description"] == "Its first token. It is shown only once."
    limit = next(each for each in document["paths"]["/api/jobs"]["get"]["parameters"] if each["name"] == "limit")
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}


async def test_the_page_lists_every_operation_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(None) as http:
        document = (await http.get("/openapi.json")).json()
        page = await http.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=\"/ui/static/)", page.text)
    assert "unsafe" not in page.headers["content-security-policy"]
    loaded = re.findall(r'\b(?:src|href|action|data)="([^"]*)"', page.text)
    assert loaded
    assert all(re.match(r"/ui/|#|openapi\.json$", each) for each in loaded), loaded
    assert "curl -X POST &#34;$URL/messages/send&#34;" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for path in document["paths"]:
        assert path in page.text
