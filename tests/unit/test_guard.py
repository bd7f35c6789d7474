"""The guard: which URLs can be read, and which addresses may be dialled."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagate.errors import ConfigError
from wagate.http.errors import BadUrlError
from wagate.http.guard import Guard, parse_networks
from wagate.http.url import check_url

# The table of svix (core/webhook_http_client.rs) and of smokescreen, and what both leave out.
DENIED = """
0.0.0.0 0.1.2.3 10.0.0.1 10.254.0.0 10.255.255.255 100.64.0.1 100.100.0.0 100.127.255.255 127.0.0.1 127.0.0.2
127.255.255.255 169.254.0.1 169.254.45.1 169.254.169.254 172.16.10.65 172.31.255.255 192.0.0.0 192.0.0.255 192.0.2.255
192.88.99.1 192.168.10.65 192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.65 203.0.113.6 224.0.0.1 239.255.255.255
240.0.0.1 250.10.20.30 255.255.255.255 168.63.129.16 100.100.100.200
:: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:0.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1 ::ffff:0:0:1
64:ff9b::8.8.8.8 64:ff9b::a9fe:a9fe 64:ff9b:1::1 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1
2002:7f00:1:: 2002:808:808::1 3fff::1 3fff:fff:ffff::1 5f00::1 fc00::1 fd00:ec2::254 fd12:3456::1 fe80::1 fe80::1%eth0
febf::1 fec0::1 ff00::1 ff02::1 ff0e::1 4000::1 1fff::1
""".split()  # noqa: SIM905
ALLOWED = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 169.253.255.255
172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255 168.63.129.17
::ffff:8.8.8.8 ::ffff:1.1.1.1 2001:4860:4860::8888 2001:1::1 2606:4700::1111 2a00:1450:4001:800::200e 2003::1 3ffe::1
""".split()  # noqa: SIM905


@pytest.mark.parametrize("text", DENIED)
def test_an_address_that_is_not_public_is_refused(text: str) -> None:
    refusal = Guard().refusal(ip_address(text), 443, "public")
    assert refusal is not None
    assert any(word in refusal for word in ("is not public", "metadata", "carries"))


@pytest.mark.parametrize("text", ALLOWED)
def test_a_public_address_is_allowed(text: str) -> None:
    assert Guard().refusal(ip_address(text), 443, "public") is None


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "10.1.2.3", "::1", "fd12::1", "fe80::1", "::ffff:192.168.1.1", "8.8.8.8"]
)
def test_the_operators_own_urls_may_lead_inside(text: str) -> None:
    assert Guard().refusal(ip_address(text), 443, "operator") is None


@pytest.mark.parametrize(
    "text",
    [
        "169.254.169.254",
        "fd00:ec2::254",
        "168.63.129.16",
        "100.100.100.200",
        "169.254.170.2",
        "::ffff:169.254.169.254",
        "::a9fe:a9fe",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
    ],
)
def test_metadata_is_refused_to_all_and_can_not_be_exempted(text: str) -> None:
    guard = Guard(allow_networks=(ip_network("0.0.0.0/0"), ip_network("::/0")))
    for trust in ("public", "operator"):
        refusal = guard.refusal(ip_address(text), 80, trust)
        assert refusal is not None
        assert "metadata" in refusal


def test_a_listed_network_is_exempt_and_its_neighbour_is_not() -> None:
    guard = Guard(allow_networks=parse_networks(["10.1.0.0/16", "fd12::/16"]))
    assert guard.refusal(ip_address("10.1.2.3"), 443, "public") is None
    assert guard.refusal(ip_address("::ffff:10.1.2.3"), 443, "public") is None
    assert guard.refusal(ip_address("fd12::5"), 443, "public") is None
    refusal = guard.refusal(ip_address("10.2.0.1"), 443, "public")
    assert refusal is not None
    assert "delivery.allow_networks" in refusal


def test_a_translated_address_is_judged_by_what_it_carries() -> None:
    guard = Guard(allow_networks=parse_networks(["64:ff9b::/96"]))
    assert guard.refusal(ip_address("64:ff9b::8.8.8.8"), 443, "public") is None
    refusal = guard.refusal(ip_address("64:ff9b::10.0.0.1"), 443, "public")
    assert refusal is not None
    assert "carries 10.0.0.1 (private)" in refusal


def test_our_own_listener_is_refused_even_in_a_listed_network() -> None:
    guard = Guard(allow_networks=parse_networks(["127.0.0.0/8", "::1/128"]), listening=(("0.0.0.0", 8080),))
    assert "gateway itself" in (guard.refusal(ip_address("127.0.0.1"), 8080, "public") or "")
    assert "gateway itself" in (guard.refusal(ip_address("::1"), 8080, "public") or "")
    assert "gateway itself" in (guard.refusal(ip_address("::ffff:127.0.0.9"), 8080, "public") or "")
    assert guard.refusal(ip_address("127.0.0.1"), 8081, "public") is None
    named = Guard(listening=(("203.1.113.6", 443),))
    assert "gateway itself" in (named.refusal(ip_address("203.1.113.6"), 443, "public") or "")


def test_a_standing_connection_to_ourselves_is_seen_by_its_two_ends() -> None:
    guard = Guard(listening=(("0.0.0.0", 8080),))
    here, there = ip_address("9.9.9.9"), ip_address("9.9.9.10")
    assert guard.is_ourselves(here, here, 8080)
    assert guard.is_ourselves(ip_address("::ffff:9.9.9.9"), here, 8080)
    assert guard.is_ourselves(here, here, 8081)
    assert not guard.is_ourselves(here, here, 443)
    assert not guard.is_ourselves(here, there, 8080)


@given(st.ip_addresses(v=6))
def test_no_address_outside_of_2000_3_is_ever_public_but_the_mapped_ones(address: object) -> None:
    parsed = ip_address(str(address))
    if parsed not in ip_network("2000::/3") and parsed.ipv4_mapped is None:
        assert Guard().refusal(parsed, 443, "public") is not None


def test_a_wrong_network_in_the_configuration_is_named_with_its_cure() -> None:
    with pytest.raises(ConfigError, match=r"delivery.allow_networks: .*10\.0\.0\.5/8.*write networks like"):
        parse_networks(["10.0.0.5/8"])


@pytest.mark.parametrize(
    ("url", "host", "port", "target", "authority"),
    [
        ("https://Example.COM", "example.com", 443, "/", "example.com"),
        ("https://example.com:443/a?b=c#d", "example.com", 443, "/a?b=c", "example.com"),
        ("https://example.com./x", "example.com", 443, "/x", "example.com"),
        ("https://example.com:8443?x", "example.com", 8443, "/?x", "example.com:8443"),
        ("https://münchen.de/straße?q=ü", "xn--mnchen-3ya.de", 443, "/stra%C3%9Fe?q=%C3%BC", "xn--mnchen-3ya.de"),
        ("https://my_service:9000/a%20b", "my_service", 9000, "/a%20b", "my_service:9000"),
        ("https://[2606:4700:0:0::1111]:8443/", "2606:4700::1111", 8443, "/", "[2606:4700::1111]:8443"),
        ("https://localhost./", "localhost", 443, "/", "localhost"),
    ],
)
def test_a_url_is_read_once_into_what_is_dialled(url: str, host: str, port: int, target: str, authority: str) -> None:
    parsed = check_url(url)
    assert (parsed.host, parsed.port, parsed.target, parsed.authority) == (host, port, target, authority)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "0x7f000001",
        "0X7F.1",
        "2130706433",
        "017700000001",
        "0177.0.0.01",
        "127.1",
        "127.0.0.1.",
        "[::1]",
        "[0:0::0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "１２７．０．０．１",
        "①②⑦.⓪.⓪.①",
        "169.254.169.254",
        "[64:ff9b::a9fe:a9fe]",
    ],
)
def test_no_notation_hides_an_address(host: str) -> None:
    parsed = check_url(f"https://{host}/")
    assert parsed.address is not None
    assert parsed.host == str(parsed.address)
    assert Guard().refusal(parsed.address, parsed.port, "public") is not None


@pytest.mark.parametrize(
    ("url", "cure"),
    [
        ("", "https://"),
        ("example.com/x", "https://"),
        ("//example.com/x", "https://"),
        ("http://example.com/", "delivery.allow_http"),
        ("ftp://example.com/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("javascript:alert(1)", "https://"),
        ("https://", "has no host"),
        ("https:///path", "has no host"),
        ("https://:8080/", "has no host"),
        ("https://user@example.com/", "Authorization header"),
        ("https://user:pass@example.com/", "Authorization header"),
        ("https://@example.com/", "Authorization header"),
        ("https://exa mple.com/", "percent-encode"),
        (" https://example.com/", "percent-encode"),
        ("https://example.com/\r\nHost: evil", "percent-encode"),
        ("https://exa\tmple.com/", "percent-encode"),
        ("https://example.com/\x00", "percent-encode"),
        ("https://example.com\\@evil.com/", "percent-encode"),
        ("https://[fe80::1%eth0]/", "zone id"),
        ("https://[fe80::1%25eth0]/", "zone id"),
        ("https://%31%32%37.0.0.1/", "percent-encoding"),
        ("https://[::1/", "can't be read"),
        ("https://[example.com]/", ""),
        ("https://[v1.x]/", "IPv6 address"),
        ("https://example.com:0/", "1 to 65535"),
        ("https://example.com:65536/", "1 to 65535"),
        ("https://example.com:x/", "1 to 65535"),
        ("https://example..com/", "not a valid name"),
        ("https://example.com../", "not a valid name"),
        ("https://.example.com/", "not a valid name"),
        ("https://exam!ple.com/", "not a valid name"),
        ("https://" + "a" * 64 + ".com/", "not a valid name"),
        ("https://" + "a." * 127 + "com/", "not a valid name"),
        ("https://1.2.3.256/", "write it as 1.2.3.4"),
        ("https://1.2.3.4.5/", "write it as 1.2.3.4"),
        ("https://0x/", "write it as 1.2.3.4"),
        ("https://09.1.1.1/", "write it as 1.2.3.4"),
        ("https://example.com/" + "a" * 2048, "longer than 2048"),
    ],
)
def test_a_url_that_can_not_be_used_is_refused_with_its_cure(url: str, cure: str) -> None:
    with pytest.raises(BadUrlError) as caught:
        check_url(url)
    assert cure in caught.value.reason
    assert "pass" not in caught.value.reason.replace("password", "")


def test_plain_http_is_an_option() -> None:
    parsed = check_url("http://example.com/x", allow_http=True)
    assert (parsed.scheme, parsed.port) == ("http", 80)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_and_what_is_read_is_safe_to_send(text: str) -> None:
    try:
        parsed = check_url("https://" + text)
    except BadUrlError:
        return
    line = parsed.target + parsed.authority
    assert line.isascii()
    assert line.isprintable()
    assert " " not in line
    assert parsed.target.startswith("/")
    assert 1 <= parsed.port <= 65535
