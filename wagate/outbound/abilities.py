"""What a provider can't do: told when a message is submitted, or left out with a warning. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from wagate.errors import UnprocessableError
from wagate.hooks.messages import CAPTIONED, MEDIA_TYPES, OutMessage, OutPoll, Signal
from wagate.hooks.providers import Provider
from wagate.parsing.split import length_of

REPLY = "reply"
PREVIEW = "preview"
REVOKE = "revoke"
EDIT = "edit"
EDITABLE = frozenset({"text", "image", "video", "document"})
"""Types of messages that have a text, or a caption."""
MOST_OPTIONS = 12
"""Answers of a poll, as WhatsApp's own apps let people write."""
SIGNALS = {"seen": "seen", "typing": "typing", "recording": "recording", "paused": "typing", "watch": "presence"}
"""Kind of a signal → the ability that it needs."""
_ADJECTIVES = frozenset({"interactive", "voice"})
"""Types that are no noun."""
_PARTS = {
    "location": "location",
    "poll": "poll",
    "reaction": "reaction",
    "template": "template",
    "interactive": "interactive",
}


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
    warnings: list[str] = []
    if message.reply_to and REPLY not in provider.abilities:
        message = replace(message, reply_to="")
        warnings.append(f"{provider.name} can't quote messages: sent without the quote")
    if message.preview is not None and PREVIEW not in provider.abilities:
        message = replace(message, preview=None)
        warnings.append(f"{provider.name} does not support link previews: sent without one")
    return message, tuple(warnings)


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


def as_shown(provider: Provider, signal: Signal) -> Signal:
    """The signal as the provider has it: who records at least types, where there is nothing for recording."""
    if signal.kind == "recording" and not can_signal(provider, signal):
        return replace(signal, kind="typing")
    return signal


def check_revoke(provider: Provider, kind: str) -> None:
    """UnprocessableError: the provider can't revoke messages of this type; names provider and ability."""
    if kind == "reaction":
        raise UnprocessableError("a reaction can't be revoked: send one without an emoji")
    if provider.revoke is None or REVOKE not in provider.abilities:
        raise UnprocessableError(f"{provider.name} can't revoke messages")


def check_edit(provider: Provider, kind: str) -> None:
    """UnprocessableError: the provider can't edit messages of this type; names provider and ability."""
    if kind not in EDITABLE:
        raise UnprocessableError(f"only texts and captions can be edited, not {_a(kind)}")
    if provider.edit is None or EDIT not in provider.abilities:
        raise UnprocessableError(f"{provider.name} can't edit messages")


def _check_parts(message: OutMessage) -> None:
    """What a message of its type is made of must be there."""
    part = "media" if message.type in MEDIA_TYPES else _PARTS.get(message.type)
    if part is not None and getattr(message, part) is None:
        raise UnprocessableError(f"{_a(message.type)} needs {part!r}", field=f"message.{part}")
    if message.type == "text" and not message.text:
        raise UnprocessableError("a text must not be empty", field="message.text")
    if message.type == "contacts" and not message.contacts:
        raise UnprocessableError("contacts must not be empty", field="message.contacts")
    if message.poll is not None:
        _check_poll(message.poll)


def _check_poll(poll: OutPoll) -> None:
    """A poll without a choice is none, and WhatsApp tells answers apart by their text alone."""
    if not poll.name.strip() or not all(each.strip() for each in poll.options):
        raise UnprocessableError("a poll's question and answers must not be empty", field="message.poll")
    if not 2 <= len(poll.options) <= MOST_OPTIONS:
        raise UnprocessableError(f"a poll has 2 to {MOST_OPTIONS} answers", field="message.poll.options")
    if len(set(poll.options)) != len(poll.options):
        raise UnprocessableError("a poll's answers must differ", field="message.poll.options")


def _a(kind: str) -> str:
    """A message of this type, in words."""
    noun = f"{kind} message" if kind in _ADJECTIVES else kind
    if noun.endswith("s"):
        return noun
    return f"an {noun}" if noun[:1] in "aeiou" else f"a {noun}"
