"""What agents did, done on WhatsApp. Every step may be repeated: a key sends once, a row says what was done."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from wagate.errors import NotFoundError, Reject, Retry, UnprocessableError
from wagate.hooks import Delivery, OutMessage, Receipt, TextPart
from wagate.parsing.chats import STATUS, is_broadcast_list
from wagate.parsing.fields import first_text
from wagate_chatwoot.agents.commands import run
from wagate_chatwoot.api.errors import ChatwootError
from wagate_chatwoot.inboxes import App, elsewhere
from wagate_chatwoot.ledger import Entry, Handed
from wagate_chatwoot.pull import begin
from wagate_chatwoot.signals import mark_seen, signal
from wagate_chatwoot.to_chatwoot.notices import notify_failed
from wagate_chatwoot.to_whatsapp.actions import Command, Delete, Lasting, Resend, Send
from wagate_chatwoot.to_whatsapp.chat_of import Chat, adopt, find_chat
from wagate_chatwoot.to_whatsapp.deletes import delete
from wagate_chatwoot.to_whatsapp.files import FileAwayError, FileError, reachable
from wagate_chatwoot.to_whatsapp.mentions import with_mentions
from wagate_chatwoot.to_whatsapp.origin import Origin, metadata_of
from wagate_chatwoot.to_whatsapp.pieces import OTHERWISE, parts_of
from wagate_chatwoot.to_whatsapp.reconcile import missed
from wagate_chatwoot.to_whatsapp.retries import failed_parts, is_retry
from wagate_chatwoot.to_whatsapp.webhook import ACTION, SITE

LONGEST_TYPING = 20.0
"""Seconds: WhatsApp ends "typing" by itself after 25."""


async def handle(app: App, delivery: Delivery) -> Receipt | None:
    """One delivery from Chatwoot. Those of one conversation come one after the other."""
    try:
        action = msgspec.convert(delivery.event.extra.get(ACTION), Lasting)
    except msgspec.ValidationError as error:
        raise Reject(f"stored by another version of wagate: {error}") from error
    site = first_text(delivery.event.extra, SITE)
    if not app.is_at(site) and not isinstance(action, Delete):  # what was sent is still taken back
        if isinstance(action, Send):  # it goes when somebody retries it, and not with the next message
            await app.ledger.refuse(action.where.conversation, action.message)
        raise Reject(elsewhere(app, site))
    match action:
        case Send():
            await app.pause.hold()
            await _in_turn(app, delivery, action)
        case Resend():
            await app.pause.hold()
            await _resend(app, delivery, action)
        case Delete():
            await delete(app, delivery, action, site=site)
        case Command():
            await run(app, action, pull=begin)
    return None


async def _in_turn(app: App, delivery: Delivery, send: Send) -> None:
    """Hand on all that was written up to this message, in the order of its writing.

    Chatwoot's webhooks come in any order: whatever was written before it had until now to arrive. What was written
    after it waits for its own turn.
    """
    clock, reorder = app.context.clock, float(app.inbox.reorder)
    left = delivery.event.created_at.timestamp() + reorder - clock.time()
    if left > 0:
        await clock.sleep(min(left, reorder))
    conversation = send.where.conversation
    await _look_back(app, send)
    for message, row in await app.ledger.waiting(conversation, asked=send.message):
        if message > send.message:
            break
        await _hand_on(app, msgspec.convert(row, Send), last=_is_last(app, delivery))
        await app.ledger.done(conversation, message)


def _is_last(app: App, delivery: Delivery) -> bool:
    return delivery.attempt >= app.context.max_retries


async def _look_back(app: App, send: Send) -> None:
    """Once in each conversation: what was written there while this process did not run takes its turn.

    Chatwoot sends each webhook once, so it may have been sent to nobody.
    """
    conversation = send.where.conversation
    if app.memory.looked(conversation):
        return
    # Until the first webhook comes the door may still be closed, and another one lost.
    final = app.memory.heard > 0
    try:
        found = await missed(app, send)
    except ChatwootError as error:
        app.context.log.info("chatwoot not looked through", inbox=app.name, reason=error.reason)
        return  # the order of what is lost so far is not worth holding up what is here
    for each in found:
        await app.ledger.wait(conversation, each.message, msgspec.to_builtins(each))
    if final:
        app.memory.look(conversation)


async def _hand_on(app: App, send: Send, *, last: bool) -> None:
    """Submit a message, unless it was, or was deleted, or is one that we wrote there ourselves."""
    if await app.ledger.handed(send.message) is not None or await _is_ours(app, send):
        return
    chat = await find_chat(app, send.where)
    client_id = app.client_id
    if chat is None or client_id is None:
        await _refuse(app, send, chat, "outgoing.no_chat")
        return
    reply_to = await _quoted(app, send, chat)
    if refusal := _no_dialogue(chat.key, reply_to):
        await _refuse(app, send, chat, refusal)
        return
    parts = _parts(app, send, chat, reply_to)
    if not parts:
        await _refuse(app, send, chat, "outgoing.nothing_to_send")
        return
    await _open(app, send, chat)
    await adopt(app, send.where, chat)
    await _type(app, chat)
    became = [await _submit(app, send, chat, part, number, retry=0, last=last) for number, part in enumerate(parts)]
    ids = tuple(each for part in became for each in part)
    await app.ledger.hand(send.message, Handed(parts=ids, pieces=len(became[0]), reply_to=reply_to))
    if app.inbox.mark_read and send.author:
        await mark_seen(app, chat)


async def _resend(app: App, delivery: Delivery, resend: Resend) -> None:
    """Resend what failed of a message, if the agent asked for it."""
    send, last = resend.send, _is_last(app, delivery)
    handed = await app.ledger.handed(send.message)
    if handed is None and await _waits(app, send):
        # Its webhook broke off between our two writes: nothing else brings it.
        await _in_turn(app, delivery, send)
        return
    if not await is_retry(app, resend, handed, last=last):
        return
    if handed is None:
        await _hand_on(app, send, last=last)
        return
    chat = await find_chat(app, send.where)
    if chat is None:
        await _refuse(app, send, chat, "outgoing.no_chat", retry=handed.retry + 1)
        return
    again, retry = await failed_parts(app, handed), handed.retry + 1
    if handed.parts and not again:
        return  # all of it waits for its provider, or was sent meanwhile
    parts = _parts(app, send, chat, handed.reply_to)
    ids, pieces = list[str](), 0
    for index, old in enumerate(handed.parts or [""] * len(parts)):
        number, new = handed.number(index), [old]
        if (index in again or not handed.parts) and number < len(parts):
            part = await _piece(app, parts[number], old, before=ids[-1] if ids else "")
            new = await _submit(app, send, chat, part, number, retry=retry, last=last)
        ids += new
        pieces += 0 if number else len(new)
    await app.ledger.hand(send.message, replace(handed, parts=tuple(ids), pieces=pieces, retry=retry))


async def _piece(app: App, whole: OutMessage, old: str, *, before: str) -> OutMessage:
    """What is sent again of a part: of a text that went as several messages, the one that failed, after ``before``."""
    try:
        view = await app.context.messages.get(old, client_id=app.client_id) if old else None
    except NotFoundError:
        view = None
    if view is None or view.part is None:
        return whole
    first = view.part.number == 1
    return replace(
        whole,
        text=view.content,
        reply_to=whole.reply_to if first else "",
        part=TextPart(number=view.part.number, of=view.part.of, after="" if first else before),
    )


async def _waits(app: App, send: Send) -> bool:
    return any(message == send.message for message, _ in await app.ledger.waiting(send.where.conversation))


async def _is_ours(app: App, send: Send) -> bool:
    """Whether it stands there because it came from WhatsApp: for servers whose webhooks leave ``source_id`` out."""
    entry = await app.ledger.by_message(send.message)
    return entry is not None and entry.direction != "out"


async def _open(app: App, send: Send, chat: Chat) -> None:
    """The entry stands before anything leaves: a provider can be quicker than we are."""
    if await app.ledger.by_message(send.message) is None:
        await app.ledger.write(
            Entry(
                message=send.message,
                conversation=send.where.conversation,
                site=app.site,
                direction="out",
                account=chat.account or "",
                chat=chat.key,
            )
        )


async def _submit(
    app: App, send: Send, chat: Chat, part: OutMessage, number: int, *, retry: int, last: bool
) -> list[str]:
    """Our ids of the messages that a part became; [''] when it can't be sent, and Chatwoot is told so.

    ``last``: no other try follows, so what may work later has failed, too: the agent can press Retry.
    """
    origin = Origin(
        inbox=app.name,
        message=send.message,
        conversation=send.where.conversation,
        site=app.site,
        part=number,
        retry=retry,
        failed=send.failed,
    )
    try:
        return await _send(app, chat, await reachable(app, await with_mentions(app, part)), origin)
    except FileError as error:
        if isinstance(error, FileAwayError) and not last:
            raise Retry(f"a file could not be fetched from Chatwoot: {error.reason}") from error
        reason = app.texts("outgoing.no_file", filename=error.filename, reason=error.reason)
    except (UnprocessableError, NotFoundError) as error:
        reason = app.texts("outgoing.failed", reason=error.detail)
    await notify_failed(app, origin, chat, reason)
    return [""]


async def _send(app: App, chat: Chat, part: OutMessage, origin: Origin) -> list[str]:
    client_id = app.client_id
    assert client_id is not None  # whoever has a chat has a client
    piece = f"/{part.part.number}" if part.part is not None else ""
    key = f"{app.name}/{origin.message}/{origin.part}/{origin.retry}{piece}"
    while True:
        try:
            view = await app.context.messages.send(
                part, client_id=client_id, account=chat.account, key=key, metadata=metadata_of(origin)
            )
        except UnprocessableError:
            if part.type not in OTHERWISE:
                raise
            # The provider does not have this kind of file: it goes as a plainer one.
            part = replace(part, type=OTHERWISE[part.type])
        else:
            return [view.id, *(view.part.rest if view.part is not None else ())]


async def _refuse(app: App, send: Send, chat: Chat | None, key: str, *, retry: int = 0) -> None:
    """It can't be sent at all: Chatwoot is told, and it is done with."""
    conversation = send.where.conversation
    origin = Origin(inbox=app.name, message=send.message, conversation=conversation, site=app.site, retry=retry)
    await _open(app, send, chat or Chat(account="", key=""))
    await notify_failed(app, origin, chat, app.texts(key))
    await app.ledger.hand(send.message, Handed(retry=retry))


def _no_dialogue(chat: str, reply_to: str) -> str:
    """The text that says why nobody can be answered there; ''. The core sends an answer to a story to its author."""
    if chat == STATUS:
        return "" if reply_to else "outgoing.story"
    if chat.endswith("@newsletter"):
        return "outgoing.channel"
    return "outgoing.broadcast" if is_broadcast_list(chat) else ""


async def _quoted(app: App, send: Send, chat: Chat) -> str:
    """The provider's id of the message that it answers; '' when there is none, or it is not known here."""
    entry = await app.ledger.by_message(send.reply_to) if send.reply_to is not None else None
    if entry is None and send.reply_to_source and chat.account:
        entry = await app.ledger.by_whatsapp(chat.account, send.reply_to_source, [chat.key])
    if entry is None:
        return ""
    if entry.whatsapp:
        return entry.whatsapp[0]
    handed = await app.ledger.handed(entry.message)
    for part in handed.parts if handed is not None else ():
        try:
            view = await app.context.messages.get(part, client_id=app.client_id)
        except NotFoundError:
            continue
        return view.message_id or ""
    return ""


async def _type(app: App, chat: Chat) -> None:
    """Show "typing" for as long as the inbox wants."""
    delay = min(float(app.inbox.typing_delay), LONGEST_TYPING)
    if delay > 0:
        await signal(app, chat, "typing")
        await app.context.clock.sleep(delay)


def _parts(app: App, send: Send, chat: Chat, reply_to: str) -> list[OutMessage]:
    signature = f"*{send.author}:*" if app.inbox.signature and send.author else ""
    return parts_of(send, chat.key, signature=signature, reply_to=reply_to, all_voice=app.inbox.voice == "all")
