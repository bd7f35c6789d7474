"""An account's settings, all of them optional: the number itself comes with the scan."""

from __future__ import annotations

from typing import Annotated

import msgspec

from wagate.hooks import Duration, ProviderAccount

LONGEST_HISTORY = Duration("365d")
PROXIES = ("http://", "https://", "socks5://")


class WhatsAppSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[accounts.<name>]`` with ``provider = "whatsapp"``."""

    device: Annotated[str, msgspec.Meta(min_length=1, max_length=50)] = "wagate"
    """How the phone shows this device among those that are linked."""
    proxy: str = ""
    """Through which the connection goes: ``http://``, ``https://`` or ``socks5://``, with user and password if need be;
    '' for none."""
    typing: bool = True
    """Show "typing…" before a text, for a time in proportion to it: what answers at once is taken for a machine."""
    reject_calls: bool = False
    """Reject calls as they ring."""
    history: Duration = Duration(0)
    """How far back the phone is asked for messages when the number is linked: ``7d``. They go into conversations alone,
    and are delivered to nobody. 0: not at all."""

    def __post_init__(self) -> None:
        if self.history > LONGEST_HISTORY:
            raise ValueError("history: at most 365d")
        if self.proxy and not self.proxy.startswith(PROXIES):
            raise ValueError(f"proxy: begins with one of {', '.join(PROXIES)}")


SECRETS = frozenset({"proxy"})


def settings_of(account: ProviderAccount) -> WhatsAppSettings:
    """The account's settings."""
    assert isinstance(account.settings, WhatsAppSettings)
    return account.settings
