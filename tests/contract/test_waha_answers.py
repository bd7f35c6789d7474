"""What WAHA is asked beyond sending, with each of its engines' forms; its requests are judged by its own document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.strict_fakes import strict_waha
from tests.waha_operations import CHANNEL, GROUP
from tests.waha_site import waha
from wagate.errors import (
    AccountStoppedError,
    GatewayTimeoutError,
    NoAnswerError,
    NotFoundError,
    NotSentError,
    NotSupportedError,
    OutcomeUnknownError,
    SendError,
    SendRefusedError,
    TooManyRequestsError,
    UnavailableError,
    UnprocessableError,
)
from wagate.hooks import OutFile, asks
from wagate.hooks.answers import ChannelView, Label
from wagate.hooks.passing import PassOn
from wagate.outbound.handover import as_send_error
from wagate.testing.providers.waha import Engine, FakeWaha
from wagate.testing.providers.waha_asks import CODE, ME, FakeGroup
from wagate.testing.server import Fault, Reply
from wagate.web.waha.desk import unanswered

THEM, OTHER = "15550002222@c.us", "15550003333@c.us"


def site(engine: Engine = "GOWS") -> FakeWaha:
    fake = strict_waha(FakeWaha(engine=engine, api_key="k"))
    fake.phone.groups[GROUP] = FakeGroup(subject="Team", people={ME: "superadmin", THEM: ""}, description="All of us")
    fake.phone.channels[CHANNEL] = "News"
    fake.phone.labels["7"] = {"id": "7", "name": "Paid", "color": 3, "colorHex": "#dfaef0"}
    fake.phone.known.add("15550002222")
    fake.phone.abouts[THEM] = "At work"
    fake.lids["77@lid"] = THEM
    return fake


async def ask(fake: FakeWaha, *questions: asks.Ask, **settings: Any) -> list[Any]:
    refused: SendError | None = None
    found = []
    async with waha(fake, api_key="k", **settings) as (provider, account):
        try:
            found = [await provider.answers[type(each)](each, account) for each in questions]
        except SendError as error:
            refused = error  # the fake's nursery would wrap it
    if refused is not None:
        raise refused
    return found


async def test_all_asks_are_answered() -> None:
    async with waha(site(), api_key="k") as (provider, _):
        missing = {each for each in asks.ASKS if each not in provider.answers}
        assert PassOn in provider.answers
    passed_on = {asks.VotePoll, asks.PostEvent, asks.PressButton, asks.CreateChannel, asks.ReadChannelMessages}
    assert missing == passed_on  # as they came


@pytest.mark.parametrize("engine", ["GOWS", "NOWEB", "WEBJS"])
async def test_a_group_is_read_in_every_engines_form(engine: Engine) -> None:
    fake = site(engine)
    fake.phone.groups[GROUP].messages_admin_only = True
    [[listed], group] = await ask(fake, asks.ListGroups(), asks.ReadGroup(chat=GROUP))
    assert listed == group
    assert (group.chat, group.subject, group.description, group.owner) == (GROUP, "Team", "All of us", ME)
    assert (group.created_at, group.only_admins_write, group.only_admins_edit) == (1_795_225_481, True, False)
    assert [(each.chat, each.role) for each in group.members] == [(ME, "owner"), (THEM, "member")]


@pytest.mark.parametrize("engine", ["GOWS", "NOWEB", "WEBJS"])
async def test_a_group_is_made_changed_and_left(engine: Engine) -> None:
    fake = site(engine)
    fake.phone.unwilling = frozenset({OTHER})
    [made, none, refused, old, code, joined, invited] = await ask(
        fake,
        asks.CreateGroup(subject="New", members=(THEM,)),
        asks.ChangeGroup(chat=GROUP, subject="Crew", description="", only_admins_edit=True),
        asks.ChangeMembers(chat=GROUP, change="add", members=(OTHER, "15550004444@c.us")),
        asks.InviteCode(chat=GROUP),
        asks.InviteCode(chat=GROUP, renew=True),
        asks.JoinGroup(code=CODE),
        asks.ReadInvite(code=CODE),
    )
    assert made.chat in fake.phone.groups
    assert fake.phone.groups[made.chat].people[THEM] == ""
    assert none is None
    assert refused == {OTHER: 403}
    assert (old, joined, invited.chat) == (CODE, fake.phone.invited, fake.phone.invited)
    assert code == fake.phone.groups[GROUP].code != old
    group = fake.phone.groups[GROUP]
    assert (group.subject, group.description, group.info_admin_only, group.messages_admin_only) == (
        *("Crew", ""),
        *(True, False),
    )
    await ask(fake, asks.LeaveGroup(chat=GROUP))
    assert ME not in group.people


async def test_people_are_found_read_blocked_and_named() -> None:
    fake = site()
    found = await ask(
        fake,
        asks.FindNumber(phone="15550002222"),
        asks.FindNumber(phone="15559999999"),
        asks.FindLid(chat=THEM),
        asks.FindLid(chat=OTHER),
        asks.ReadAbout(chat=THEM),
        asks.ReadAbout(chat=OTHER),
        asks.BlockPerson(chat=OTHER, on=True),
        asks.NamePerson(chat=THEM, first_name="Jo", full_name="Jo Doe"),
    )
    assert found[:6] == [THEM, "", "77@lid", "", "At work", ""]
    assert fake.phone.blocked == {OTHER}
    assert fake.phone.done == [("name", THEM, "Jo", "Doe")]
    await ask(fake, asks.BlockPerson(chat=OTHER, on=False))
    assert not fake.phone.blocked


async def test_chats_and_messages_are_marked() -> None:
    fake, message = site(), f"false_{THEM}_AB/C"
    marks: list[asks.ChatMark] = ["archive", "unarchive", "unread", "read", "delete", "clear"]
    await ask(
        fake,
        *(asks.MarkChat(chat=THEM, mark=mark) for mark in marks),
        asks.StarMessage(chat=THEM, message_id=message, on=True),
        asks.PinMessage(chat=THEM, message_id=message, seconds=86400),
        asks.PinMessage(chat=THEM, message_id=message, seconds=0),
        asks.RejectCall(chat=THEM, call_id="C1"),
        asks.SetOnline(on=False),
        asks.WatchPresence(chat=THEM),
        asks.SetOwnName(name="We"),
        asks.SetOwnAbout(text="Open"),
        asks.MarkChannel(chat=CHANNEL, mark="mute"),
    )
    assert fake.phone.done[:6] == [(mark, THEM) for mark in marks]
    assert fake.phone.done[6:] == [
        ("star", "default", THEM, message, "True"),
        ("pin", THEM, message, "86400"),
        ("unpin", THEM, message),
        ("reject", THEM, "C1"),
        ("presence", "offline"),
        ("own name", "We"),
        ("own about", "Open"),
        ("mute", CHANNEL),
    ]
    assert fake.watched == [THEM]


@pytest.mark.parametrize("engine", ["GOWS", "WEBJS"])
async def test_channels_and_labels(engine: Engine) -> None:
    fake = site(engine)
    [[channel], one, labels, made, _, chats, of_chat] = await ask(
        fake,
        asks.ListChannels(),
        asks.ReadChannel(chat=CHANNEL),
        asks.ListLabels(),
        asks.PutLabel(name="Late", color=4),
        asks.LabelChat(chat=THEM, label_ids=("7",)),
        asks.ListLabeled(label_id="7"),
        asks.ListLabels(chat=THEM),
    )
    assert channel == one == ChannelView(chat=CHANNEL, name="News", invite=CODE, subscribers=3)
    paid = Label(id="7", name="Paid", color=3)
    assert (labels, chats, of_chat) == ((paid,), (THEM,), (paid,))
    assert fake.phone.labels[made.id]["name"] == "Late"
    [changed, _] = await ask(
        fake, asks.PutLabel(name="Paid up", color=3, label_id="7"), asks.DeleteLabel(label_id=made.id)
    )
    assert (changed.name, list(fake.phone.labels)) == ("Paid up", ["7"])


@pytest.mark.parametrize("media", ["url", "base64"])
async def test_files_go_as_links_or_inside_the_request(media: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\xff\xd8\xff\xe0")
    link = "https://gateway.example/f"
    picture = OutFile(mimetype="image/jpeg", filename="a.jpg", path=path, url=link, size=4)
    voice = OutFile(mimetype="audio/ogg", filename="a.ogg", path=path, url=link, size=4)
    fake = site()
    told = await ask(
        fake,
        asks.SetPicture(chat="", file=picture),
        asks.SetPicture(chat=GROUP, file=picture),
        asks.SetPicture(chat=GROUP, file=None),
        asks.PostStory(type="image", file=picture, text="See", to=(THEM,)),
        asks.PostStory(type="voice", file=voice),
        asks.PostStory(type="text", text="Hello", background="#000000", font=1),
        media=media,
    )
    key, value = ("url", link) if media == "url" else ("data", "/9j/4A==")
    image, spoken, text = fake.phone.stories.values()
    assert (image["file"][key], image["caption"], image["contacts"]) == (value, "See", [THEM])
    assert (spoken["file"][key], spoken["file"]["mimetype"]) == (value, "audio/ogg; codecs=opus")
    assert (spoken["convert"], text["text"], text["font"]) == (False, "Hello", 1)
    assert [seen.path for seen in fake.seen[:3]] == [
        "/api/default/profile/picture",
        *[f"/api/default/groups/{GROUP.replace('@', '%40')}/picture"] * 2,
    ]
    await ask(fake, asks.DeleteStory(message_id=told[3]))
    assert image not in fake.phone.stories.values()


@pytest.mark.parametrize(
    ("reply", "error", "answered"),
    [
        (Reply(status=501, json={"message": "not in this engine"}), SendRefusedError, NotSupportedError),
        (Reply(status=400, json={"message": ["no"]}), SendRefusedError, UnprocessableError),
        (Reply(status=404, json={"message": "no such group"}), SendRefusedError, NotFoundError),
        (Reply(status=422, json={"status": "STOPPED"}), SendRefusedError, UnprocessableError),
        (Reply(status=200, json=False), SendRefusedError, UnprocessableError),
        (Reply(status=429, headers={"retry-after": "7"}), NotSentError, TooManyRequestsError),
        (Reply(status=401, json={"message": "Unauthorized"}), AccountStoppedError, None),
        (Reply(status=500, json={"request": {"key": "secret"}}), OutcomeUnknownError, None),
    ],
)
async def test_a_refusal_is_passed_on_as_what_it_is(
    reply: Reply, error: type[SendError], answered: type[Exception] | None
) -> None:
    fake = site()
    fake.fail(Fault(reply=reply))
    with pytest.raises(error) as caught:
        await ask(fake, asks.SetOwnName(name="We"))
    told = unanswered(caught.value)
    assert "secret" not in told.detail
    if answered is not None:
        assert type(told) is answered
    else:
        assert told.status == 502


async def test_a_waha_that_is_down_or_silent_is_said_to_be() -> None:
    fake = site()
    async with waha(fake, api_key="k") as (provider, account):
        pass
    with pytest.raises(Exception, match="ECONNREFUSED") as caught:
        await provider.answers[asks.ListGroups](asks.ListGroups(), account)
    down = unanswered(as_send_error(caught.value))
    assert isinstance(down, UnavailableError)
    assert down.retry_after
    assert isinstance(unanswered(NoAnswerError("no answer of waha within 30 s")), GatewayTimeoutError)


@pytest.mark.parametrize("name", [".", ".."])
async def test_an_id_never_leads_to_another_path(name: str) -> None:
    fake = site()
    with pytest.raises(SendRefusedError, match="is no id"):
        await ask(fake, asks.DeleteLabel(label_id=name))
    assert not fake.seen


async def test_what_wagate_has_no_words_for_is_passed_on_under_the_accounts_session() -> None:
    fake = site()
    vote = {"session": "other", "chatId": THEM, "pollMessageId": "x", "votes": ["Yes"]}
    [voted, shot] = await ask(
        fake,
        PassOn(method="POST", path="/api/sendPollVote", body=vote, names_session=True),
        PassOn(method="GET", path="/api/screenshot", query={"session": "other"}),
    )
    assert voted.body == b"{}"
    assert fake.phone.done == [("vote", "default", THEM, "x", "['Yes']")]
    assert (shot.content_type, shot.body[:2]) == ("image/jpeg", b"\xff\xd8")
