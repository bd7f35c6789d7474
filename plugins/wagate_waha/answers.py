"""What WAHA is asked beyond sending: each `Ask` as its request. Groups are in ``groups``.

Source of paths, fields and answers: WAHA's OpenAPI document (2026.7.1).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from wagate.errors import SendRefusedError
from wagate.hooks import OutFile, ProviderAccount, asks
from wagate.hooks.answers import ChannelView, Label
from wagate.hooks.base64_files import Base64Files, filled, goes_along, mark_of
from wagate.hooks.passing import PassedOn, PassOn
from wagate.http import HttpClient
from wagate.parsing.chats import chat_key
from wagate.parsing.fields import first_text, mapping
from wagate_waha import groups
from wagate_waha.asking import Asking, done
from wagate_waha.client import document_of, in_path
from wagate_waha.ids import id_in_answer, read_id
from wagate_waha.send import VOICE_TYPE, chat_id
from wagate_waha.settings import settings_of

_STORY: Final = "/api/{session}/status"
_LABELS: Final = "/api/{session}/labels"
_MARKS: Final[dict[asks.ChatMark, tuple[str, str]]] = {
    "archive": ("POST", "/archive"),
    "unarchive": ("POST", "/unarchive"),
    "unread": ("POST", "/unread"),
    "read": ("POST", "/messages/read"),
    "delete": ("DELETE", ""),
    "clear": ("DELETE", "/messages"),
}
_DEFAULT_BACKGROUND: Final = "#38b42f"
_CHANNEL_ROLES: Final = {"OWNER": "owner", "ADMIN": "admin", "GUEST": "guest"}
Answering = Callable[[Any, Asking], Awaitable[Any]]


def answers_of(http: HttpClient) -> asks.Answers:
    """`answers` of the provider."""
    files = Files()
    all_of_them: dict[type[asks.Ask], Answering] = {
        **_ANSWERS,
        asks.SetPicture: files.set_picture,
        asks.PostStory: files.post_story,
    }

    def bound(answering: Answering) -> asks.Answer:
        async def answer(ask: Any, account: ProviderAccount) -> Any:
            return await answering(ask, Asking(http, account))

        return answer

    return {ask: bound(answering) for ask, answering in all_of_them.items()}


def _of_chat(chat: str) -> str:
    return f"/api/{{session}}/chats/{in_path(chat_id(chat))}"


async def _find_number(ask: asks.FindNumber, waha: Asking) -> str:
    query = {"phone": ask.phone, "session": waha.session}
    found = mapping(await waha.read("/api/contacts/check-exists", query=query))
    if found.get("numberExists") is not True:
        return ""
    return chat_key(first_text(found, "chatId")) or f"{ask.phone}@c.us"


async def _find_lid(ask: asks.FindLid, waha: Asking) -> str:
    found = await waha.read(f"/api/{{session}}/lids/pn/{in_path(chat_id(ask.chat))}")
    return chat_key(first_text(mapping(found), "lid"))


async def _about(ask: asks.ReadAbout, waha: Asking) -> str:
    query = {"contactId": chat_id(ask.chat), "session": waha.session}
    return first_text(mapping(await waha.read("/api/contacts/about", query=query)), "about")


async def _block(ask: asks.BlockPerson, waha: Asking) -> None:
    body = {"contactId": chat_id(ask.chat), "session": waha.session}
    done(await waha.post(f"/api/contacts/{'block' if ask.on else 'unblock'}", body))


async def _name(ask: asks.NamePerson, waha: Asking) -> None:
    last = ask.full_name.removeprefix(ask.first_name).strip()
    path = f"/api/{{session}}/contacts/{in_path(chat_id(ask.chat))}"
    await waha.put(path, {"firstName": ask.first_name, "lastName": last})


async def _mark_chat(ask: asks.MarkChat, waha: Asking) -> None:
    method, path = _MARKS[ask.mark]
    done(document_of(await waha.ask(method, f"{_of_chat(ask.chat)}{path}")))


async def _star(ask: asks.StarMessage, waha: Asking) -> None:
    body = {"session": waha.session, "chatId": chat_id(ask.chat), "messageId": ask.message_id, "star": ask.on}
    await waha.put("/api/star", body)


async def _pin(ask: asks.PinMessage, waha: Asking) -> None:
    place = f"{_of_chat(ask.chat)}/messages/{in_path(ask.message_id)}"
    if ask.seconds:
        done(await waha.post(f"{place}/pin", {"duration": ask.seconds}))
    else:
        done(await waha.post(f"{place}/unpin"))


async def _online(ask: asks.SetOnline, waha: Asking) -> None:
    await waha.post("/api/{session}/presence", {"presence": "online" if ask.on else "offline"})


async def _watch(ask: asks.WatchPresence, waha: Asking) -> None:
    await waha.post(f"/api/{{session}}/presence/{in_path(chat_id(ask.chat))}/subscribe")


async def _reject(ask: asks.RejectCall, waha: Asking) -> None:
    await waha.post("/api/{session}/calls/reject", {"from": chat_id(ask.chat), "id": ask.call_id})


async def _own_name(ask: asks.SetOwnName, waha: Asking) -> None:
    await waha.put("/api/{session}/profile/name", {"name": ask.name})


async def _own_about(ask: asks.SetOwnAbout, waha: Asking) -> None:
    await waha.put("/api/{session}/profile/status", {"status": ask.text})


async def _delete_story(ask: asks.DeleteStory, waha: Asking) -> None:
    done(await waha.post(f"{_STORY}/delete", {"id": read_id(ask.message_id).bare}))


async def _channels(_ask: asks.ListChannels, waha: Asking) -> tuple[ChannelView, ...]:
    found = await waha.read("/api/{session}/channels")
    return tuple(view for each in _rows(found) if (view := read_channel(each)).chat)


async def _channel(ask: asks.ReadChannel, waha: Asking) -> ChannelView:
    view = read_channel(mapping(await waha.read(f"/api/{{session}}/channels/{in_path(ask.chat)}")))
    if not view.chat:
        raise SendRefusedError("WAHA knows no such channel", http_status=404)
    return view


async def _mark_channel(ask: asks.MarkChannel, waha: Asking) -> None:
    await waha.post(f"/api/{{session}}/channels/{in_path(ask.chat)}/{ask.mark}")


async def _labels(ask: asks.ListLabels, waha: Asking) -> tuple[Label, ...]:
    path = f"{_LABELS}/chats/{in_path(chat_id(ask.chat))}" if ask.chat else _LABELS
    return tuple(label for each in _rows(await waha.read(path)) if (label := read_label(each)).id)


async def _labeled(ask: asks.ListLabeled, waha: Asking) -> tuple[str, ...]:
    """WEBJS writes an id as an object, the others as text."""
    found = []
    for each in _rows(await waha.read(f"{_LABELS}/{in_path(ask.label_id)}/chats")):
        chat = each.get("id")
        chat = chat.get("_serialized") if isinstance(chat, dict) else chat
        if isinstance(chat, str) and chat:
            found.append(chat_key(chat))
    return tuple(found)


async def _put_label(ask: asks.PutLabel, waha: Asking) -> Label:
    body = {"name": ask.name, "color": ask.color}
    made = (
        await waha.put(f"{_LABELS}/{in_path(ask.label_id)}", body) if ask.label_id else await waha.post(_LABELS, body)
    )
    label = read_label(mapping(made))
    return label if label.id else Label(id=ask.label_id, name=ask.name, color=ask.color)


async def _delete_label(ask: asks.DeleteLabel, waha: Asking) -> None:
    done(document_of(await waha.ask("DELETE", f"{_LABELS}/{in_path(ask.label_id)}")))


async def _label_chat(ask: asks.LabelChat, waha: Asking) -> None:
    labels = [{"id": each} for each in ask.label_ids]
    await waha.put(f"{_LABELS}/chats/{in_path(chat_id(ask.chat))}", {"labels": labels})


async def _pass_on(ask: PassOn, waha: Asking) -> PassedOn:
    query, body = dict(ask.query), None if ask.body is None else dict(ask.body)
    if "session" in query:
        query["session"] = waha.session
    if body is not None and ask.names_session:
        body["session"] = waha.session
    answer = await waha.ask(ask.method, ask.path, query=query, body=body)
    return PassedOn(content_type=answer.headers.get("content-type", "")[:100], body=answer.body)


class Files:
    """The asks that bring a file along."""

    def __init__(self) -> None:
        self._files = Base64Files()

    async def set_picture(self, ask: asks.SetPicture, waha: Asking) -> None:
        """Our own, or a group's; or take it away."""
        place = f"/api/{{session}}/groups/{in_path(chat_id(ask.chat))}" if ask.chat else "/api/{session}/profile"
        if ask.file is None:
            done(document_of(await waha.ask("DELETE", f"{place}/picture")))
        else:
            await self._with_file("PUT", f"{place}/picture", {}, ask.file, waha)

    async def post_story(self, ask: asks.PostStory, waha: Asking) -> str:
        """Publish it; its id, as WAHA writes ids."""
        body: dict[str, Any] = {"contacts": [chat_id(each) for each in ask.to]} if ask.to else {}
        if ask.type in {"text", "voice"}:
            body["backgroundColor"] = ask.background or _DEFAULT_BACKGROUND
        if ask.type == "text":
            body |= {"text": ask.text, "font": ask.font}
            return id_in_answer(await waha.post(f"{_STORY}/text", body))
        if ask.file is None:
            raise SendRefusedError(f"a story of type {ask.type!r} needs a file")
        if ask.type in {"voice", "video"}:
            body["convert"] = ask.file.mimetype.partition(";")[0].strip().lower() not in {"audio/ogg", "video/mp4"}
        if ask.text and ask.type != "voice":
            body["caption"] = ask.text
        return id_in_answer(await self._with_file("POST", f"{_STORY}/{ask.type}", body, ask.file, waha))

    async def _with_file(self, method: str, path: str, body: dict[str, Any], file: OutFile, waha: Asking) -> Any:
        mimetype = VOICE_TYPE if file.mimetype.startswith("audio/ogg") else file.mimetype
        told = {"mimetype": mimetype, "filename": file.filename}
        if not goes_along(file, wanted=settings_of(waha.account).media == "base64"):
            if path.endswith("/voice"):
                del told["filename"]  # VoiceRemoteFile has none
            whole: dict[str, Any] = body | {"file": told | {"url": file.url}}
            return done(document_of(await waha.ask(method, path, body=whole)))
        assert file.path is not None
        mark = mark_of(file)
        async with self._files.place():
            content = await filled(body | {"file": told | {"data": mark}}, mark, file.path)
            return done(document_of(await waha.ask(method, path, body=content)))


def _rows(found: Any) -> list[dict[str, Any]]:
    return [mapping(each) for each in found] if isinstance(found, list) else []


def read_channel(found: dict[str, Any]) -> ChannelView:
    """A channel as WAHA's document has it; its ``chat`` is '' when it is none. Pure."""
    chat, count = first_text(found, "id"), found.get("subscribersCount")
    picture = first_text(found, "picture", "preview")
    role: Any = _CHANNEL_ROLES.get(first_text(found, "role"), "subscriber")
    return ChannelView(
        chat=chat if chat.endswith("@newsletter") else "",
        name=first_text(found, "name"),
        description=first_text(found, "description"),
        invite=first_text(found, "invite").rpartition("/")[2],
        picture=picture if picture.startswith(("https://", "http://")) else "",
        subscribers=count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 0,
        role=role,
        verified=found.get("verified") is True,
    )


def read_label(found: dict[str, Any]) -> Label:
    """A label; its ``id`` is '' when it is none. Pure."""
    number, color = found.get("id"), found.get("color")
    known = isinstance(color, int) and not isinstance(color, bool) and 0 <= color < 20
    return Label(
        id=str(number) if isinstance(number, str | int) and not isinstance(number, bool) else "",
        name=first_text(found, "name"),
        color=int(color) if known and color is not None else 0,
    )


_ANSWERS: Final[dict[type[asks.Ask], Answering]] = {
    asks.FindNumber: _find_number,
    asks.FindLid: _find_lid,
    asks.ReadAbout: _about,
    asks.BlockPerson: _block,
    asks.NamePerson: _name,
    asks.MarkChat: _mark_chat,
    asks.StarMessage: _star,
    asks.PinMessage: _pin,
    asks.SetOnline: _online,
    asks.WatchPresence: _watch,
    asks.RejectCall: _reject,
    asks.SetOwnName: _own_name,
    asks.SetOwnAbout: _own_about,
    asks.DeleteStory: _delete_story,
    asks.ListGroups: groups.list_groups,
    asks.ReadGroup: groups.one_group,
    asks.CreateGroup: groups.create_group,
    asks.ChangeGroup: groups.change_group,
    asks.ChangeMembers: groups.change_members,
    asks.LeaveGroup: groups.leave_group,
    asks.InviteCode: groups.invite_code,
    asks.ReadInvite: groups.read_invite,
    asks.JoinGroup: groups.join_group,
    asks.ListChannels: _channels,
    asks.ReadChannel: _channel,
    asks.MarkChannel: _mark_channel,
    asks.ListLabels: _labels,
    asks.ListLabeled: _labeled,
    asks.PutLabel: _put_label,
    asks.DeleteLabel: _delete_label,
    asks.LabelChat: _label_chat,
    PassOn: _pass_on,
}
