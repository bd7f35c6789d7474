"""No secret shows in an error, however it is written and wherever it went."""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from urllib.parse import quote, quote_plus

import httpx2
import msgspec
import pytest

from tests.fake_provider import PigeonSettings
from tests.receivers import answering, client, failing, serving
from wagate.config import convert_settings, load, redact
from wagate.errors import ConfigError, QueueError, UnprocessableError
from wagate.hooks import Provider
from wagate.http.errors import BadUrlError, ProtocolError
from wagate.http.url import check_url
from wagate.plugins.account_settings import check_settings
from wagate.queue.redis import _words, connect

SECRET = "EAAG-very-secret/key+of=ours"
PIGEON = Provider(
    name="pigeon", title="Pigeon", settings_type=PigeonSettings, secrets=frozenset({"api_token", "headers"})
)


@pytest.mark.parametrize("around", ["\n", "\r\n", "\x00", "\x1b[2J"])
async def test_a_header_with_a_control_character_is_refused_without_showing_it(around: str) -> None:
    async with serving(answering(b"")) as server, client() as http:
        error = await failing(http, server.url(), headers={"Authorization": f"Bearer {SECRET}{around}"})
        assert isinstance(error, ProtocolError)
        assert not error.sent
        assert not shows(error)
        async with http.guarded_httpx() as lent:
            with pytest.raises(httpx2.LocalProtocolError) as caught:
                await lent.post(server.url(), headers={b"Authorization": f"Bearer {SECRET}{around}".encode()})
        assert not shows(caught.value)
        assert server.connections == 0


async def test_what_a_server_says_that_is_no_http_is_not_repeated() -> None:
    async with serving(answering(f"{SECRET}\r\n\r\n".encode(), then_close=True)) as server, client() as http:
        assert not shows(await failing(http, server.url()), whole=False)
        async with http.guarded_httpx() as lent:
            with pytest.raises(httpx2.RemoteProtocolError) as caught:
                await lent.get(server.url())
        assert str(caught.value) == "Protocol error: what came back is not HTTP"


@pytest.mark.parametrize("text", [SECRET + "\n", SECRET + "\n\n", f"  {SECRET}\r\n"])
def test_what_is_around_a_secret_is_taken_off_wherever_it_is_read_from(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    (tmp_path / "config.toml").write_text(
        f"""
        [auth]
        admin_token = "file:key"
        [accounts.a]
        app_secret = "env:KEY"
        verify_token = {json.dumps(text)}
        """
    )
    config = load(tmp_path / "config.toml", {"KEY": text, "WAGATE_ACCOUNTS__A__API_KEY": text})
    assert config.auth.admin_token == SECRET
    assert set(map(str, config.accounts["a"].values())) == {SECRET}
    account = check_settings(PIGEON, {"api_token": text, "headers": {"X-Key": text}})
    assert isinstance(account, PigeonSettings)
    assert (account.api_token, account.headers) == (SECRET, {"X-Key": SECRET})


@pytest.mark.parametrize("bad", ["\n", "\x00", "\x1b", "\x85"])
def test_a_control_character_within_a_secret_is_refused_where_it_enters(tmp_path: Path, bad: str) -> None:
    text = SECRET + bad + SECRET
    (tmp_path / "key").write_text(text)
    (tmp_path / "config.toml").write_text(
        f"""
        auth = {{ admin_token = "file:key" }}
        accounts.a = {{ app_secret = "env:KEY", verify_token = {json.dumps(text)} }}
        """
    )
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "config.toml", {"KEY": text})
    for key in ("auth.admin_token", "accounts.a.app_secret", "accounts.a.verify_token"):
        assert f"{key}: holds a control character" in str(caught.value)
    assert SECRET not in str(caught.value)
    with pytest.raises(UnprocessableError, match="api_token holds a control character") as refused:
        check_settings(PIGEON, {"api_token": text})
    assert not shows(refused.value)


def test_a_private_key_may_have_lines(tmp_path: Path) -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----"
    (tmp_path / "key.pem").write_text(pem + "\n")
    (tmp_path / "config.toml").write_text('accounts.a = { private_key = "file:key.pem" }')
    assert str(load(tmp_path / "config.toml", {}).accounts["a"]["private_key"]) == pem


class Picky(msgspec.Struct):
    """Settings that repeat what they refuse, as somebody's plugin may."""

    token: str

    def __post_init__(self) -> None:
        raise ValueError(f"token: {self.token!r} is too long")


def test_what_a_plugins_own_check_repeats_of_a_secret_is_taken_out() -> None:
    with pytest.raises(ConfigError) as caught:
        convert_settings(Picky, {"token": SECRET + "\x1b"}, key="plugins.picky")
    assert not shows(caught.value, whole=False)


@pytest.mark.parametrize("url", [f"redis://:pass#{SECRET}@host:port/0", f"redis+sentinel://u:p@host:{SECRET}/s"])
def test_a_redis_url_that_can_not_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^redis\.url can't be read; write ") as caught:
        connect(url.replace("#", ":"), timeout=1)
    assert not shows(caught.value)


def test_arguments_that_an_old_redis_repeats_are_not_shown() -> None:
    said = QueueError(f"unknown command `AUTH`, with args beginning with: `default`, `{SECRET}`, ")
    assert _words(said) == "unknown command `AUTH`"


@pytest.mark.parametrize("url", [f"https://user:{SECRET}@ho\u2100st/", f"https://[{SECRET}]/", f"https://x:{SECRET}/"])
def test_a_target_that_can_not_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(BadUrlError) as caught:
        check_url(url)
    assert SECRET not in caught.value.reason


def test_secrets_are_taken_out_in_every_way_that_they_are_escaped() -> None:
    secret = "k\u00e9y \"of'\\ours\n/+&"
    held = frozenset({secret})
    ways = [
        secret,
        repr(secret),
        repr(secret.encode()),
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        json.dumps(repr(secret)),
        json.dumps({"error": f"Illegal header value {secret.encode()!r}"}),
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        quote(secret, safe="").lower(),
        secret.strip(),
    ]
    for text in ways:
        left = redact(f"before {text} after", held)
        assert "ours" not in left, text
        assert left.startswith("before ")
        assert left.endswith(" after")


def shows(error: BaseException, *, whole: bool = True) -> bool:
    """Whether the error, or with ``whole`` its whole traceback, shows the secret."""
    text = "".join(traceback.format_exception(error)) if whole else str(error)
    return SECRET in text
