"""Secrets that people make up for a provider have 16 characters where they enter; older ones are only warned of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.inprocess import running_gateway
from wagate.cli.root import app
from wagate.plugins.account_settings import short_secrets
from wagate.plugins.registry import ENGINE

SHORT, LONG = "let me in", "let me in, will you?"
META: dict[str, Any] = {"phone_number_id": "1060000000000001", "access_token": "EAA0123456789abcdef"}
CONFIG = {"accounts.old": {"provider": "meta", **META, "verify_token": SHORT}}


async def test_a_short_one_is_refused_where_it_enters_and_an_old_one_is_warned_of() -> None:
    async with running_gateway(CONFIG) as gateway:
        body = {"name": "new", "provider": "meta", "settings": META | {"verify_token": SHORT}}
        refused = await gateway.ask("POST", "/api/accounts", 422, json=body)
        assert refused["errors"] == [
            {"field": "settings.verify_token", "detail": "is too short; use at least 16 characters"}
        ]
        assert SHORT not in str(refused)
        body["settings"] = META | {"verify_token": LONG}
        made = await gateway.ask("POST", "/api/accounts", 201, json=body)
        shown = made["settings"]["verify_token"]
        change = {"settings": {"verify_token": SHORT}}
        await gateway.ask("PATCH", "/api/accounts/new", 422, json=change)
        await gateway.ask("PATCH", "/api/accounts/new", 200, json={"settings": {"verify_token": shown}})
        lines = (await gateway.ask("GET", "/api/doctor"))["data"]
        warned = [(line["part"], line["what"]) for line in lines if "fewer than 16 characters" in line["detail"]]
        assert warned == [("account old", "verify_token")]


async def test_a_tenants_own_configuration_is_taken_with_a_warning() -> None:
    async with running_gateway() as gateway:
        await gateway.client("acme")
        body = {"whatsapp_provider": "meta", "provider_config": META | {"verify_token": SHORT}}
        answer = await gateway.ask("PUT", "/api/tenants/acme/whatsapp-settings", json=body)
        assert answer["warnings"] == ["provider_config.verify_token has fewer than 16 characters"]


def test_check_warns_and_is_content(tmp_path: Path) -> None:
    table = "\n".join(f'{name} = "{value}"' for name, value in CONFIG["accounts.old"].items())
    (tmp_path / "config.toml").write_text(f"[accounts.old]\n{table}\n")
    result = CliRunner().invoke(app, ["check", "--config", str(tmp_path / "config.toml")])
    assert result.exit_code == 0, result.output
    assert "accounts.old.verify_token has fewer than 16 characters" in result.stderr


@pytest.mark.parametrize("settings", [{}, {"verify_token": ""}, {"verify_token": None}, {"verify_token": 7}])
def test_a_provider_without_such_secrets_has_none_that_are_short(settings: dict[str, Any]) -> None:
    assert short_secrets(ENGINE, settings) == []
