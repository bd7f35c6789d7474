"""How a webhook's options are stored, and read by newer and older versions."""

from __future__ import annotations

from typing import Any

import pytest

from wagate.errors import StorageError
from wagate_webhook import options
from wagate_webhook.options import CHECKS, Options, Shown, read_options, read_shown, to_store


def sealed(text: str) -> str:
    return text[::-1]


def test_only_what_was_set_is_stored_and_secrets_are_encrypted() -> None:
    assert to_store({"format": "flat", "rate": None, "headers": {}}, sealed) == {
        "version": 1,
        "format": None,
        "rate": None,
        "headers": None,
    }
    stored = to_store({"timeout": 5.0, "headers": {"X-A": "hush"}}, sealed)
    assert "hush" not in str(stored)
    assert read_options(stored, sealed) == Options(timeout=5.0, headers={"X-A": "hush"})
    assert read_shown(stored) == Shown(timeout=5.0)


def test_an_option_of_a_newer_version_that_needed_no_new_form_is_left_alone() -> None:
    stored = {"version": 1, "format": "waha", "compress": "gzip"}
    assert read_shown(stored) == Shown(format="waha")
    assert to_store({"timeout": 5}, sealed, stored) == {**stored, "timeout": 5}


def test_a_form_that_a_newer_version_made_is_refused() -> None:
    with pytest.raises(StorageError, match="newer wagate"):
        read_shown({"version": 2})


def test_an_older_form_is_read_and_written_in_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    def per_minute(stored: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in stored.items() if name != "minute"} | {"rate": stored["minute"] / 60}

    monkeypatch.setattr(options, "UPGRADES", (per_minute,))
    stored = {"version": 1, "minute": 30}
    assert read_shown(stored) == Shown(rate=0.5)
    assert to_store({"burst": 2}, sealed, stored) == {"version": 2, "minute": None, "rate": 0.5, "burst": 2}


def test_every_option_has_a_check() -> None:
    assert set(CHECKS) == set(Options.__struct_fields__)
