"""``wagate chatwoot connect`` and ``test`` before a fake Chatwoot, with and without a gateway."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio
from typer.testing import CliRunner, Result

from tests.inprocess import running_gateway
from wagate.cli import app
from wagate.config import load
from wagate.config.lock import hold
from wagate.testing.chatwoot import FakeChatwoot
from wagate.testing.chatwoot.faults import done_then_reset
from wagate.testing.server import Fault, Reply, running
from wagate_chatwoot.setup.connect import keep_secrets

BEFORE = '# mine\n[server]\npublic_url = "https://wa.example.org"'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config.toml").write_text(BEFORE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr("wagate_chatwoot.setup.check.PATIENCE", 60.0)
    return tmp_path


@asynccontextmanager
async def a_chatwoot() -> AsyncIterator[FakeChatwoot]:
    server = FakeChatwoot()
    server.habits.timeout = 60  # Not one webhook is given up because the machine stands still.
    async with running(server):
        yield server


async def run(*arguments: str, **environment: str) -> Result:
    call = partial(CliRunner().invoke, app, ["chatwoot", *arguments], env=environment)
    return await trio.to_thread.run_sync(call)


async def connect(server: FakeChatwoot, *arguments: str, token: str = "", **environment: str) -> Result:
    return await run("connect", "--url", server.url, "--token", token or server.admin.token, *arguments, **environment)


def inboxes(folder: Path) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = tomllib.loads((folder / "config.toml").read_text())["plugins"]["chatwoot"][
        "inboxes"
    ]
    return found


async def test_it_makes_the_inbox_and_adds_a_table_whose_secrets_are_files_of_the_owner(folder: Path) -> None:
    async with a_chatwoot() as server:
        result = await connect(server, "--name", "desk", "--inbox-name", "Shop")
        assert result.exit_code == 0, result.output
        made = server.state.inboxes[-1]
    assert (made.name, made.webhook_url) == ("Shop", "https://wa.example.org/webhooks/chatwoot/default/desk")
    assert (folder / "config.toml").read_text().startswith(BEFORE + "\n\n[plugins.chatwoot.inboxes.")
    table = inboxes(folder)["desk"]
    assert table["token"] == "file:secrets/chatwoot-desk-token"
    for name, text in (("token", server.admin.token), ("secret", made.secret)):
        file = folder / f"secrets/chatwoot-desk-{name}"
        assert file.read_text() == text
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "secrets").stat().st_mode) == 0o700
    assert load(folder / "config.toml", {}).plugins["chatwoot"]["inboxes"]["desk"]["secret"] == made.secret
    assert server.admin.token not in result.output
    assert made.secret not in result.output


async def test_a_token_from_the_environment_stays_there(folder: Path) -> None:
    async with a_chatwoot() as server:
        result = await connect(server, token="env:CHAT_TOKEN", CHAT_TOKEN=server.admin.token)
        assert result.exit_code == 0, result.output
    assert inboxes(folder)["support"]["token"] == "env:CHAT_TOKEN"
    assert not (folder / "secrets/chatwoot-support-token").exists()


async def test_a_second_table_of_the_name_is_refused_before_anything_is_made(folder: Path) -> None:
    async with a_chatwoot() as server:
        await connect(server)
        before, count = (folder / "config.toml").read_text(), len(server.state.inboxes)
        result = await connect(server)
        assert result.exit_code == 1
        assert "already exists" in result.stderr
        assert len(server.state.inboxes) == count
    assert (folder / "config.toml").read_text() == before


async def test_an_inbox_that_posts_here_already_is_taken_and_not_made_again(folder: Path) -> None:
    async with a_chatwoot() as server:
        await connect(server)
        (folder / "config.toml").write_text(BEFORE)
        result = await connect(server, "--json")
        assert json.loads(result.stdout)["did"] == "found"
        assert len(server.state.inboxes) == 2


async def test_an_inbox_that_posts_elsewhere_is_told_of_and_changed_only_when_asked(folder: Path) -> None:
    async with a_chatwoot() as server:
        server.inbox.webhook_url = "https://elsewhere.example/hook"
        told = json.loads((await connect(server, "--inbox", "7", "--json")).stdout)
        assert "set the webhook URL to https://wa.example.org/webhooks/chatwoot/default/support" in told["next_step"]
        assert server.inbox.webhook_url == "https://elsewhere.example/hook"
        (folder / "config.toml").write_text(BEFORE)
        told = json.loads((await connect(server, "--inbox", "7", "--change", "--json")).stdout)
        assert (told["did"], told["webhook_url"]) == ("changed", server.inbox.webhook_url)


async def test_numbers_with_the_24_hour_rule_get_it_in_chatwoot(folder: Path) -> None:
    (folder / "config.toml").write_text(f'{BEFORE}\n[accounts.shop]\nprovider = "meta"\n')
    async with a_chatwoot() as server:
        await connect(server, "--account", "shop")
        assert server.state.inboxes[-1].additional_attributes == {"agent_reply_time_window": 24}
        assert server.state.inboxes[-1].webhook_url.endswith("/webhooks/chatwoot/shop/support")
    assert inboxes(folder)["support"]["accounts"] == ["shop"]


async def test_a_server_that_does_not_sign_gets_a_token_in_the_url(folder: Path) -> None:
    async with a_chatwoot() as server:
        server.inbox.secret = ""
        result = await connect(server, "--inbox", "7", "--change")
        assert result.exit_code == 0, result.output
        token = (folder / "secrets/chatwoot-support-webhook_token").read_text()
        assert server.inbox.webhook_url.endswith(f"/support?token={token}")
    assert "secret" not in inboxes(folder)["support"]


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("user", "only an administrator's token may make an inbox"),
        ("bot", "a bot's may not see contacts"),
        ("nobody", "underscores_in_headers"),
    ],
)
async def test_a_token_that_does_not_do_is_refused_with_the_cure(folder: Path, who: str, said: str) -> None:
    async with a_chatwoot() as server:
        token = "wrong" if who == "nobody" else getattr(server, who).token
        result = await connect(server, token=token)
        assert result.exit_code == 1
        assert said in result.stderr
    assert (folder / "config.toml").read_text() == BEFORE
    assert not (folder / "secrets").exists()


async def test_an_agents_token_does_with_an_inbox_that_is_there_and_its_secret(folder: Path) -> None:
    async with a_chatwoot() as server:
        refused = await connect(server, "--inbox", "7", token=server.user.token)
        assert "give --secret" in refused.stderr
        result = await connect(server, "--inbox", "7", "--secret", server.inbox.secret, token=server.user.token)
        assert result.exit_code == 0, result.output
        assert "set the webhook URL" in result.stderr
    assert (folder / "secrets/chatwoot-support-secret").read_text() == server.inbox.secret


async def test_several_accounts_want_a_choice(folder: Path) -> None:
    async with a_chatwoot() as server:
        assert "no such account; it has: 1 Acme" in (await connect(server, "--account-id", "5")).stderr
    assert (folder / "config.toml").read_text() == BEFORE


async def test_trying_an_inbox_shows_both_directions(folder: Path) -> None:
    async with a_chatwoot() as server:
        tables = {"plugins.chatwoot.inboxes.desk": server.settings(token=server.admin.token)}
        async with running_gateway(tables) as gateway:
            server.inbox.webhook_url = f"{gateway.url}/webhooks/chatwoot/default/desk"
            file = str(gateway.folder / "config.toml")
            good = await run("test", "--config", file)
            assert good.exit_code == 0, good.output
            assert "ok    wagate to Chatwoot: a note was written" in good.stdout
            assert "ok    Chatwoot to wagate: its webhook arrived" in good.stdout
            server.habits.refuse_private = True
            lan = await run("test", "desk", "--config", file)
            assert lan.exit_code == 1
            assert "SAFE_FETCH_ALLOW_PRIVATE_NETWORK=true" in lan.stdout
            server.habits.refuse_private, server.habits.wrong_secret = False, True
            assert "compare secret" in (await run("test", "--config", file)).stdout
            notes = [each for each in server.posted("whatsapp.integration") if each.private]
            assert len(notes) == 3
    assert folder


async def test_a_gateway_that_does_not_know_the_inbox_yet_is_reached_and_to_be_restarted(folder: Path) -> None:
    async with a_chatwoot() as server, running_gateway({"server": {"public_url": "https://x.example"}}) as gateway:
        result = await connect(server, "--gateway", gateway.url, "--config", str(gateway.folder / "config.toml"))
        assert result.exit_code == 0, result.output
        assert "Chatwoot reaches a gateway (404)" in result.stdout
        assert "restart the gateway" in result.stderr
    assert folder


async def test_a_call_that_failed_half_way_is_finished_by_the_next_one(folder: Path) -> None:
    async with a_chatwoot() as server:
        server.fail(done_then_reset(path="/inboxes"))
        first = await connect(server)
        assert first.exit_code == 1
        assert "the inbox may or may not exist now" in first.stderr
        made = server.state.inboxes[-1]
        made.webhook_url = ""  # As far as a Chatwoot got that stopped in the middle.
        second = await connect(server, "--json")
        assert second.exit_code == 0, second.output
        assert (json.loads(second.stdout)["inbox_id"], len(server.state.inboxes)) == (made.id, 2)
    assert made.webhook_url == "https://wa.example.org/webhooks/chatwoot/default/support"
    assert inboxes(folder)["support"]["inbox_id"] == made.id


async def test_a_token_in_the_url_that_could_not_be_set_is_set_by_the_next_call(folder: Path) -> None:
    async with a_chatwoot() as server:
        left = server.inbox
        left.secret, left.webhook_url = "", "https://wa.example.org/webhooks/chatwoot/default/support"
        server.fail(Fault(reply=Reply(status=500), path="/inboxes/7", method="PATCH"))
        assert (await connect(server)).exit_code == 1
        for _ in range(2):  # The second time with the token that is in the URL by now.
            (folder / "config.toml").write_text(BEFORE)
            result = await connect(server)
            assert result.exit_code == 0, result.output
            token = (folder / "secrets/chatwoot-support-webhook_token").read_text()
            assert left.webhook_url.endswith(f"/support?token={token}")
        assert server.state.inboxes == [left]


async def test_an_inbox_that_can_not_be_finished_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_chatwoot() as server:
        monkeypatch.setattr("wagate.testing.chatwoot.api.uuid4", lambda: SimpleNamespace(hex=""))
        server.fail(Fault(reply=Reply(status=500), path="/inboxes/8", method="PATCH"))
        result = await connect(server)
        assert result.exit_code == 1
        assert 'inbox 8 "WhatsApp" now exists in Chatwoot; run the same command again' in result.stderr


async def test_an_inbox_of_the_name_that_posts_to_another_gateway_is_left_alone(folder: Path) -> None:
    async with a_chatwoot() as server:
        await connect(server, "--gateway", "https://old.example")
        (folder / "config.toml").write_text(BEFORE)
        result = await connect(server)
        assert result.exit_code == 1
        assert 'inbox 8 "WhatsApp" posts to https://old.example/webhooks/chatwoot/default/support' in result.stderr
        assert len(server.state.inboxes) == 2
        assert (await connect(server, "--inbox-name", "New")).exit_code == 0


async def test_a_table_that_can_not_be_written_says_what_was_done(folder: Path) -> None:
    async with a_chatwoot() as server:
        (folder / "config.toml").write_text(f"{BEFORE}\n[plugins]\nchatwoot = {{ inboxes = {{}} }}\n")
        result = await connect(server)
        assert result.exit_code == 1
        assert "add this by hand" in result.stderr
        assert 'inbox 8 "WhatsApp" now exists in Chatwoot' in result.stderr
        (folder / "config.toml").write_text(BEFORE)
        assert (await connect(server)).exit_code == 0
        assert len(server.state.inboxes) == 2


async def test_a_trial_that_fails_hides_nothing_of_what_was_done(folder: Path) -> None:
    async with a_chatwoot() as server:
        (folder / "data").mkdir()
        with hold(folder / "data", port=8123):
            result = await connect(server)
        assert result.exit_code == 0, result.output
        assert 'made: inbox 8 "WhatsApp" in Chat' in result.stderr
        assert "WARN  trial: a gateway runs (process " in result.stdout


STRANGER = 54321
"""A user id that nobody has: the service's user."""
AS_STRANGER = f"setpriv --reuid {STRANGER} --regid {STRANGER} --clear-groups".split()
# It may read all that root may (the interpreter often lies in root's home), and write nothing but its own.
READING = ["--inh-caps", "-all,+dac_read_search", "--ambient-caps", "-all,+dac_read_search"]


def as_service(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run wagate as another user, as ``sudo -u`` does."""
    command = [*AS_STRANGER, *READING, sys.executable, "-m", "wagate", *arguments]
    return subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=120, check=False)


def readable(place: Path) -> bool:
    """Whether the other user may really read it."""
    return subprocess.run([*AS_STRANGER, "test", "-r", place], timeout=60, check=False).returncode == 0


def may_become_another() -> bool:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return False
    return subprocess.run([*AS_STRANGER, *READING, "true"], timeout=60, check=False).returncode == 0


async def test_the_service_and_root_may_connect_in_either_order() -> None:
    async with a_chatwoot() as server:
        with tempfile.TemporaryDirectory(prefix="wg") as short:
            etc, var = Path(short) / "etc", Path(short) / "var"
            for each in (etc, var):
                each.mkdir()
            Path(short).chmod(0o755)
            etc.chmod(0o755)
            file = etc / "config.toml"
            file.write_text(f'{BEFORE}\n[data]\ndir = "{var}"\n')
            os.chown(file, 0, STRANGER)
            file.chmod(0o640)
            os.chown(var, STRANGER, STRANGER)
            var.chmod(0o700)
            call = ["--config", str(file), "chatwoot", "connect", "--url", server.url, "--token", server.admin.token]
            # A service user that may only read its configuration is refused before the inbox is made ...
            refused = await trio.to_thread.run_sync(as_service, call)
            assert (refused.returncode, len(server.state.inboxes)) == (1, 1), refused.stderr
            assert f"{file}: you may not write there; nothing was done; run this as root" in refused.stderr
            # ... what root makes, it can read ...
            assert (await run(*call[3:], "--config", str(file))).exit_code == 0
            token = etc / "secrets/chatwoot-support-token"
            assert readable(token)
            assert stat.S_IMODE(token.stat().st_mode) == 0o600
            # ... and one that owns its configuration, as the documented one does, connects by itself.
            shutil.rmtree(etc / "secrets")
            file.write_text(f'{BEFORE}\n[data]\ndir = "{var}"\n')
            for each in (etc, file):
                os.chown(each, STRANGER, STRANGER)
            done = await trio.to_thread.run_sync(as_service, call)
            assert done.returncode == 0, done.stderr
            assert len(server.state.inboxes) == 2
            assert readable(token)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_before_the_first_start_the_secrets_are_for_who_may_read_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("")
    os.chown(file, 0, STRANGER)
    file.chmod(0o640)
    keep_secrets(file, [("a", "b")], reader=tmp_path / "data")
    for place, mode in ((tmp_path / "secrets", 0o750), (tmp_path / "secrets/a", 0o640)):
        found = place.stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, STRANGER, mode)
