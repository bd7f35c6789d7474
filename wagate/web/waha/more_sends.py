"""WAHA's other ways to send: older forms, links, forwarding, stories."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from uuid_utils import uuid4

from wagate.errors import NotFoundError, NotSupportedError, UnprocessableError
from wagate.events import Event
from wagate.hooks.asks import DeleteStory, PostStory
from wagate.hooks.messages import MEDIA_TYPES, OutLocation, OutMedia, OutMessage, OutPoll, OutPreview
from wagate.storage.threads.archive import find_message
from wagate.web.messages.body import MessageId, Text
from wagate.web.messages.content import Draft, not_blank, read_chat
from wagate.web.waha.bodies import Body, ChatBody, Success, WahaFile
from wagate.web.waha.desk import Call, Row
from wagate.web.waha.message_names import ids_of
from wagate.web.waha.send import quoting, send_draft

LARGEST_THUMBNAIL = 65_536
"""Characters of base64."""


class TextQuery(msgspec.Struct, frozen=True, kw_only=True):
    """``GET sendText``."""

    session: str | None = None
    phone: str = ""
    text: str = ""


class ReplyBody(Body, frozen=True, kw_only=True, rename="camel"):
    """``reply``."""

    text: Text


class LinkBody(ChatBody, frozen=True, kw_only=True, rename="camel"):
    """``sendLinkPreview``."""

    url: Text
    title: str = ""


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What the sender wants a link to look like."""

    url: str
    title: Annotated[str, Meta(max_length=300)] = ""
    description: Annotated[str, Meta(max_length=1000)] = ""
    image: WahaFile | None = None


class PreviewBody(Body, frozen=True, kw_only=True, rename="camel"):
    """``send/link-custom-preview``."""

    text: Text
    preview: Preview


class Poll(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A poll."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    options: Annotated[list[Annotated[str, Meta(min_length=1, max_length=100)]], Meta(min_length=2, max_length=12)]
    multiple_answers: bool = False


class PollBody(Body, frozen=True, kw_only=True, rename="camel"):
    """``sendPoll``."""

    poll: Poll


class EditBody(msgspec.Struct, frozen=True, kw_only=True):
    """A message's new text."""

    text: Text


class ForwardBody(ChatBody, frozen=True, kw_only=True, rename="camel"):
    """``forwardMessage``."""

    message_id: MessageId


class Story(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A story."""

    contacts: Annotated[list[str], Meta(max_length=10_000)] | None = None
    text: str = ""
    caption: str | None = None
    background_color: str = ""
    font: int = 0
    file: WahaFile | None = None


class DeleteStoryBody(msgspec.Struct, frozen=True, kw_only=True):
    """A story to take back."""

    id: Annotated[str, Meta(min_length=1, max_length=1000)]
    contacts: Annotated[list[str], Meta(max_length=10_000)] | None = None


async def _text_by_query(call: Call) -> Any:
    query = call.query
    message = OutMessage(chat=read_chat(query.phone, "phone"), type="text", text=not_blank(query.text, "text"))
    return await send_draft(call, Draft(message=message), query.session)


async def _reply(call: Call) -> Any:
    base = await quoting(call, call.body)
    message = msgspec.structs.replace(base, text=not_blank(call.body.text, "text"))
    return await send_draft(call, Draft(message=message), call.body.session)


async def _link(call: Call) -> Any:
    text = f"{call.body.title}\n{call.body.url}".strip()
    message = OutMessage(chat=read_chat(call.body.chat_id, "chatId"), type="text", text=text)
    return await send_draft(call, Draft(message=message), call.body.session)


async def _custom_link(call: Call) -> Any:
    """The text with its own preview, where the provider takes one; its picture must be a small JPEG in base64."""
    base, told = await quoting(call, call.body), call.body.preview
    image = told.image.data if told.image is not None and told.image.data else ""
    preview = OutPreview(
        url=told.url, title=told.title or told.url, description=told.description, thumbnail=_small(image)
    )
    message = msgspec.structs.replace(base, text=not_blank(call.body.text, "text"), preview=preview)
    return await send_draft(call, Draft(message=message), call.body.session)


def _small(image: str) -> str:
    """The picture, when it is small enough for a preview; else none."""
    return image if len(image) <= LARGEST_THUMBNAIL else ""


async def _poll(call: Call) -> Any:
    base, poll = await quoting(call, call.body), call.body.poll
    asked = OutPoll(name=poll.name, options=tuple(poll.options), multiple=poll.multiple_answers)
    return await send_draft(
        call, Draft(message=msgspec.structs.replace(base, type="poll", poll=asked)), call.body.session
    )


async def _edit(call: Call) -> Any:
    view = await call.desk.names.ours(
        call.parts["messageId"], client_id=call.account.client_id, account=call.account.name
    )
    await call.desk.sending.edit(view.id, not_blank(call.body.text, "text"))
    return Success()


async def _forward(call: Call) -> Any:
    body: ForwardBody = call.body
    found: Event | None = await call.desk.database.browse(
        find_message, client_id=call.account.client_id, account=call.account.name, ids=ids_of(body.message_id)
    )
    if found is None:
        raise NotFoundError("Message not found")
    return await send_draft(call, Draft(message=again(found, read_chat(body.chat_id, "chatId"))), body.session)


def again(event: Event, chat: str) -> OutMessage:
    """A stored message, to be sent to another chat. UnprocessableError: it is of a type that can't be."""
    message = OutMessage(chat=chat, type=event.type, text=event.content)
    if event.type == "text":
        return message
    if event.type in MEDIA_TYPES and event.media is not None:
        name = event.media.filename or ""
        media = OutMedia(media_id=event.id, mimetype=event.media.mimetype, filename=name)
        return msgspec.structs.replace(message, media=media)
    if event.type == "location" and isinstance(event.extra.get("location"), dict):
        place = event.extra["location"]
        told = {name: place[name] for name in ("name", "address") if isinstance(place.get(name), str)}
        where = OutLocation(latitude=float(place["latitude"]), longitude=float(place["longitude"]), **told)
        return msgspec.structs.replace(message, text="", location=where)
    raise UnprocessableError(f"a message of type {event.type!r} can't be forwarded", field="messageId")


def _story(kind: Literal["text", "image", "video", "voice"]) -> Any:
    async def post(call: Call) -> Any:
        body: Story = call.body
        if PostStory not in call.desk.answers(call.account):
            raise NotSupportedError(f"{call.desk.title(call.account)} can't publish stories")
        if kind != "text" and body.file is None:
            raise UnprocessableError("file is needed", field="file")
        ask = PostStory(
            type=kind,
            text=not_blank(body.text, "text") if kind == "text" else body.caption or "",
            file=None if body.file is None else await call.file(body.file, kind),
            background=body.background_color,
            font=body.font,
            to=tuple(read_chat(each, "contacts") for each in body.contacts or ()),
        )
        return {"id": await call.ask(ask), "fromMe": True, "to": "status@broadcast"}

    return post


async def _delete_story(call: Call) -> Any:
    await call.ask(DeleteStory(message_id=call.body.id))
    return Success()


async def _new_id(_call: Call) -> Any:
    """An id as WhatsApp's clients make them; nothing is kept of it."""
    return {"id": f"3EB0{uuid4().hex[:18].upper()}"}


MORE_SENDS = (
    Row(verb="GET /sendText", doc="Send a text.", handle=_text_by_query, query=TextQuery),
    Row(verb="POST /reply", doc="Answer a message.", handle=_reply, body=ReplyBody, status=201),
    Row(verb="POST /sendLinkPreview", doc="Send a link.", handle=_link, body=LinkBody, status=201),
    Row(
        verb="POST /send/link-custom-preview",
        doc="Send a link.",
        handle=_custom_link,
        body=PreviewBody,
        status=201,
        large=True,
    ),
    Row(verb="POST /sendPoll", doc="Send a poll.", handle=_poll, body=PollBody, status=201),
    Row(
        verb="PUT /{session}/chats/{chatId}/messages/{messageId}",
        doc="Edit a message that we sent.",
        handle=_edit,
        body=EditBody,
    ),
    Row(verb="POST /forwardMessage", doc="Forward a message.", handle=_forward, body=ForwardBody, status=201),
    Row(verb="GET /{session}/new-message-id", doc="An id.", handle=_new_id),
    Row(verb="GET /{session}/status/new-message-id", doc="An id.", handle=_new_id),
    *(
        Row(
            verb=f"POST /{{session}}/status/{kind}",
            doc="Publish a story.",
            handle=handle,
            act="publish story",
            body=Story,
            status=201,
            large=True,
        )
        for kind, handle in (
            ("text", _story("text")),
            ("image", _story("image")),
            ("video", _story("video")),
            ("voice", _story("voice")),
        )
    ),
    Row(
        verb="POST /{session}/status/delete",
        doc="Delete a story.",
        handle=_delete_story,
        act="delete story",
        body=DeleteStoryBody,
        status=201,
    ),
)
