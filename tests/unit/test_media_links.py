"""Links: who made them, how long they hold, and when two are equal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagate.clock import Clock
from wagate.config.vault import Vault
from wagate.errors import ForbiddenError
from wagate.media.links import DAY, VALID_DAYS, Links

START = 1_760_000_123.7
KEY, OTHER = "a secret key for tests", "another secret key for tests"


class SetClock(Clock):
    def time(self) -> float:
        return START + self.offset


@cache
def vault(key: str) -> Vault:
    return Vault([key])  # a passphrase takes 50 ms to become a key


def links(key: str = KEY, *, after: float = 0.0, public_url: str = "https://wa.example/") -> Links:
    clock = SetClock()
    clock.offset = after
    return Links(vault(key), clock, public_url=public_url)


def since(seconds_ago: float = 0.0) -> datetime:
    return datetime.fromtimestamp(START - seconds_ago, UTC)


def query_of(url: str) -> tuple[str, str]:
    query = parse_qs(urlsplit(url).query)
    return query["exp"][0], query["sig"][0]


@given(st.text(min_size=1), st.floats(0, 400 * DAY), st.text(alphabet="abcdef0123456789-", min_size=1, max_size=36))
def test_a_link_lets_in_for_seven_days_at_least_and_eight_at_most(filename: str, age: float, media_id: str) -> None:
    filename = filename.encode("utf-8", "replace").decode()
    url = links().url(media_id, filename, since=since(age))
    path = urlsplit(url).path
    assert [unquote(part) for part in path.split("/")[1:]] == ["media", media_id, filename]
    expires, mac = query_of(url)
    assert VALID_DAYS * DAY - 1 <= int(expires) - START <= (VALID_DAYS + 1) * DAY
    links().check(media_id, expires=expires, mac=mac)
    links(after=VALID_DAYS * DAY - 2).check(media_id, expires=expires, mac=mac)
    with pytest.raises(ForbiddenError, match="expired"):
        links(after=(VALID_DAYS + 1) * DAY + 1).check(media_id, expires=expires, mac=mac)


@given(st.integers(0, DAY - 1))
def test_retries_within_a_day_of_the_event_get_the_same_link(later: int) -> None:
    first = links().url("m1", "a.jpg", since=since())
    assert links(after=later).url("m1", "a.jpg", since=since()) == first


def test_the_next_day_s_link_holds_longer() -> None:
    first, next_day = (query_of(links(after=after).url("m1", "a", since=since())) for after in (0, DAY))
    assert int(next_day[0]) == int(first[0]) + DAY


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_forged_link_is_refused(expires: str, mac: str) -> None:
    with pytest.raises(ForbiddenError, match="wrong"):
        links().check("m1", expires=expires, mac=mac)


def test_a_link_is_good_for_its_own_file_and_time_only() -> None:
    expires, mac = query_of(links().url("m1", "a", since=since()))
    for other in (("m2", expires, mac), ("m1", str(int(expires) + 1), mac), ("m1", f"0{expires}", mac)):
        with pytest.raises(ForbiddenError, match="wrong"):
            links().check(other[0], expires=other[1], mac=other[2])
    with pytest.raises(ForbiddenError, match="wrong"):
        links(OTHER).check("m1", expires=expires, mac=mac)


def test_a_link_of_the_old_key_holds_through_a_rotation() -> None:
    expires, mac = query_of(links(OTHER).url("m1", "a", since=since()))
    Links(Vault([KEY, OTHER]), SetClock(), public_url="").check("m1", expires=expires, mac=mac)


def test_without_a_public_url_it_is_a_path() -> None:
    assert links(public_url="").url("m1", "a b.jpg", since=since()).startswith("/media/m1/a%20b.jpg?exp=")
    assert links().url("m1", "a", since=since() + timedelta(days=1)).startswith("https://wa.example/media/m1/a?exp=")
