"""The pure parts of sending: abilities, shares, turns, and what errors make certain."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from wagate.errors import (
    NoAnswerError,
    NotSentError,
    OutcomeUnknownError,
    PluginError,
    SendError,
    SendRefusedError,
    UnprocessableError,
)
from wagate.hooks import OutMedia, OutMessage, OutPoll, OutPreview, Provider, ProviderAccount, SendLimits, Signal
from wagate.http import NameNotFoundError, NetworkError, TimedOutError
from wagate.outbound.abilities import as_shown, can_signal, check_edit, check_revoke, fit
from wagate.outbound.choose import candidates, share
from wagate.outbound.handover import as_send_error
from wagate.outbound.send import Limits
from wagate.plugins.account_settings import NoSettings
from wagate.plugins.registry import Providers
from wagate.storage.owners.directory import Account

CHAT = "5511999999999@c.us"


def provider(*abilities: str, **fields: Any) -> Provider:
    async def send(_outgoing: object) -> Any:
        raise NotImplementedError

    made = {"name": "pigeon", "title": "Pigeon", "settings_type": NoSettings, "secrets": frozenset(), "send": send}
    return Provider(**(made | {"abilities": frozenset(abilities)} | fields))  # type: ignore[arg-type]


def account(name: str, weight: int = 1, position: int = 0) -> Account:
    return Account(
        id=name,
        name=name,
        client_id=1,
        tenant="default",
        provider="pigeon",
        phone="",
        metadata={},
        ignore={},
        webhook_secret="",
        source="api",
        weight=weight,
        position=position,
    )


# Abilities


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        ("reaction", "a reaction"),
        ("image", "an image"),
        ("interactive", "an interactive message"),
        ("voice", "a voice message"),
        ("contacts", "contacts"),
    ],
)
def test_what_a_provider_cannot_send_is_named(type_: str, words: str) -> None:
    with pytest.raises(UnprocessableError, match=rf"^pigeon can't send {words}$"):
        fit(provider("text"), OutMessage(chat=CHAT, type=type_))


def test_a_provider_without_send_sends_nothing() -> None:
    with pytest.raises(UnprocessableError, match=r"^pigeon can't send messages$"):
        fit(provider("text", send=None), OutMessage(chat=CHAT, type="text", text="x"))


def test_a_quote_is_left_out_with_a_warning_where_there_are_none() -> None:
    quote = OutMessage(chat=CHAT, type="text", text="x", reply_to="wamid.1")
    assert fit(provider("text", "reply"), quote) == (quote, ())
    fitted, warnings = fit(provider("text"), quote)
    assert fitted.reply_to == ""
    assert warnings == ("pigeon can't quote messages: sent without the quote",)


def test_a_preview_is_left_out_with_a_warning_where_it_is_not_taken() -> None:
    shown = OutPreview(url="https://a.example", title="A")
    message = OutMessage(chat=CHAT, type="text", text="https://a.example", preview=shown, reply_to="wamid.1")
    assert fit(provider("text", "reply", "preview"), message) == (message, ())
    fitted, warnings = fit(provider("text"), message)
    assert (fitted.preview, fitted.reply_to) == (None, "")
    assert warnings == (
        "pigeon can't quote messages: sent without the quote",
        "pigeon does not support link previews: sent without one",
    )


@pytest.mark.parametrize(
    ("poll", "words"),
    [
        (OutPoll(name="", options=("a", "b")), "must not be empty"),
        (OutPoll(name="q", options=("a", " ")), "must not be empty"),
        (OutPoll(name="q", options=("a",)), "2 to 12"),
        (OutPoll(name="q", options=tuple(map(str, range(13)))), "2 to 12"),
        (OutPoll(name="q", options=("a", "a")), "must differ"),
    ],
)
def test_a_poll_has_a_question_and_answers_to_choose_from(poll: OutPoll, words: str) -> None:
    with pytest.raises(UnprocessableError, match=words):
        fit(provider("poll"), OutMessage(chat=CHAT, type="poll", poll=poll))


def test_texts_and_captions_are_edited_where_that_can_be() -> None:
    async def edit(*_: object) -> None:
        raise NotImplementedError

    check_edit(provider("edit", edit=edit), "image")
    with pytest.raises(UnprocessableError, match=r"^pigeon can't edit messages$"):
        check_edit(provider("text"), "text")
    with pytest.raises(UnprocessableError, match="only texts and captions can be edited, not a sticker"):
        check_edit(provider("edit", edit=edit), "sticker")


@pytest.mark.parametrize(
    "message",
    [
        OutMessage(chat=CHAT, type="poll"),
        OutMessage(chat=CHAT, type="text"),
        OutMessage(chat=CHAT, type="image", text="a caption"),
        OutMessage(chat=CHAT, type="location"),
        OutMessage(chat=CHAT, type="contacts"),
    ],
)
def test_a_message_without_what_its_type_is_made_of_is_refused(message: OutMessage) -> None:
    with pytest.raises(UnprocessableError) as caught:
        fit(provider("text", "image", "location", "contacts"), message)
    assert caught.value.errors[0].field.startswith("message.")


def test_a_signal_needs_its_ability() -> None:
    async def signal(*_: object) -> None:
        return

    assert can_signal(provider("seen", signal=signal), Signal(kind="seen", chat=CHAT))
    assert not can_signal(provider("seen", signal=signal), Signal(kind="paused", chat=CHAT))
    assert not can_signal(provider("seen"), Signal(kind="seen", chat=CHAT))


def test_who_records_types_at_least_where_the_provider_has_nothing_else() -> None:
    async def signal(*_: object) -> None:
        return

    recording = Signal(kind="recording", chat=CHAT)
    assert as_shown(provider("recording", "typing", signal=signal), recording) == recording
    assert as_shown(provider("typing", signal=signal), recording) == Signal(kind="typing", chat=CHAT)
    assert not can_signal(provider("seen", signal=signal), as_shown(provider("seen", signal=signal), recording))


def test_revoking_needs_its_ability() -> None:
    async def revoke(*_: object) -> None:
        return

    check_revoke(provider("text", "revoke", revoke=revoke), "text")
    for lacking in (provider("text", revoke=revoke), provider("text", "revoke")):
        with pytest.raises(UnprocessableError, match=r"^pigeon can't revoke messages$"):
            check_revoke(lacking, "text")
    with pytest.raises(UnprocessableError, match="without an emoji"):
        check_revoke(provider("reaction", "revoke", revoke=revoke), "reaction")


def test_a_file_is_enough_for_an_image() -> None:
    fit(provider("image"), OutMessage(chat=CHAT, type="image", media=OutMedia(url="https://x/y")))


# Shares


def test_chats_are_shared_by_weight() -> None:
    accounts = [account("a", 1), account("b", 3), account("c", 0)]
    shares = Counter(share(accounts, f"{number}@c.us").name for number in range(4000))
    assert set(shares) == {"a", "b"}
    assert 2.6 < shares["b"] / shares["a"] < 3.4


@given(st.lists(st.integers(1, 5), min_size=2, max_size=5), st.text(max_size=20))
def test_a_chat_moves_only_when_its_own_account_goes(weights: list[int], chat: str) -> None:
    accounts = [account(str(number), weight, number) for number, weight in enumerate(weights)]
    chosen = share(accounts, chat)
    for gone in accounts:
        if gone is not chosen:
            assert share([each for each in accounts if each is not gone], chat) is chosen


def test_accounts_of_weight_0_are_chosen_only_when_there_are_no_others() -> None:
    accounts = [account("a", 0, 0), account("b", 0, 1)]
    assert share(accounts, CHAT).name == "a"


def test_those_that_failed_lately_come_last() -> None:
    providers = Providers(public_url="")
    providers.add([provider("text")])
    accounts = [account("a"), account("b", position=1), account("c", position=2)]
    message = OutMessage(chat=CHAT, type="text", text="x")

    def order(first: str, *failing: str) -> str:
        chosen = next(each for each in accounts if each.name == first)
        found = candidates(chosen, accounts, message, providers=providers, failing=set(failing).__contains__)
        return "".join(each.name for each in found)

    assert order("b") == "bac"
    assert order("b", "b") == "acb"
    assert order("a", "a", "b", "c") == "abc"


# Turns

SLOW = SendLimits(per_second=2, burst=2)


def test_a_bucket_gives_its_burst_and_then_one_turn_after_the_other() -> None:
    limits = Limits()
    waits = [limits.turn(str(number), "a", f"{number}@c.us", SLOW, 100.0) for number in range(5)]
    assert waits == [0.0, 0.0, 0.5, 1.0, 1.5]
    assert limits.turn("other", "b", CHAT, SLOW, 100.0) == 0.0
    # Whoever has a turn keeps it, however often it asks, and nobody gets it in between.
    assert limits.turn("3", "a", "3@c.us", SLOW, 100.4) == pytest.approx(0.6)
    assert limits.turn("late", "a", CHAT, SLOW, 100.4) == pytest.approx(1.6)
    assert limits.turn("2", "a", "2@c.us", SLOW, 100.5) == 0.0


def test_a_chat_has_a_bucket_of_its_own() -> None:
    limits = Limits()
    slow = SendLimits(chat_per_second=1, chat_burst=1)
    assert [limits.turn(each, "a", CHAT, slow, 0.0) for each in "xy"] == [0.0, 1.0]
    assert limits.turn("z", "a", "other@c.us", slow, 0.0) == 0.0


def test_a_pause_holds_all_that_it_is_about() -> None:
    limits = Limits()
    limits.slow("a", CHAT, 10.0)
    assert limits.turn("x", "a", CHAT, SendLimits(), 4.0) == 6.0
    assert limits.turn("y", "a", "other@c.us", SendLimits(), 4.0) == 0.0
    limits.slow("a", "", 8.0)
    assert limits.turn("y", "a", "other@c.us", SendLimits(), 4.0) == 4.0
    assert limits.turn("x", "a", CHAT, SendLimits(), 10.0) == 0.0


@given(st.floats(0.1, 50), st.integers(0, 20), st.lists(st.floats(0, 3), min_size=1, max_size=60))
def test_no_more_than_the_burst_and_the_rate_ever_pass(rate: float, burst: int, steps: list[float]) -> None:
    limits, now, passed = Limits(), 0.0, []
    allowed = SendLimits(per_second=rate, burst=burst)
    for number, step in enumerate(steps):
        now += step
        wait = limits.turn(str(number), "a", CHAT, allowed, now)
        passed.append(now + wait)
    most = max(burst or int(rate), 1)
    for first, start in enumerate(passed):
        inside = [at for at in passed[first:] if at <= start + 1.0]
        assert len(inside) <= most + rate + 1


def test_an_account_has_the_limits_that_its_settings_make_else_those_of_its_provider() -> None:
    def limits_of(seen: ProviderAccount) -> SendLimits:
        if seen.name == "broken":
            raise PluginError("pigeon", "limits_of raised KeyError")
        return SendLimits(per_second=5)

    providers = Providers(public_url="")
    providers.add([provider("text", limits=SLOW, limits_of=limits_of), provider("text", name="plain", limits=SLOW)])
    assert providers.limits(account("a")).per_second == 5
    assert providers.limits(account("broken")) == SLOW
    assert providers.limits(structs.replace(account("c"), provider="plain")) == SLOW


# Certainty


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (NameNotFoundError("ENOTFOUND: x"), NotSentError, "ENOTFOUND: x"),
        (TimedOutError(sent=False), NotSentError, "Connection timeout"),
        (TimedOutError(), NoAnswerError, "Connection timeout"),
        (NetworkError("ECONNRESET: x"), OutcomeUnknownError, "ECONNRESET: x"),
        (KeyError("token"), OutcomeUnknownError, "the provider's code failed: KeyError"),
        (ExceptionGroup("", [KeyError(), SendRefusedError("no")]), SendRefusedError, "no"),
    ],
)
def test_an_error_says_what_is_certain(error: Exception, kind: type[SendError], reason: str) -> None:
    said = as_send_error(error)
    assert type(said) is kind
    assert said.reason == reason
