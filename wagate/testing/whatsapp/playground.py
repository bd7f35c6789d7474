"""A gateway of its own beside a fake WhatsApp server, in a folder that goes when it ends."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx2
import trio

from wagate.config import Config, load
from wagate.config.secrets import read_admin_token
from wagate.process.app import serve
from wagate.process.logs import Hide, configure_logs
from wagate.testing.whatsapp.run import Running, running_whatsapp

SYSTEMS_OWN = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
"""Where systems keep all certificates in one file. Source: Go, crypto/x509/root_linux.go."""


@dataclass(frozen=True)
class Playground:
    """What runs."""

    fake: Running
    http: httpx2.AsyncClient
    """Asks the gateway, as its admin."""
    url: str
    token: str
    config: Path


@asynccontextmanager
async def playground(account: str, port: int) -> AsyncIterator[Playground]:
    """Both, with one account of provider whatsapp that is not linked yet. The gateway's log is beside its config.

    Nothing of a configuration or an environment variable that is there is read: no number of one's own can get in.
    It changes this process's environment, for good: its engine must find the fake.

    Raises:
        ConfigError, AlreadyRunningError, StorageError, QueueError: the gateway can't start, in an exception group.
    """
    stop = trio.Event()
    with tempfile.TemporaryDirectory(prefix="wg") as name:
        folder = Path(name)
        async with running_whatsapp(folder) as fake:
            os.environ.update(fake.environment)
            _trust_the_system_too(folder, Path(fake.environment["SSL_CERT_FILE"]))
            file = folder / "config.toml"
            file.write_text(_toml(account, port, fake.proxy), encoding="utf-8")
            config = load(file, {})
            # The nursery is innermost: the gateway drains first, into the log and towards the fake.
            with _logged(config, folder / "gateway.log") as hide:
                async with trio.open_nursery() as nursery:
                    started = await nursery.start(partial(serve, config, stop=stop, hide=hide))
                    token, url = read_admin_token(config) or "", started.urls[0]
                    headers = {"Authorization": f"Bearer {token}"}
                    try:
                        async with httpx2.AsyncClient(base_url=url, headers=headers, trust_env=False) as http:
                            yield Playground(fake, http, url, token, file)
                    finally:
                        stop.set()


@contextmanager
def _logged(config: Config, file: Path) -> Iterator[Hide]:
    """The gateway's log goes there: the terminal is the phone's."""
    with file.open("w") as log:
        with contextlib.redirect_stderr(log):
            hide = configure_logs(config.log.level, "json", config.secrets)
        yield hide


def _trust_the_system_too(folder: Path, ca_file: Path) -> None:
    """Let webhooks' receivers of the real world be trusted as well."""
    found = next((Path(each) for each in SYSTEMS_OWN if Path(each).is_file()), None)
    bundle = folder / "trusted.pem"
    bundle.write_bytes(ca_file.read_bytes() + (found.read_bytes() if found else b""))
    os.environ["SSL_CERT_FILE"] = str(bundle)


def _toml(account: str, port: int, proxy: str) -> str:
    return f"""# Of "wagate simulate phone": the proxy leads to a fake WhatsApp server.
[server]
port = {port}

[delivery]
allow_http = true
allow_networks = ["127.0.0.0/8"]

[plugins.webhook]

[plugins.n8n]

[accounts.{json.dumps(account)}]
provider = "whatsapp"
proxy = {json.dumps(proxy)}
typing = false
"""
