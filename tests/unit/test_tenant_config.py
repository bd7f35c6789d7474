"""``provider_config``: common keys, the provider's own, masks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fake_provider import Pigeon
from wagate.errors import UnprocessableError
from wagate.plugins.account_settings import MASK, masked
from wagate.web.api.tenants import read_config, show_config

PROVIDER = Pigeon().provider()
STORED = {"api_token": "abcdefgh-1234", "app_secret": "short", "number_id": "n1"}
SHOWN = {"api_token": f"{MASK}1234", "app_secret": MASK, "number_id": "n1"}


def test_common_keys_become_the_providers_own_and_those_without_use_are_told() -> None:
    given = {"api_key": "k", "api_secret": "s", "phone_number_id": "1", "webhook_verify_token": "t", "phone": "+551199"}
    config = read_config(PROVIDER, given, {})
    assert config.settings == {"api_token": "k", "app_secret": "s", "number_id": "1"}
    assert config.phone == "+551199"
    [warning] = config.warnings
    assert warning.startswith("provider_config.webhook_verify_token: ")


def test_what_is_shown_comes_back_as_what_is_stored() -> None:
    shown = show_config(PROVIDER, masked(PROVIDER, STORED), "5511")
    assert shown == {**SHOWN, "api_key": f"{MASK}1234", "api_secret": MASK, "phone_number_id": "n1", "phone": "5511"}
    config = read_config(PROVIDER, shown, STORED)
    assert (config.settings, config.phone, config.warnings) == (STORED, "5511", [])


@pytest.mark.parametrize("name", ["api_key", "api_token"])
def test_of_two_names_the_one_that_was_changed_counts(name: str) -> None:
    shown = show_config(PROVIDER, masked(PROVIDER, STORED), "")
    assert read_config(PROVIDER, shown | {name: "a new one"}, STORED).settings["api_token"] == "a new one"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"api_key": "one", "api_token": "another"}, "provider_config.api_key"),
        ({"api_token": f"{MASK}9999"}, "provider_config.api_token"),
        ({"api_key": f"{MASK}9999"}, "provider_config.api_key"),
        ({"headers": {"X": MASK}}, "provider_config.headers.X"),
    ],
)
def test_what_can_mean_two_things_is_refused(given: dict[str, Any], field: str) -> None:
    with pytest.raises(UnprocessableError) as refused:
        read_config(PROVIDER, given, STORED)
    assert [each.field for each in refused.value.errors] == [field]


def test_null_takes_a_key_away() -> None:
    assert read_config(PROVIDER, {"api_key": None, "number_id": "n1"}, STORED).settings == {"number_id": "n1"}
