"""The guard at the moment of connecting: rebinding, proxies, httpx clients."""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack
from ipaddress import ip_address, ip_network

import httpcore2
import httpx2
import psutil
import pytest
import trio

from tests.receivers import OK, Authority, Names, answering, client, failing, read_request, serving
from wagate.errors import ConfigError
from wagate.http.backend import take_turns
from wagate.http.client import HttpClient
from wagate.http.errors import (
    AddressNotAllowedError,
    BadUrlError,
    NameNotFoundError,
)
from wagate.http.guard import Guard
from wagate.http.resolve import Resolver


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


# The guard at the moment of connecting


async def test_a_name_that_leads_inside_is_refused_at_each_connection() -> None:
    names = Names(rebind_test=[["93.184.216.34"], ["127.0.0.1"]])
    async with (
        serving(answering(OK)) as server,
        client(guard=Guard(), resolver=Resolver(names, keep=0, deadline=60)) as http,
    ):
        await http.check(server.url(host="rebind.test"))
        error = await failing(http, server.url(host="rebind.test"))
        assert server.connections == 0
    assert isinstance(error, AddressNotAllowedError)
    assert error.reason == (
        "Address not allowed: rebind.test does not resolve to a public address; delivery.allow_networks can exempt one"
    )


async def test_of_several_addresses_only_the_allowed_ones_are_dialled() -> None:
    names = Names(mixed_test=[["10.0.0.1", "169.254.169.254", "127.0.0.1"]])
    async with serving(answering(OK)) as server, client(resolver=Resolver(names, deadline=60)) as http:
        assert (await http.request("POST", server.url(host="mixed.test"))).status == 200


async def test_the_next_address_is_tried_when_one_refuses() -> None:
    names = Names(several_test=[["127.0.0.9", "::ffff:127.0.0.8", "127.0.0.1"]])
    async with serving(answering(OK)) as server, client(resolver=Resolver(names, deadline=60)) as http:
        assert (await http.request("POST", server.url(host="several.test"))).status == 200


def fill_backlog(sockets: ExitStack, port: int) -> None:
    """Until Linux drops what comes."""
    for _ in range(10):
        waiting = sockets.enter_context(socket.socket())
        waiting.settimeout(0.2)
        try:
            waiting.connect(("127.0.0.5", port))
        except TimeoutError:
            return
    raise AssertionError("all that come are let in")


async def test_an_address_that_swallows_packets_does_not_use_up_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wagate.http.backend.PATIENCE", 0.1)
    names = Names(slow_test=[["127.0.0.5", "127.0.0.1"]])
    async with serving(answering(OK)) as server, client(resolver=Resolver(names, deadline=60)) as http:
        with ExitStack() as sockets:
            full = sockets.enter_context(socket.socket())
            full.bind(("127.0.0.5", server.port))
            full.listen(0)
            fill_backlog(sockets, server.port)
            assert (await http.request("POST", server.url(host="slow.test"), timeout=60)).status == 200


def test_the_families_take_turns() -> None:
    addresses = [ip_address(text) for text in ("2003::1", "2003::2", "1.1.1.1", "2003::3")]
    assert [str(address) for address in take_turns(addresses)] == ["2003::1", "1.1.1.1", "2003::2", "2003::3"]


@pytest.mark.parametrize("host", ["127.0.0.1", "0x7f000001", "2130706433", "017700000001", "127.1", "[::1]", "0"])
async def test_no_notation_of_loopback_is_dialled(host: str) -> None:
    async with client(guard=Guard()) as http:
        error = await failing(http, f"http://{host}:9/")
    assert error.reason.startswith("Address not allowed: ")


async def test_localhost_is_refused_by_its_address() -> None:
    async with client(guard=Guard(), resolver=Resolver(deadline=60)) as http:
        for host in ("localhost", "localhost.", "LOCALHOST"):
            assert isinstance(await failing(http, f"http://{host}:9/"), AddressNotAllowedError)


async def test_metadata_is_refused_to_the_operator_too() -> None:
    names = Names(meta_test=[["169.254.169.254"]])
    async with client(resolver=Resolver(names, deadline=60)) as http:
        error = await failing(http, "http://meta.test/latest/", trust="operator")
    assert error.reason == "Address not allowed: 169.254.169.254 is a cloud metadata address"


async def test_our_own_listener_is_refused_under_any_address_of_this_machine() -> None:
    async with serving(answering(OK)) as server:
        anywhere = Guard(allow_networks=(ip_network("0.0.0.0/0"),), listening=(("0.0.0.0", server.port),))
        async with client(guard=anywhere) as http:
            assert "gateway itself" in (await failing(http, server.url())).reason
            assert "gateway itself" in (await failing(http, server.url(host="127.9.9.9"))).reason


async def test_our_own_listener_is_refused_when_another_address_of_this_machine_leads_to_it() -> None:
    addresses = [entry.address for entries in psutil.net_if_addrs().values() for entry in entries]
    others = [text for text in addresses if text.count(".") == 3 and not text.startswith("127.")]
    if not others:
        pytest.skip("this machine has no address but loopback")
    async with serving(answering(OK), host="0.0.0.0") as server:
        everything = (ip_network("0.0.0.0/0"),)
        async with client(guard=Guard(allow_networks=everything)) as http:
            assert (await http.request("POST", server.url(host=others[0]))).status == 200
        async with client(guard=Guard(allow_networks=everything, listening=(("0.0.0.0", server.port),))) as http:
            assert "gateway itself" in (await failing(http, server.url(host=others[0]))).reason


async def test_check_tells_before_registration_what_a_request_would_meet() -> None:
    names = Names(in_test=[["10.0.0.1"]], out_test=[["93.184.216.34"]])
    async with client(guard=Guard(), resolver=Resolver(names, deadline=60), allow_http=False) as http:
        await http.check("https://out.test/")
        await http.check("http://in.test/", trust="operator")
        with pytest.raises(AddressNotAllowedError):
            await http.check("https://in.test/")
        with pytest.raises(NameNotFoundError):
            await http.check("https://gone.test/")
        with pytest.raises(BadUrlError, match="https://"):
            await http.check("http://out.test/")


# The proxy of the configuration


async def proxying(stream: trio.SocketStream) -> None:
    """A proxy that knows CONNECT, and answers plain requests itself."""
    request = await read_request(stream)
    assert request is not None
    method, target, _ = request.split(b" ", 2)
    if method != b"CONNECT":
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(target), target))
        return
    if b"\r\nProxy-Authorization: Basic dTpw\r\n" not in request:
        await stream.send_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        return
    upstream = await trio.open_tcp_stream("127.0.0.1", int(target.rpartition(b":")[2]))
    await stream.send_all(b"HTTP/1.1 200 Connected\r\n\r\n")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump, stream, upstream)
        nursery.start_soon(pump, upstream, stream)


async def pump(source: trio.SocketStream, sink: trio.SocketStream) -> None:
    while data := await source.receive_some(65536):
        await sink.send_all(data)
    await sink.send_eof()


async def test_with_a_proxy_the_target_is_judged_here_and_the_name_goes_to_the_proxy(ca: Authority) -> None:
    names = Names(hook_test=[["93.184.216.34"]], in_test=[["93.184.216.34", "10.0.0.1"]])
    async with serving(proxying) as proxy, serving(answering(OK), ca.server("hook.test")) as server:
        options = {"guard": Guard(), "resolver": Resolver(names, deadline=60), "ca_file": ca.file}
        async with client(**options, proxy=f"http://u:p@127.0.0.1:{proxy.port}") as http:
            for _ in range(2):
                response = await http.request("POST", server.url(host="hook.test", scheme="https"), content=b"x")
                assert response.body == b"ok"
            assert (proxy.connections, server.connections) == (1, 1)
            assert (await http.request("POST", "http://hook.test/a?b")).body == b"http://hook.test/a?b"
            assert isinstance(await failing(http, "https://in.test/"), AddressNotAllowedError)
            assert isinstance(await failing(http, "https://gone.test/"), NameNotFoundError)
            async with http.guarded_httpx() as httpx_client:
                assert (await httpx_client.get(server.url(host="hook.test", scheme="https"))).text == "ok"
                with pytest.raises(httpx2.ConnectError, match="Address not allowed"):
                    await httpx_client.get("https://in.test/")
        async with client(**options, proxy=f"http://127.0.0.1:{proxy.port}") as http:
            error = await failing(http, server.url(host="hook.test", scheme="https"))
            assert error.reason == "ECONNREFUSED: the proxy answered 407"


@pytest.mark.parametrize(
    "proxy", ["127.0.0.1:8080", "socks4://a:1", "http://", "socks5://", "http://a:0", "http://a:x"]
)
async def test_a_proxy_that_can_not_be_used_is_a_configuration_error(proxy: str) -> None:
    with pytest.raises(ConfigError, match=r"^delivery.proxy must be http://host:port"):
        HttpClient(proxy=proxy)
    with pytest.raises(ConfigError, match=r"^accounts.main.proxy must be http://host:port"):
        HttpClient().through(proxy, field="accounts.main.proxy")


# httpx for plugins


async def test_an_httpx_client_passes_the_same_guard() -> None:
    seen: list[bytes] = []
    async with serving(answering(OK, seen)) as server, client(guard=Guard()) as http:
        async with http.guarded_httpx(trust="operator") as inside:
            assert (await inside.post(server.url(), json={"a": 1})).text == "ok"
        assert b"wagate/" in seen[0]
        async with http.guarded_httpx() as outside:
            with pytest.raises(httpx2.ConnectError, match=r"Address not allowed: 127\.0\.0\.1"):
                await outside.get(server.url())
            with pytest.raises(httpx2.UnsupportedProtocol, match="Authorization header"):
                await outside.get("https://a:b@example.com/")
    async with client(allow_http=False) as http, http.guarded_httpx() as strict:
        with pytest.raises(httpx2.UnsupportedProtocol, match="https://"):
            await strict.get(server.url())


async def test_each_hop_of_a_redirect_that_httpx_follows_is_checked() -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/\r\nContent-Length: 0\r\n\r\n"
    async with serving(answering(answer)) as server, client() as http, http.guarded_httpx() as httpx_client:
        with pytest.raises(httpx2.ConnectError, match=r"169\.254\.169\.254 is a cloud metadata address"):
            await httpx_client.get(server.url(), follow_redirects=True)


async def test_httpx_still_sends_through_the_attribute_that_is_replaced() -> None:
    """If httpx2 renames its private pool, requests would pass the guard by: this must break first."""
    plain = httpx2.AsyncHTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False)
    assert isinstance(plain._pool, httpcore2.AsyncConnectionPool)
    assert [name for name in vars(plain) if isinstance(vars(plain)[name], httpcore2.AsyncConnectionPool)] == ["_pool"]


async def test_httpx_timeouts_hold_in_each_phase() -> None:
    async def silent(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with serving(silent) as server, client() as http, http.guarded_httpx(timeout=0.2) as httpx_client:
        assert httpx_client.timeout == httpx2.Timeout(0.2)
        with pytest.raises(httpx2.ReadTimeout):
            await httpx_client.get(server.url(), timeout=httpx2.Timeout(60, read=0.2))
        with pytest.raises(httpx2.ConnectTimeout):
            await httpx_client.get(server.url(scheme="https"), timeout=httpx2.Timeout(60, connect=0.2))
