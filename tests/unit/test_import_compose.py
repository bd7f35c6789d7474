"""Compose files as people write them, and WAHA's environment in them."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import pytest

from wagate.cli.errors import CommandError
from wagate.cli.imports import evolution_settings
from wagate.cli.imports.compose import EVOLUTION, NEEDS_YAML, Composed, read_service
from wagate.cli.imports.plan import Left
from wagate.cli.imports.variables import filled_in, read_env_file
from wagate.cli.imports.waha_settings import Environment, read_environment

WAHA = "services:\n  waha:\n    image: devlikeapro/waha:gows\n"


def service(folder: Path, text: str, name: str = "", **shell: str) -> Composed:
    file = folder / "docker-compose.yaml"
    file.write_text(text, "utf-8")
    return read_service(file, name, shell)


def refused(folder: Path, text: str, name: str = "", **shell: str) -> str:
    with pytest.raises(CommandError) as error:
        service(folder, text, name, **shell)
    return str(error.value).replace(f"{folder}/", "")


def environment(folder: Path, lines: str, engine: str = "waha", above: str = "", **shell: str) -> Environment:
    body = "".join(f"      {line}\n" for line in lines.splitlines())
    return read_environment(service(folder, f"{WAHA}{above}    environment:\n{body}", **shell), engine)


def fill(text: str, **values: str) -> str:
    return filled_in(text, values, lambda _name: None, where="here")


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("$A-${A}", "1-1"),
        ("${B:-x}${E:-x}${E-x}", "xx"),
        ("${A:-x}${A-x}", "11"),
        ("${B:-${C:-deep}}", "deep"),
        ("${A:+yes}${B:+no}${E+there}", "yesthere"),
        ("${A:?must}", "1"),
        ("pa$$word", "pa$word"),
        ("${B}", ""),
    ],
)
def test_variables_are_filled_in(text: str, filled: str) -> None:
    assert fill(text, A="1", E="") == filled


def test_evolutions_service_and_a_webhook_that_is_off(tmp_path: Path) -> None:
    file = tmp_path / "docker-compose.yaml"
    file.write_text(WAHA)
    with pytest.raises(CommandError, match="no service has an image of Evolution API; name its service"):
        read_service(file, product=EVOLUTION)
    for image in ("atendai/evolution-api", "evoapicloud/evolution-api:latest", "registry.example/evolution-api-lite"):
        lines = "[SERVER_PORT=9000, WEBHOOK_GLOBAL_URL=https://a.example, WEBHOOK_GLOBAL_ENABLED=false]"
        file.write_text(f"services:\n  api:\n    image: {image}\n    environment: {lines}\n")
        found = evolution_settings.read_environment(read_service(file, shell={}, product=EVOLUTION))
        assert (found.url, found.api_key, found.plan.webhooks) == ("http://api:9000", "", ())
        why = "WEBHOOK_GLOBAL_ENABLED is not true: Evolution API posts nothing there either"
        assert found.plan.left == (Left(what="WEBHOOK_GLOBAL_URL", why=why),)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("${B:?the key}", "here: B must be set; set it in the shell, or in .env beside the file"),
        ("${B", "here: a ${ is not closed; add a }"),
        ("costs 5$", "here: a $ is not followed by a variable's name; write $$ for a literal $"),
        ("${A B}", "here: a ${…} does not have the form NAME, NAME:-default, NAME:?message or NAME:+other"),
        ("${B:-" * 30 + "}" * 30, "here: defaults are nested more than 20 deep"),
    ],
)
def test_a_variable_that_can_not_be_filled_in_is_refused(text: str, reason: str) -> None:
    with pytest.raises(CommandError) as error:
        fill(text, A="1")
    assert str(error.value) == reason


def test_env_files_have_quotes_comments_and_references(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        '# a comment\n\nexport A=1 # one\nB=\'${A} # "kept"\'\nC="${A}\\n\\$x" # two\nD=two\\nlines\nE=\nF\nG\n'
        'H="first\nsecond"\nI=a#b\n'
    )
    assert read_env_file(file, {"F": "shell"}, lambda _name: None) == {
        "A": "1",
        "B": '${A} # "kept"',
        "C": "1\n$x",
        "D": "two\\nlines",
        "E": "",
        "F": "shell",
        "H": "first\nsecond",
        "I": "a#b",
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A=1\nsecret word\n", ":2: is not NAME=value; begin a comment with #"),
        ('A="secret\n\n', ":1: a quote is not closed"),
        ("A='1' 2\n", ":1: a quote is not closed"),
        ("A=${B:?x}\n", ":1: A: B must be set; set it in the shell, or in .env beside the file"),
    ],
)
def test_a_bad_env_file_names_file_and_line(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / ".env"
    file.write_text(text)
    with pytest.raises(CommandError) as error:
        read_env_file(file, {}, lambda _name: None)
    assert str(error.value) == f"{file}{reason}"
    assert "secret" not in str(error.value)


def test_an_environment_may_be_a_list_or_a_mapping(tmp_path: Path) -> None:
    listed = WAHA + '    environment:\n      - A=1=2\n      - B\n      - C\n      - "D=#4"\n'
    assert service(tmp_path, listed, B="shell").environment == {"A": "1=2", "B": "shell", "D": "#4"}
    mapped = WAHA + "    environment:\n      A: yes\n      B:\n      C:\n      D: '0123'\n      E: 0x1F\n      F: ''\n"
    assert service(tmp_path, mapped, B="shell").environment == {
        "A": "yes",
        "B": "shell",
        "D": "0123",
        "E": "0x1F",
        "F": "",
    }


def test_env_files_come_below_the_environment_and_dotenv_fills_in(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KEY=dotenv\nOTHER=dotenv\n")
    (tmp_path / "a.env").write_text("A=file\nB=${KEY}\n")
    (tmp_path / "b.env").write_text("B2=two\n")
    text = WAHA + (
        "    env_file:\n      - a.env\n      - path: b.env\n      - path: c.env\n        required: false\n"
        "    environment:\n      A: own\n      K: ${OTHER}\n"
    )
    found = service(tmp_path, text, OTHER="shell").environment
    assert found == {"A": "own", "B": "dotenv", "B2": "two", "K": "shell"}
    single = WAHA + "    env_file: ./b.env\n"
    assert service(tmp_path, single).environment == {"B2": "two"}


def test_anchors_merges_and_long_ports_are_read(tmp_path: Path) -> None:
    text = (
        "x-env: &env\n  A: '1'\n  B: '2'\n"
        + WAHA
        + "    ports:\n      - target: 3000\n        published: 3005\n      - '9000:9000'\n"
        + "    environment:\n      <<: *env\n      B: '3'\n"
    )
    found = service(tmp_path, text)
    assert (found.environment, found.ports) == ({"A": "1", "B": "3"}, ("9000:9000", "3005:3000"))


def test_json_of_docker_compose_config_needs_no_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "yaml":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    document = {"services": {"a": {"image": "devlikeapro/waha", "environment": {"X": "1", "Y": None, "Z": 4}}}}
    assert service(tmp_path, json.dumps(document)).environment == {"X": "1", "Z": "4"}
    assert refused(tmp_path, WAHA) == f"docker-compose.yaml: {NEEDS_YAML}"
    assert 'pip install "wagate[compose]"' in NEEDS_YAML


def test_of_several_services_the_one_with_wahas_image_is_taken(tmp_path: Path) -> None:
    two = "services:\n  app:\n    image: ${APP}\n    environment: [WAHA_API_KEY=x]\n" + WAHA.partition("\n")[2]
    found = service(tmp_path, two)
    assert (found.name, found.left) == ("waha", ())
    assert service(tmp_path, two, "app").name == "app"
    for image in ("devlikeapro/waha-plus:arm", "registry.example:5000/devlikeapro/whatsapp-http-api@sha256:1", "waha"):
        assert service(tmp_path, f"services:\n  x:\n    image: {image}\n").name == "x"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (WAHA + "  b:\n    image: waha\n", "several services run WAHA: waha, b; name one with --service"),
        (
            "services:\n  a:\n    image: nginx\n",
            "no service has an image of WAHA; name its service with --service (a)",
        ),
        ("a: 1\n", "has no services; is it a compose file?"),
        ("", "has no services; is it a compose file?"),
    ],
)
def test_what_is_no_compose_file_of_waha_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    assert refused(tmp_path, text) == f"docker-compose.yaml: {reason}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (WAHA + "    environment:\n     - A=1\n    B: [\n", ":7: is not YAML: "),
        (WAHA + "    environment:\n      A: ${B:?no}\n", ":5: services.waha.environment.A: B must be set; "),
        (WAHA + "    environment:\n      A: {x: 1}\n", ":5: services.waha.environment.A: is not text; write one value"),
        (
            WAHA + "    environment: 5\n",
            ":4: services.waha.environment: is not a mapping; write NAME: value, one per line",
        ),
        (WAHA + "    environment:\n      A: 1\n      A: 2\n", ":6: A appears twice"),
        (WAHA + "    env_file: gone.env\n", "gone.env: can't be read: No such file or directory; put it there, "),
        (
            WAHA + "    env_file:\n      - required: false\n",
            ":5: services.waha.env_file: has no path; write path: FILE",
        ),
        (WAHA + "    x: &a [*a]\n", ":4: an alias refers to itself"),
        (WAHA + "    <<: 5\n", ":4: << merges something that is not a mapping"),
        (WAHA + "    x: *nowhere\n", ":4: is not YAML: found undefined alias 'nowhere'"),
        (WAHA + "    x: '\x00'\n", ": can't be read as YAML: ReaderError"),
        ("[" * 3000, ": can't be read as YAML: RecursionError"),
        ('{"services": \n x}', ":2: is not JSON: "),
    ],
)
def test_a_bad_file_is_refused_with_line_key_and_cure(tmp_path: Path, text: str, reason: str) -> None:
    found = refused(tmp_path, text)
    assert found.removeprefix("docker-compose.yaml").startswith(reason), found


def test_many_aliases_cost_nothing(tmp_path: Path) -> None:
    rows = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 40))
    assert service(tmp_path, "x0: &x0 [a]\n" + rows + WAHA).name == "waha"


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="can't be read: No such file or directory; name the compose file of WAHA"):
        read_service(tmp_path / "gone.yaml")
    (tmp_path / "b.yaml").write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(CommandError, match=r"b\.yaml:2: is not UTF-8 text; save it as UTF-8"):
        read_service(tmp_path / "b.yaml")


def test_the_webhook_for_all_sessions_is_read(tmp_path: Path) -> None:
    found = environment(
        tmp_path,
        "WAHA_API_KEY: sha512:00\nWAHA_API_KEY_PLAIN: plain-key\nWHATSAPP_HOOK_URL: https://bot.example/hook?key=s3cret\n"
        "WHATSAPP_HOOK_EVENTS: message, message.ack.group,label.upsert,poll.vote,*\nWHATSAPP_HOOK_HMAC_KEY: old\n"
        "WHATSAPP_HOOK_RETRIES_ATTEMPTS: '8'\nWHATSAPP_HOOK_RETRIES_POLICY: linear\n"
        "WHATSAPP_HOOK_CUSTOM_HEADERS: X-Key:v1;Content-Type:text/plain;X-Two:a:b\n"
        "WAHA_SESSION_CONFIG_IGNORE_GROUPS: True\nWHATSAPP_START_SESSION: a,b,a",
        above="    ports: ['0.0.0.0:3005:3000']\n",
    )
    [hook] = found.plan.webhooks
    assert (hook.account, hook.url, hook.format) == ("*", "https://bot.example/hook?key=s3cret", "waha")
    assert hook.events == ("message", "message.ack", "*", "message.any")
    assert hook.headers == {"X-Key": "v1", "X-Two": "a:b"}
    assert (hook.max_retries, hook.secret, hook.new_secret) == (8, None, True)
    assert (found.base_url, found.api_key, found.hashed) == ("http://127.0.0.1:3005", "plain-key", False)
    assert (found.sessions, found.ignore) == (("a", "b"), {"groups": True})
    assert [each.what for each in found.plan.left] == [
        "webhook for all sessions: event label.upsert",
        "webhook for all sessions: event poll.vote",
        "webhook for all sessions: retries.policy, delaySeconds",
        "webhook for all sessions: header Content-Type",
        "WHATSAPP_HOOK_HMAC_KEY",
    ]
    assert found.hmac_key == ""


def test_nothing_of_the_environment_is_dropped_silently(tmp_path: Path) -> None:
    lines = "WAHA_PRESENCE_AUTO_ONLINE: False\nTZ: UTC\nWAHA_NEW_THING: x\nWHATSAPP_HOOK_EVENTS: message"
    found = environment(tmp_path, lines + "\nWHATSAPP_DEFAULT_ENGINE: NOWEB\nWAHA_PRINT_QR: ${NOT_SET}")
    assert {each.what: each.why for each in found.plan.left} == {
        "WHATSAPP_HOOK_EVENTS": (
            "WHATSAPP_HOOK_URL and WHATSAPP_HOOK_EVENTS must both be set: without, WAHA posts nothing either"
        ),
        "${NOT_SET}": "is set neither in the shell nor in .env; treated as empty",
        "TZ": "wagate does not know it",
        "WAHA_NEW_THING": "wagate does not know it",
        "WAHA_PRESENCE_AUTO_ONLINE": "wagate shows itself online only while it types",
        "WAHA_PRINT_QR": "wagate pair shows the code",
        "WHATSAPP_DEFAULT_ENGINE": "stays in WAHA: wagate works with each of them",
    }
    assert (found.base_url, found.sessions, found.plan.webhooks) == ("http://waha:3000", ("default",), ())


def test_a_proxy_goes_along_with_wagates_own_engine_alone(tmp_path: Path) -> None:
    name = "WHATSAPP_PROXY_SERVER"
    lines = f"{name}: proxy.example:3128\n{name}_USERNAME: a b\n{name}_PASSWORD: 's@c'"
    assert environment(tmp_path, lines, "whatsapp").proxy == "http://a%20b:s%40c@proxy.example:3128"
    behind = environment(tmp_path, lines)
    assert (behind.proxy, behind.plan.left) == (
        "",
        (Left(what="WHATSAPP_PROXY_SERVER", why="stays in WAHA, which holds the connection"),),
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("WHATSAPP_HOOK_RETRIES_ATTEMPTS: many", "'many' is not a number; write digits, or leave it out"),
        ("WHATSAPP_HOOK_CUSTOM_HEADERS: 'X:1;s3cret'", "header 2 has no colon; write Name:value"),
    ],
)
def test_a_bad_variable_is_refused_by_name(tmp_path: Path, line: str, reason: str) -> None:
    both = f"WHATSAPP_HOOK_URL: https://a.example\nWHATSAPP_HOOK_EVENTS: message\n{line}"
    with pytest.raises(CommandError) as error:
        environment(tmp_path, both)
    assert str(error.value) == f"{tmp_path}/docker-compose.yaml: {line.partition(':')[0]}: {reason}"
