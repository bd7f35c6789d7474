"""Loading: what is read from where, and the exact words for each fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from wagate.config import Config, Duration, load, redact
from wagate.errors import ConfigError

Load = Callable[..., Config]


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.chdir(tmp_path)

    def load_text(text: str = "", env: Mapping[str, str] | None = None) -> Config:
        Path("config.toml").write_text(text, encoding="utf-8")
        return load(None, env or {})

    return load_text


@pytest.fixture
def fault(loaded: Load) -> Callable[..., list[str]]:
    def lines(text: str = "", env: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            loaded(text, env)
        return str(caught.value).splitlines()

    return lines


Fault = Callable[..., list[str]]


def test_without_a_file_everything_has_its_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = load(None, {})
    assert (config.server.port, config.delivery.timeout, config.limits.api.count) == (8080, 10.0, 600)
    assert config.data.dir == tmp_path / "data"
    assert config.file == tmp_path / "config.toml"
    assert config.secrets == frozenset()


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "conf.toml", {})
    assert str(caught.value) == f'{tmp_path}/conf.toml: there is no such file; "wagate init" writes one'


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"^{tmp_path}: can't be read: Is a directory$"):
        load(tmp_path, {})


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_bytes(b'host = "\xff"')
    with pytest.raises(ConfigError, match=r"c\.toml: is not UTF-8 text \(byte 8\)"):
        load(tmp_path / "c.toml", {})


def test_paths_start_from_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('[data]\ndir = "store"\n[auth]\nadmin_token = "file:token"')
    (tmp_path / "token").write_text("from a file, at length\r\n")
    config = load(tmp_path / "c.toml", {})
    assert config.data.dir == tmp_path / "store"
    assert config.auth.admin_token == "from a file, at length"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[server\n", "config.toml: line 1, column 8: Expected ']' at the end of a table declaration"),
        ("[log]\nlevel =\n", "config.toml: line 2, column 8: Invalid value"),
        ("[log]\nlevel = ", "config.toml: line 2: Invalid value"),
        ("[server]\nprot = 1", "config.toml: server.prot: unknown key; did you mean server.port?"),
        ("[plugin.webhook]", "config.toml: plugin: unknown key; did you mean plugins?"),
        ("[data]\nqwxyz = 1", "config.toml: data.qwxyz: unknown key; known here: dir"),
        (
            '[server]\nport = "x"',
            "config.toml: server.port: must be a whole number, not text; for example port = 8080",
        ),
        (
            "[server]\nport = 65536",
            "config.toml: server.port: must be a whole number, at most 65535; for example port = 8080",
        ),
        ("server = 1", "config.toml: server: must be a table, not a whole number; write [server]"),
        (
            "[delivery]\ntimeout = 10",
            'config.toml: delivery.timeout: must be text such as "10s", not a whole number; mind the quotes',
        ),
        (
            '[delivery]\ntimeout = "10 parsecs"',
            (
                'config.toml: delivery.timeout: "10 parsecs" is not a duration; write number and unit '
                '(ms, s, m, h, d), as in "10s" or "1h30m"'
            ),
        ),
        (
            '[delivery]\norder = "stirct"',
            'config.toml: delivery.order: must be "strict" or "skip", not "stirct"; did you mean "strict"?',
        ),
        (
            "[delivery]\nmax_retries = 0",
            "config.toml: delivery.max_retries: must be a whole number, at least 1; for example max_retries = 3",
        ),
        (
            "[delivery]\nallow_http = 1",
            (
                "config.toml: delivery.allow_http: must be true or false, not a whole number; "
                "for example allow_http = false"
            ),
        ),
        (
            "[server]\ntrusted_proxies = [1]",
            "config.toml: server.trusted_proxies[0]: must be text, not a whole number",
        ),
        ("[accounts]\nmain = 3", "config.toml: accounts.main: must be a table, not a whole number"),
        (
            '[server]\nport = "env:NOPE"',
            "config.toml: server.port: the environment variable NOPE is not set; set it, or write the value here",
        ),
        (
            '[plugins.x]\nurls = ["a", "env:NOPE"]',
            "config.toml: plugins.x.urls[1]: the environment variable NOPE is not set; set it, or write the value here",
        ),
        (
            '[accounts.main]\ntoken = "file:nope"',
            "config.toml: accounts.main.token: can't read nope: No such file or directory",
        ),
    ],
)
def test_each_fault_names_file_key_reason_and_cure(fault: Fault, text: str, line: str) -> None:
    assert fault(text) == [line]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("certfile = 'config.toml'", "server.keyfile: is missing; server.certfile needs it"),
        ("keyfile = 'config.toml'", "server.certfile: is missing; server.keyfile needs it"),
        ("host = 'http://x'", "server.host: must be a host name or an address, without scheme or port"),
        ("host = ''", "server.host: must be a host name or an address, without scheme or port"),
        (
            "public_url = 'https://x.example/path'",
            'server.public_url: must be scheme and host alone, as in "https://wa.example.org"',
        ),
        (
            "public_url = 'ftp://x.example'",
            'server.public_url: must be scheme and host alone, as in "https://wa.example.org"',
        ),
        (
            "trusted_proxies = ['::1', 'x']",
            'server.trusted_proxies[1]: "x" is not an address or network such as "10.0.0.0/8"',
        ),
        (
            "trusted_proxies = ['10.0.0.1/8']",
            (
                'server.trusted_proxies[0]: "10.0.0.1/8" is not an address or network such as "10.0.0.0/8"; '
                'did you mean "10.0.0.0/8"?'
            ),
        ),
        (
            "cors_origins = ['app.example']",
            'server.cors_origins: "app.example" is not an origin; write "https://app.example.org", or "*"',
        ),
    ],
)
def test_each_cross_check_of_the_server_has_its_words(fault: Fault, text: str, line: str) -> None:
    assert fault(f"[server]\n{text}") == [f"config.toml: {line}"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[queue]\nlease = '900ms'", 'queue.lease: must be at least "1s", not "900ms"'),
        ("[delivery]\ntimeout = '0s'", 'delivery.timeout: must be more than "0s"'),
        ("[delivery]\nmax_delay = '1ms'", 'delivery.max_delay: must be at least "1s", not "1ms"'),
        (
            "[delivery]\nallow_networks = ['lan']",
            'delivery.allow_networks[0]: "lan" is not an address or network such as "10.0.0.0/8"',
        ),
        ("[auth]\nsecret_key = 'short'", "auth.secret_key: is too short; take at least 16 characters"),
        (
            "[database]\nurl = 'postgresl://u:hunter22@h/d'",
            "database.url: must begin with postgresql://, postgres://, sqlite://; did you mean postgresql://?",
        ),
        (
            "[redis]\nurl = 'localhost:6379'",
            "redis.url: must begin with redis://, rediss://, unix://, redis+sentinel://, redis+cluster://, rediss+cluster://",
        ),
        (
            "[delivery]\nproxy = 'proxy:3128'",
            "delivery.proxy: must begin with http://, https://, socks5://, socks5h://",
        ),
    ],
)
def test_each_other_cross_check_has_its_words(fault: Fault, text: str, line: str) -> None:
    assert fault(text) == [f"config.toml: {line}"]


def test_certificate_files_must_be_there(fault: Fault, tmp_path: Path) -> None:
    lines = fault("[server]\ncertfile = 'a.pem'\nkeyfile = 'b.pem'")
    assert lines == [
        f"config.toml: server.certfile: there is no file {tmp_path}/a.pem",
        f"config.toml: server.keyfile: there is no file {tmp_path}/b.pem",
    ]


def test_all_faults_are_shown_at_once(fault: Fault) -> None:
    lines = fault('[server]\nprot = 1\nport = "x"\n[log]\nlevel = "loud"')
    assert [line.split(": ")[1] for line in lines] == ["server.prot", "server.port", "log.level"]


def test_public_url_loses_its_last_slash(loaded: Load) -> None:
    assert loaded("[server]\npublic_url = 'https://x.example/'").server.public_url == "https://x.example"


def test_values_from_the_environment_take_the_type_of_their_key(loaded: Load) -> None:
    config = loaded(
        '[server]\nport = "env:P"\nmax_body = "env:B"\ncors_origins = "env:C"\n[delivery]\nallow_http = "env:H"',
        {"P": "9000", "B": "1MiB", "C": '["https://a.example"]', "H": "true"},
    )
    assert (config.server.port, config.server.max_body, config.delivery.allow_http) == (9000, 2**20, True)
    assert config.server.cors_origins == ["https://a.example"]


def test_overrides_win_over_the_file_and_take_the_type_of_their_key(loaded: Load) -> None:
    env = {
        "WAGATE_SERVER__PORT": "9000",
        "WAGATE_SERVER__TRUSTED_PROXIES": '["10.0.0.0/8"]',
        "WAGATE_DELIVERY__TIMEOUT": "1m",
        "WAGATE_LIMITS__API": "off",
        "WAGATE_LOG__LEVEL": "debug",
        "WAGATE_DATA__DIR": "/srv/wagate",
        "WAGATE_UNRELATED": "x",
    }
    config = loaded("[server]\nport = 1", env)
    assert (config.server.port, config.server.trusted_proxies) == (9000, ["10.0.0.0/8"])
    assert (config.delivery.timeout, config.log.level) == (Duration("1m"), "debug")
    assert not config.limits.api
    assert config.data.dir == Path("/srv/wagate")


def test_overrides_reach_into_accounts_and_plugins(loaded: Load) -> None:
    env = {
        "WAGATE_ACCOUNTS__MAIN_1__API_KEY": "k-123456",
        "WAGATE_PLUGINS__CHATWOOT__INBOXES__SUPPORT__ID": "7",
        "WAGATE_PLUGINS__N8N": '{expires = "24h"}',
    }
    config = loaded('[accounts.Main-1]\nprovider = "meta"', env)
    assert config.accounts == {"Main-1": {"provider": "meta", "api_key": "k-123456"}}
    assert config.plugins == {"chatwoot": {"inboxes": {"support": {"id": "7"}}}, "n8n": {"expires": "24h"}}


def test_a_wrong_override_is_blamed_on_its_variable(fault: Fault) -> None:
    env = {"WAGATE_SERVER__PROT": "1", "WAGATE_SERVER__PORT": "abc", "WAGATE_SRVER__X": "1"}
    assert fault("", env) == [
        "WAGATE_SERVER__PORT (environment): server.port: must be a whole number, not text; for example port = 8080",
        "WAGATE_SERVER__PROT (environment): server.prot: unknown key; did you mean server.port?",
        "config.toml: srver: unknown key; did you mean server?",
    ]


def test_an_override_can_not_go_through_a_value(fault: Fault) -> None:
    lines = fault("[log]\nlevel = 'info'", {"WAGATE_LOG__LEVEL__DEEP": "1"})
    assert lines == ["config.toml: log.level: is a value, so WAGATE_LOG__LEVEL__DEEP can't set a key inside it"]


def test_database_url_counts_when_the_file_names_none(loaded: Load, fault: Fault) -> None:
    url = "postgresql://u:hunter22@h/d"
    assert loaded("", {"DATABASE_URL": url}).database.url == url
    mine = loaded("[database]\nurl = 'postgresql://mine/d'", {"DATABASE_URL": url})
    assert mine.database.url == "postgresql://mine/d"
    assert fault("", {"DATABASE_URL": "mysql://u:hunter22@h/d"}) == [
        "DATABASE_URL (environment): database.url: must begin with postgresql://, postgres://, sqlite://"
    ]


def test_the_two_secrets_come_from_their_variables_or_stay_unset(loaded: Load) -> None:
    env = {"WAGATE_ADMIN_TOKEN": "token-from-environment", "WAGATE_SECRET_KEY": "0123456789abcdef"}
    auth = loaded("", env).auth
    assert (auth.admin_token, auth.secret_key) == ("token-from-environment", "0123456789abcdef")
    auth = loaded('[auth]\nadmin_token = "env:NOPE"\nsecret_key = ["env:NOPE", "env:K"]', {"K": "k" * 16}).auth
    assert (auth.admin_token, auth.secret_key) == ("", ["k" * 16])


def test_a_rotation_of_secret_keys_can_come_from_one_variable(loaded: Load) -> None:
    auth = loaded("", {"WAGATE_SECRET_KEY": '["0123456789abcdef", "fedcba9876543210"]'}).auth
    assert auth.secret_key == ["0123456789abcdef", "fedcba9876543210"]


def test_secret_values_are_known_and_never_shown(loaded: Load) -> None:
    text = """
        [auth]
        admin_token = "written-here-in-full"
        [database]
        url = "postgresql://user:pass-in-url@host/name"
        [accounts.main]
        provider = "meta"
        token = "env:TOKEN"
        numbers = ["env:LISTED"]
        [plugins.chatwoot.inboxes.support]
        api_key = "also-written"
        note = "not secret"
    """
    config = loaded(text, {"TOKEN": "from-env", "LISTED": "from-list", "WAGATE_SERVER__HOST": "gateway.example"})
    wanted = {"written-here-in-full", "pass-in-url", "from-env", "from-list", "also-written"}
    assert config.secrets == wanted
    shown = repr(config) + repr(config.auth) + repr(config.accounts)
    assert not [secret for secret in wanted if secret in shown]


def test_a_fault_in_a_secret_value_does_not_show_it(fault: Fault) -> None:
    (line,) = fault('[delivery]\ntimeout = "env:T"', {"T": "hunter22"})
    assert "hunter22" not in line
    assert line.startswith('config.toml: delivery.timeout: "•••" is not a duration')


def test_redact_takes_out_the_longest_secret_first_and_leaves_tiny_ones() -> None:
    secrets = frozenset({"abcd", "abcdefgh", "a"})
    assert redact("x abcdefgh y abcd z a", secrets) == "x ••• y ••• z a"
    assert redact("x abcd", frozenset()) == "x abcd"
