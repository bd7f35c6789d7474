"""WAHA's labels: the provider's, where it has labels; else wagate's own, which no phone shows."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from wagate.errors import NotFoundError, NotSupportedError, UnprocessableError
from wagate.hooks.answers import Label
from wagate.hooks.asks import DeleteLabel, LabelChat, ListLabeled, ListLabels, PutLabel
from wagate.storage.threads.labels import (
    LabelRow,
    add_label,
    change_label,
    chats_with,
    delete_label,
    label_chat,
    labels_of,
    list_labels,
)
from wagate.web.messages.content import not_blank
from wagate.web.waha.bodies import Success
from wagate.web.waha.desk import Call, Row

COLORS = (
    *("#ff9485", "#64c4ff", "#ffd429", "#dfaef0", "#99b6c1", "#55ccb3", "#ff9dff", "#d3a91d", "#6d7cce", "#d7e752"),
    *("#00d0e2", "#ffc5c7", "#93ceac", "#f74848", "#00a0f2", "#83e422", "#ffaf04", "#b5ebff", "#9ba6ff", "#9368cf"),
)
"""WhatsApp's, by number (source: WAHA's documentation, labels)."""
MOST_LISTED: Final = 1000


class LabelBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A label."""

    name: Annotated[str, Meta(max_length=100)]
    color: Annotated[int, Meta(ge=0, le=19)] | None = None
    color_hex: str | None = None

    @property
    def number(self) -> int | None:
        """The color's; None: none is given. UnprocessableError."""
        if self.color is not None or not self.color_hex:
            return self.color
        if self.color_hex.lower() not in COLORS:
            raise UnprocessableError(f"colorHex must be one of {', '.join(COLORS)}", field="colorHex")
        return COLORS.index(self.color_hex.lower())


class LabelId(msgspec.Struct, frozen=True, kw_only=True):
    """One."""

    id: str


class LabelsBody(msgspec.Struct, frozen=True, kw_only=True):
    """A chat's labels."""

    labels: Annotated[list[LabelId], Meta(max_length=100)]


def shown_label(label: Label | LabelRow) -> dict[str, Any]:
    """One label."""
    color = COLORS[label.color] if 0 <= label.color < len(COLORS) else COLORS[0]
    return {"id": label.id, "name": label.name, "color": label.color, "colorHex": color}


def _theirs(call: Call) -> bool:
    """Whether the provider has labels: it can make one. A linked number only says that it has none."""
    return PutLabel in call.desk.answers(call.account)


async def _labels(call: Call) -> Any:
    if _theirs(call):
        return [shown_label(each) for each in await call.ask(ListLabels())]
    return [shown_label(each) for each in await call.desk.database.read(list_labels, call.account.id)]


async def _labels_of(call: Call) -> Any:
    chat, account = call.chat(), call.account
    if _theirs(call):
        return [shown_label(each) for each in await call.ask(ListLabels(chat=chat))]
    found = await call.desk.database.browse(labels_of, account.id, chat, client_id=account.client_id)
    return [shown_label(each) for each in found]


async def _labeled(call: Call) -> Any:
    label, account = call.parts["labelId"], call.account
    if _theirs(call):
        return [{"id": each} for each in await call.ask(ListLabeled(label_id=label))]
    browse, client_id = call.desk.database.browse, account.client_id
    found = await browse(chats_with, account.id, label, client_id=client_id, most=MOST_LISTED)
    return [{"id": each} for each in found]


async def _put_label(call: Call) -> Any:
    body: LabelBody = call.body
    color, name, label = body.number, not_blank(body.name, "name"), call.parts.get("labelId", "")
    if _theirs(call):
        return shown_label(await call.ask(PutLabel(name=name, color=color or 0, label_id=label)))
    write = call.desk.database.write
    if label:
        return shown_label(await write(change_label, call.account.id, label, name=name, color=color))
    return shown_label(await write(add_label, call.account.id, name=name, color=color or 0))


async def _delete_label(call: Call) -> Any:
    label = call.parts["labelId"]
    if not _theirs(call):
        await call.desk.database.write(delete_label, call.account.id, label)
        return {"result": True}
    if DeleteLabel not in call.desk.answers(call.account):
        raise NotSupportedError(f"{call.desk.title(call.account)} can't do this: delete label")
    if all(each.id != label for each in await call.ask(ListLabels())):
        raise NotFoundError("Label not found")
    await call.ask(DeleteLabel(label_id=label))
    return {"result": True}


async def _label_chat(call: Call) -> Any:
    chat, ids, account = call.chat(), tuple(each.id for each in call.body.labels), call.account
    if _theirs(call):
        await call.ask(LabelChat(chat=chat, label_ids=ids))
        return Success()
    now = call.desk.clock.now()
    await call.desk.database.write(label_chat, account.id, chat, ids, client_id=account.client_id, now=now)
    return Success()


_LABEL: Final = "{session}/labels/{labelId}"
LABELS = (
    Row(verb="GET /{session}/labels", doc="Labels: the provider's, or wagate's own.", handle=_labels),
    Row(
        verb="POST /{session}/labels",
        doc="Make one; where the provider has no labels it is wagate's own, and not shown on the phone.",
        handle=_put_label,
        act="create label",
        body=LabelBody,
        status=201,
    ),
    Row(verb=f"PUT /{_LABEL}", doc="Change one.", handle=_put_label, act="change label", body=LabelBody),
    Row(verb=f"DELETE /{_LABEL}", doc="Delete one.", handle=_delete_label, act="delete label"),
    Row(verb="GET /{session}/labels/chats/{chatId}", doc="A chat's labels.", handle=_labels_of),
    Row(
        verb="PUT /{session}/labels/chats/{chatId}",
        doc="Set them, in place of those that the chat has.",
        handle=_label_chat,
        act="label chat",
        body=LabelsBody,
    ),
    Row(verb=f"GET /{_LABEL}/chats", doc="Chats with a label.", handle=_labeled),
)
