"""Settings of accounts: checked, masked, sealed; those of config.toml with file and key."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import pytest
import trio

from tests.fake_provider import Pigeon, PigeonSettings
from wagate.config import load
from wagate.config.units import Duration
from wagate.config.vault import Vault
from wagate.errors import ConfigError, UnprocessableError
from wagate.plugins.account_settings import MASK, check_sender, check_settings, masked, storable, unmasked, urls_in
from wagate.plugins.registry import Providers
from wagate.process.configured_accounts import ConfiguredAccount, read_accounts
from wagate.web.api.account_settings import AccountSettings

PROVIDER = Pigeon().provider()


def test_each_wrong_key_is_named_with_its_cure() -> None:
    with pytest.raises(UnprocessableError) as refused:
        check_settings(PROVIDER, {"ap_token": "x", "retries": 10, "timeout": "soon"})
    errors = {each.field: each.detail for each in refused.value.errors}
    assert set(errors) == {"settings.ap_token", "settings.retries", "settings.timeout", "settings.api_token"}
    assert "did you mean settings.api_token?" in errors["settings.ap_token"]
    assert "at most 9" in errors["settings.retries"]
    assert "missing" in errors["settings.api_token"]


def test_settings_read_back_as_what_they_were() -> None:
    typed = check_settings(PROVIDER, {"api_token": "x", "timeout": "1m30s", "headers": {"a": "b"}, "tags": ["c"]})
    assert isinstance(typed, PigeonSettings)
    assert typed.timeout == Duration("90s")
    assert check_settings(PROVIDER, storable(typed)) == typed


def test_secrets_are_masked_and_a_mask_stands_for_what_is_stored() -> None:
    stored = {
        "api_token": "0123456789ab",
        "app_secret": "elevenchars",
        "headers": {"X-Key": "k" * 20},
        "number_id": "1",
    }
    shown = masked(PROVIDER, stored)
    assert shown == {
        "api_token": f"{MASK}89ab",
        "app_secret": MASK,
        "headers": {"X-Key": f"{MASK}kkkk"},
        "number_id": "1",
    }
    assert unmasked(shown, stored) == stored
    assert unmasked({"api_token": "new"}, stored) == {"api_token": "new"}


async def test_what_only_the_file_may_have_is_refused_unless_it_is_stored_already() -> None:
    vault, provider = Vault(["k" * 32]), dataclasses.replace(PROVIDER, config_only=frozenset({"number_id"}))

    async def check_url(_url: str) -> None:
        await trio.lowlevel.checkpoint()

    settings = AccountSettings(Providers(public_url=""), vault, check_url)
    stored = {"api_token": "0123456789ab", "number_id": "1"}
    with pytest.raises(UnprocessableError, match="can be set only in"):
        await settings.sealed(provider, stored, {})
    changed = settings.changed({"tags": ["new"]}, vault.encrypt(msgspec.json.encode(stored).decode()))
    assert settings.opened(await settings.sealed(provider, changed, stored)) == {**stored, "tags": ["new"]}
    with pytest.raises(UnprocessableError, match="can be set only in"):
        await settings.sealed(provider, {**changed, "number_id": "2"}, stored)


def test_of_a_provider_that_is_gone_everything_is_masked() -> None:
    assert masked(None, {"a": "b", "c": ["0123456789ab"]}) == {"a": MASK, "c": [f"{MASK}89ab"]}


def test_urls_are_found_wherever_they_stand() -> None:
    settings = {"a": "https://a", "b": {"c": ["HTTP://b", "no"]}, "d": 1}
    assert list(urls_in(settings)) == [("settings.a", "https://a"), ("settings.b.c", "HTTP://b")]


def read(tmp_path: Path, text: str, env: dict[str, str] | None = None) -> dict[str, ConfiguredAccount]:
    providers = Providers(public_url="")
    providers.add([PROVIDER])
    providers.set_aside("broken", "pigeons.py: no such file")
    file = tmp_path / "config.toml"
    file.write_text(text)
    return read_accounts(load(file, env or {}), providers)


def test_an_account_of_the_configuration_has_the_cores_keys_and_its_providers(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    text = """
    [accounts.main]
    provider = "pigeon"
    client = "acme"
    weight = 3
    position = 1
    api_token = "env:TOKEN"
    app_secret = "file:secret"
    retries = "env:RETRIES"
    timeout = "2m"
    """
    found = read(tmp_path, text, {"TOKEN": "from the environment", "RETRIES": "7"})["main"]
    assert (found.table.client, found.table.weight, found.table.position) == ("acme", 3, 1)
    assert found.settings["api_token"] == "from the environment"
    assert found.settings["app_secret"] == "from a file"
    assert found.settings["retries"] == 7
    assert check_settings(PROVIDER, found.settings).timeout == Duration("2m")  # type: ignore[attr-defined]
    assert "environment" not in repr(found)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (
            'provider = "pigeon"\napi_tokn = "x"',
            "accounts.main.api_tokn: unknown key; did you mean accounts.main.api_token?",
        ),
        ('provder = "pigeon"', "accounts.main.provder: unknown key; did you mean accounts.main.provider?"),
        ('provider = "pigeons"', "accounts.main.provider: no provider 'pigeons'; did you mean 'pigeon'?"),
        ('provider = "broken"', "accounts.main.provider: the plugin of provider 'broken' can't be used: pigeons.py"),
        ('provider = "pigeon"', "accounts.main.api_token: is missing"),
        ('provider = "session"\ncolour = "red"', "accounts.main.colour: unknown key"),
        ('provider = "engine"\nweight = -1', "accounts.main.weight: must be"),
    ],
)
def test_a_wrong_account_is_told_with_file_key_and_near_miss(table: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, f"[accounts.main]\n{table}\n")
    assert f"{tmp_path / 'config.toml'}: {told}" in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "phone", "fine"),
    [({}, "", False), ({"number_id": "1"}, "", True), ({}, "15550000001", True), ({"number_id": ""}, "", False)],
)
def test_an_account_that_must_say_who_sends_says_it(settings: dict[str, str], phone: str, fine: bool) -> None:
    provider = dataclasses.replace(PROVIDER, sender_keys=("number_id", "service"))
    check_sender(PROVIDER, settings, phone)
    if fine:
        check_sender(provider, settings, phone)
        return
    with pytest.raises(UnprocessableError, match=r"set settings\.number_id, settings\.service or phone") as refused:
        check_sender(provider, settings, phone)
    assert [each.field for each in refused.value.errors] == ["settings.number_id"]


def test_an_account_of_the_configuration_without_a_sender_is_told(tmp_path: Path) -> None:
    providers = Providers(public_url="")
    providers.add([dataclasses.replace(PROVIDER, sender_keys=("number_id",))])
    file = tmp_path / "config.toml"
    file.write_text('[accounts.main]\nprovider = "pigeon"\napi_token = "x"\n')
    with pytest.raises(ConfigError, match=r"accounts\.main\.number_id: no number to send from: set number_id or phone"):
        read_accounts(load(file, {}), providers)


def test_all_wrong_accounts_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, '[accounts.a]\nprovider = "x"\n[accounts.b]\ncolour = 1\n')
    assert len(str(refused.value).splitlines()) == 2


def test_a_secret_is_not_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, '[accounts.a]\nprovider = "pigeon"\napi_token = "x"\nretries = "env:N"\n', {"N": "top secret"})
    assert "top secret" not in str(refused.value)


def test_a_plugins_provider_takes_the_place_of_the_cores_session_but_no_other() -> None:
    providers = Providers(public_url="https://wa.example.org/")
    providers.add([Pigeon(name="session").provider()])
    assert providers.need("session").title == "Pigeon post"
    assert providers.names == ("engine", "session")
    for name in ("engine", "session"):
        with pytest.raises(ConfigError):
            providers.add([Pigeon(name=name).provider()])
    assert providers.webhook_url("a") == "https://wa.example.org/webhooks/a"
