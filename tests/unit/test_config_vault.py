from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from wagate.clock import Clock
from wagate.config.vault import Vault
from wagate.errors import ConfigError, UnauthorizedError

KEY = Fernet.generate_key().decode()
PASSPHRASE = "correct horse battery staple"
VAULT = Vault([KEY])


@given(st.text())
def test_what_is_encrypted_comes_back(text: str) -> None:
    token = VAULT.encrypt(text)
    assert token.isascii()
    assert VAULT.decrypt(token) == text


def test_a_lone_surrogate_survives() -> None:
    assert VAULT.decrypt(VAULT.encrypt("\ud800")) == "\ud800"


def test_a_passphrase_is_the_same_key_everywhere() -> None:
    token = Vault([PASSPHRASE]).encrypt("x")
    assert Vault([PASSPHRASE]).decrypt(token) == "x"


def test_a_fernet_key_is_used_as_it_is() -> None:
    assert Fernet(KEY).decrypt(VAULT.encrypt("x")) == b"x"


def test_rotation_encrypts_with_the_first_and_decrypts_with_all() -> None:
    old, new = Vault([PASSPHRASE]), Vault([KEY, PASSPHRASE])
    assert new.decrypt(old.encrypt("x")) == "x"
    assert VAULT.decrypt(new.encrypt("y")) == "y"
    assert VAULT.decrypt(new.rotate(old.encrypt("z"))) == "z"


@pytest.mark.parametrize(
    "token",
    ["", "nonsense", "é", Vault([PASSPHRASE]).encrypt("x"), VAULT.encrypt("x")[:-4]],
    ids=["empty", "nonsense", "not ASCII", "of another key", "cut off"],
)
def test_a_damaged_or_foreign_secret_is_a_clear_error(token: str) -> None:
    with pytest.raises(ConfigError, match=r"auth\.secret_key: a stored secret can't be decrypted; it is damaged, or"):
        VAULT.decrypt(token)


@pytest.mark.parametrize("keys", [[], ["short"], [KEY, "short"]])
def test_short_or_missing_keys_are_refused(keys: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"auth\.secret_key: must be at least 16 characters long"):
        Vault(keys)


def test_a_signed_token_holds_until_it_expires() -> None:
    clock = Clock()
    vault = Vault([KEY], clock)
    token = vault.sign("session-1", purpose="view", seconds=60)
    assert vault.unsign(token, purpose="view") == "session-1"
    clock.offset = 61
    with pytest.raises(UnauthorizedError, match="this token has expired"):
        vault.unsign(token, purpose="view")


def test_a_signed_token_is_safe_in_a_url() -> None:
    token = VAULT.sign("a/b?c=d&e é", purpose="view", seconds=60)
    assert all(char.isascii() and (char.isalnum() or char in "-_.") for char in token)
    assert VAULT.unsign(token, purpose="view") == "a/b?c=d&e é"


def test_a_token_is_good_for_its_purpose_and_key_only() -> None:
    token = VAULT.sign("x", purpose="view", seconds=60)
    for vault, purpose in ((VAULT, "media"), (Vault([PASSPHRASE]), "view")):
        with pytest.raises(UnauthorizedError, match="this token is not valid"):
            vault.unsign(token, purpose=purpose)
    assert Vault([PASSPHRASE, KEY]).unsign(token, purpose="view") == "x"


@given(st.text())
def test_no_made_up_token_is_accepted(token: str) -> None:
    with pytest.raises(UnauthorizedError):
        VAULT.unsign(token, purpose="view")
