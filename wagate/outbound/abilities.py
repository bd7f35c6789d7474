"""What a provider can't do: told when a message is submitted, or left out with a warning. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from wagate.errors import UnprocessableError
from wagate.hooks.messages import CAPTIONED, MEDIA_TYPES, OutMessage, Signal
from wagate.hooks.providers import Provider
from wagate.parsing.split import length_of

REPLY = "reply"
REVOKE = "revoke"
SIGNALS = {"seen": "seen", "typing": "typing", "paused": "typing", "watch": "presence"}
"""Kind of a signal → the ability that it needs."""
_PARTS = {"location": "location", "reaction": "reaction", "template": "template", "interactive": "interactive"}


def fit(provider: Provider, message: OutMessage) -> tuple[OutMessage, tuple[str, ...]]:
    """The message as the provider can send it, and what was left out, in words.

    Raises:
        UnprocessableError: it can't send it at all; names provider and ability.
    """
    if provider.send is None:
        raise UnprocessableError(f"{provider.name} can't send messages")
    if message.type not in provider.abilities:
        raise UnprocessableError(f"{provider.name} can't send {_a(message.type)}", field="message.type")
    _check_parts(message)
    if not takes(provider, message):
        detail = f"{provider.name} takes {_limit_of(provider, message)[1]}"
        raise UnprocessableError(detail, field="message.text")
    if message.reply_to and REPLY not in provider.abilities:
        return replace(message, reply_to=""), (f"{provider.name} can't quote a message: sent without the quote",)
    return message, ()


def takes(provider: Provider, message: OutMessage) -> bool:
    """Whether the message is short enough for the provider: a part of a text may come to another one than first."""
    longest, _ = _limit_of(provider, message)
    return not longest or length_of(message.text) <= longest


def _limit_of(provider: Provider, message: OutMessage) -> tuple[int, str]:
    """Characters that its text may have, and that in words; 0: no limit."""
    if message.type in CAPTIONED:
        return provider.longest_caption, f"captions of at most {provider.longest_caption} characters"
    longest = provider.longest_text if message.type == "text" else 0
    return longest, f"texts of at most {longest} characters"


def can_signal(provider: Provider, signal: Signal) -> bool:
    """Whether the provider has such a signal. Where it hasn't, nothing is lost: a signal may be lost anyway."""
    return provider.signal is not None and SIGNALS.get(signal.kind, signal.kind) in provider.abilities


def check_revoke(provider: Provider, kind: str) -> None:
    """UnprocessableError: the provider can't revoke messages of this type; names provider and ability."""
    if kind == "reaction":
        raise UnprocessableError("a reaction is not revoked: send one without an emoji")
    if provider.revoke is None or REVOKE not in provider.abilities:
        raise UnprocessableError(f"{provider.name} can't revoke messages")


def _check_parts(message: OutMessage) -> None:
    """What a message of its type is made of must be there."""
    part = "media" if message.type in MEDIA_TYPES else _PARTS.get(message.type)
    if part is not None and getattr(message, part) is None:
        raise UnprocessableError(f"{_a(message.type)} needs {part!r}", field=f"message.{part}")
    if message.type == "text" and not message.text:
        raise UnprocessableError("a text must not be empty", field="message.text")
    if message.type == "contacts" and not message.contacts:
        raise UnprocessableError("contacts must not be empty", field="message.contacts")


def _a(noun: str) -> str:
    if noun.endswith("s"):
        return noun
    return f"an {noun}" if noun[:1] in "aeiou" else f"a {noun}"
