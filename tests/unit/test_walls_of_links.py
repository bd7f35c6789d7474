"""Where requests must not lead: the inside, by whatever way, and back into the gateway."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import httpx2
import pytest

from tests.receivers import OK, Names, answering, client, failing, serving
from wagate.hooks import OutMedia, OutMessage
from wagate.http.errors import AddressNotAllowedError
from wagate.http.guard import Guard
from wagate.http.resolve import Resolver
from wagate.outbound.submitted import links_in

EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))


@pytest.mark.parametrize(
    "text", ["2001:2::1", "2001:2:0:ffff::1", "2001:10::1", "2001:1f::1", "2001:20::1", "2001:2f::"]
)
def test_benchmarks_and_orchids_are_inside(text: str) -> None:
    assert "is not public" in (Guard().refusal(ip_address(text), 443, "public") or "")


@pytest.mark.parametrize("text", ["2001:3::1", "2001:2:1::1", "2001:30::1", "2001:4860:4860::8888"])
def test_their_neighbours_are_not(text: str) -> None:
    assert Guard().refusal(ip_address(text), 443, "public") is None


async def test_a_refusal_shows_no_answer_of_the_name_servers() -> None:
    names = Names(db_internal=[["10.7.8.9"]])
    async with client(guard=Guard(), resolver=Resolver(names, deadline=60)) as http:
        error = await failing(http, "http://db.internal/")
        with pytest.raises(AddressNotAllowedError) as checked:
            await http.check("http://db.internal/")
        with pytest.raises(AddressNotAllowedError) as linked:
            await http.check_link("http://db.internal/")
    for each in (error, checked.value, linked.value):
        assert "10.7" not in each.reason
        assert "db.internal does not lead to a public address" in each.reason


@pytest.mark.parametrize("port", [6379, 22, 8081])
async def test_our_own_public_address_is_inside_but_for_the_webs_ports(port: int) -> None:
    names = Names(wa_example=[["93.184.216.34"]], alias_test=[["93.184.216.34"]])
    guard = Guard(public=("wa.example", 443))
    async with client(guard=guard, resolver=Resolver(names, deadline=60)) as http:
        for host in ("alias.test", "93.184.216.34"):
            with pytest.raises(AddressNotAllowedError):
                await http.check(f"https://{host}:{port}/")
            await http.check(f"https://{host}/")


def test_a_connection_from_an_address_to_itself_is_inside_but_for_the_webs_ports() -> None:
    here = ip_address("93.184.216.34")
    assert Guard().is_ourselves(here, here, 6379)
    assert not Guard().is_ourselves(here, here, 443)
    assert not Guard(allow_networks=EVERYTHING).is_ourselves(here, here, 6379)


@pytest.mark.parametrize(
    "url", ["https://wa.example/webhook/inbound", "https://WA.example:443/", "https://wa.example./x"]
)
async def test_a_webhook_that_leads_back_into_the_gateway_is_refused_when_registered_and_when_used(url: str) -> None:
    guard = Guard(allow_networks=EVERYTHING, public=("wa.example", 443))
    async with client(guard=guard, resolver=Resolver(Names(wa_example=[["127.0.0.1"]]), deadline=60)) as http:
        for ask in (http.check, http.check_link):
            with pytest.raises(AddressNotAllowedError, match="is this gateway itself"):
                await ask(url)
        assert "is this gateway itself" in (await failing(http, url)).reason
        async with http.guarded_httpx() as library:
            with pytest.raises(httpx2.ConnectError, match="is this gateway itself"):
                await library.get(url)


async def test_what_the_operator_asks_of_our_own_address_is_asked() -> None:
    names = Names(wa_example=[["127.0.0.1"]])
    async with serving(answering(OK)) as server:
        guard = Guard(public=("wa.example", server.port))
        async with client(guard=guard, resolver=Resolver(names, deadline=60)) as http:
            answer = await http.request("GET", server.url(host="wa.example"), trust="operator")
            assert answer.status == 200


def test_every_link_that_is_fetched_for_us_is_found() -> None:
    header = {"type": "header", "parameters": [{"type": "image", "image": {"link": "https://a/1"}}]}
    template = {"name": "t", "components": [header], "mediaUrl": "https://a/2"}
    buttons = {"buttons": [{"url": "https://10.0.0.1/for-people"}]}
    interactive = {"header": {"video": {"link": "https://a/3"}}, "action": buttons, "body": {"link": "no link"}}
    media = OutMedia(url="https://a/0")
    message = OutMessage(chat="1@c.us", type="image", media=media, template=template, interactive=interactive)
    assert list(links_in(message)) == ["https://a/0", "https://a/1", "https://a/2", "https://a/3"]
