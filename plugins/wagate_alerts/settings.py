"""``[plugins.alerts]``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, tzinfo
from importlib.util import find_spec
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from wagate.hooks import NEEDS, Duration, SecretText

INSTALL: Final = 'pip install "wagate[alerts]"'
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d) ?- ?([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_NUMBER: Final = re.compile(r"\+[0-9 ().-]{6,24}|[^@\s]+@g\.us", re.ASCII)


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """``[plugins.alerts.channels.<name>]``: one way to a person. Either ``apprise``, or ``account`` with ``to``."""

    apprise: SecretText = ""
    """An Apprise URL: e-mail, Telegram, Slack, Teams, ntfy, Discord and a hundred others. It is a secret."""
    account: str = ""
    """The account that sends it on WhatsApp."""
    to: list[str] = []
    """To whom on WhatsApp: numbers with `+`, or groups (`…@g.us`)."""

    def __post_init__(self) -> None:
        """Refuse what leads nowhere. No message has the URL in it."""
        if bool(self.apprise) == bool(self.account):
            raise ValueError('needs apprise = "…", or account = "…" with to = ["+…"]: one of the two')
        if self.apprise and not _URL.fullmatch(self.apprise):
            raise ValueError('apprise: not a URL; write one as in "ntfy://my-topic" or "mailto://user:password@host"')
        if self.apprise and self.to:
            raise ValueError("to: only with account; an Apprise URL has its receivers in it")
        if self.apprise and find_spec("apprise") is None:
            raise ValueError(f"apprise: the library is not installed: {INSTALL}")
        if self.account and not self.to:
            raise ValueError('to: is missing; write the numbers that get the alerts, as in to = ["+12025550142"]')
        if wrong := [each for each in self.to if not _NUMBER.fullmatch(each)]:
            raise ValueError(f'to: {wrong[0]!r} is no number; write it with its country, as in "+12025550142"')


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What is told to whom, and when."""

    after: Duration = Duration("5m")
    """How long something must last before it is told."""
    at_once: list[str] = []
    """Kinds that are told at once: `gateway`, `down`, `number`, `refused`, `failed`, `disabled`, `disk`, `backup`,
    `doctor`."""
    quiet: str = ""
    """Hours in which nothing is told, as in `22:00-07:00`; what still needs somebody then is told after them."""
    quiet_except: list[str] = []
    """Kinds that are told in these hours, too."""
    zone: str = "UTC"
    """The time zone of `quiet`, and of the times in alerts, as in `Europe/Berlin`."""
    proxy: str = ""
    """A proxy for Apprise, as in `http://proxy:3128`; proxy variables in the environment are ignored."""
    channels: dict[str, Channel] = {}
    """By names of your choice; each gets every alert."""

    def __post_init__(self) -> None:
        """Refuse words that mean nothing."""
        for name, kinds in (("at_once", self.at_once), ("quiet_except", self.quiet_except)):
            if wrong := [each for each in kinds if each not in NEEDS]:
                raise ValueError(f"{name}: nothing is called {wrong[0]!r}; known: {', '.join(NEEDS)}")
        if self.quiet and not _HOURS.fullmatch(self.quiet):
            raise ValueError(f'quiet: {self.quiet!r} is no span of hours; write it as in "22:00-07:00"')
        if not self.channels:
            raise ValueError('needs a channel: [plugins.alerts.channels.phone] with apprise = "…", or account and to')
        self.where()

    def where(self) -> tzinfo:
        """The time zone."""
        if self.zone == "UTC":
            return UTC
        try:
            return ZoneInfo(self.zone)
        except (OSError, ValueError) as error:  # ZoneInfoNotFoundError is a KeyError
            raise _no_zone(self.zone) from error
        except KeyError as error:
            raise _no_zone(self.zone) from error

    def is_quiet(self, now: datetime, kind: str) -> bool:
        """Whether nothing of this kind is told now."""
        hours = _HOURS.fullmatch(self.quiet)
        if hours is None or kind in self.quiet_except:
            return False
        begin, end = time(int(hours[1]), int(hours[2])), time(int(hours[3]), int(hours[4]))
        at = now.astimezone(self.where()).time()
        return begin <= at < end if begin <= end else at >= begin or at < end


def _no_zone(name: str) -> ValueError:
    if not available_timezones():
        return ValueError('zone: this machine knows no time zones; install the package tzdata, or write "UTC"')
    return ValueError(f'zone: no time zone is called {name!r}; write it as in "Europe/Berlin"')
