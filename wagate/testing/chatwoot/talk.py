"""The application API: conversations and messages."""

from __future__ import annotations

from wagate.testing.chatwoot import answers, contacts, conversations, messages
from wagate.testing.chatwoot.routes import Ask, Route, uploads
from wagate.testing.chatwoot.state import Conversation, Message, RefusedError
from wagate.testing.server import Reply

PAGE = 25


def _conversation(ask: Ask) -> Conversation:
    found = ask.state.conversation(ask.account, ask.parts[0])
    ask.sees(found.inbox)
    return found


def _message(ask: Ask) -> Message:
    return ask.state.message(_conversation(ask), ask.parts[1])


def _all(ask: Ask) -> Reply:
    status, inbox = ask.given.get("status", "open"), ask.given.get("inbox_id")
    rows = [
        each
        for each in ask.state.conversations
        if each.account is ask.account
        and ask.may_see(each.inbox)
        and status in {"all", each.status}
        and (inbox is None or str(each.inbox.id) == str(inbox))
    ]
    rows.sort(key=lambda each: each.last_activity_at, reverse=True)
    page = int(ask.given.get("page", 1))
    shown = [answers.conversation(ask.state, ask.base, each) for each in rows[(page - 1) * PAGE : page * PAGE]]
    meta = {"mine_count": 0, "assigned_count": 0, "unassigned_count": len(rows), "all_count": len(rows)}
    return Reply(json={"data": {"meta": meta, "payload": shown}})


def _create(ask: Ask) -> Reply:
    made = conversations.create(ask.state, ask.account, ask.given)
    if ask.given.get("assignee_id"):
        wanted = str(ask.given["assignee_id"])
        made.assignee = next((each for each in ask.state.users if str(each.id) == wanted), None)
    if ask.given.get("message"):
        messages.post(ask.state, made, ask.user, ask.given["message"])
    return Reply(json=answers.conversation(ask.state, ask.base, made))


def _show(ask: Ask) -> Reply:
    return Reply(json=answers.conversation(ask.state, ask.base, _conversation(ask)))


def _toggle_status(ask: Ask) -> Reply:
    row = _conversation(ask)
    status = ask.given.get("status") or ("resolved" if row.status == "open" else "open")
    conversations.set_status(ask.state, row, status, ask.user)
    payload = {"success": True, "current_status": row.status, "conversation_id": row.id, "snoozed_until": None}
    return Reply(json={"meta": {}, "payload": payload})


def _attributes(ask: Ask) -> Reply:
    row = _conversation(ask)
    given = dict(ask.given.get("custom_attributes") or {})
    contacts.check_attributes(given, "custom_attributes")
    row.custom_attributes = given
    return Reply(json={"custom_attributes": row.custom_attributes})


def _labels(ask: Ask) -> Reply:
    row = _conversation(ask)
    row.labels = list(ask.given.get("labels") or [])
    return Reply(json={"payload": row.labels})


def _assign(ask: Ask) -> Reply:
    wanted = str(ask.given.get("assignee_id"))
    user = next((each for each in ask.state.users if str(each.id) == wanted), None)
    conversations.assign(ask.state, _conversation(ask), user)
    return Reply(json=None if user is None else answers.agent(user))


def _typing(ask: Ask) -> Reply:
    on, private = ask.given.get("typing_status") == "on", bool(ask.given.get("is_private"))
    conversations.typing(ask.state, _conversation(ask), ask.user, on, private)
    return Reply()


def _seen(ask: Ask) -> Reply:
    row = _conversation(ask)
    row.agent_last_seen_at = ask.state.now()
    return Reply(json=answers.conversation(ask.state, ask.base, row))


def _list(ask: Ask) -> Reply:
    row = _conversation(ask)
    found = ask.state.messages_of(row)
    after, before = ask.given.get("after"), ask.given.get("before")
    if after and before:
        found = [each for each in found if int(after) <= each.id < int(before)][:1000]
    elif before:
        found = [each for each in found if each.id < int(before)][-20:]
    elif after:
        found = [each for each in found if each.id > int(after)][:100]
    else:
        found = found[-20:]
    return Reply(json=answers.messages(ask.state, ask.base, row, found))


def _post(ask: Ask) -> Reply:
    made = messages.post(ask.state, _conversation(ask), ask.user, ask.given, uploads(ask.seen))
    return Reply(json=answers.message(ask.base, made))


def _status(ask: Ask) -> Reply:
    row = _message(ask)
    if row.conversation.inbox.channel != "Channel::Api":
        raise RefusedError(403, {"error": "Message status update is only allowed for API inboxes"})
    messages.set_status(ask.state, row, ask.given.get("status"), ask.given.get("external_error"))
    return Reply(json=answers.message(ask.base, row))


def _delete(ask: Ask) -> Reply:
    row = _message(ask)
    messages.delete(ask.state, row)
    return Reply(json=answers.message(ask.base, row))


def _retry(ask: Ask) -> Reply:
    row = _message(ask)
    messages.retry(ask.state, row)
    return Reply(json=answers.message(ask.base, row))


_C = "api/v1/accounts/*/conversations"
ROUTES: tuple[Route, ...] = (
    ("GET", _C, _all),
    ("POST", _C, _create),
    ("GET", f"{_C}/*", _show),
    ("POST", f"{_C}/*/toggle_status", _toggle_status),
    ("POST", f"{_C}/*/custom_attributes", _attributes),
    ("POST", f"{_C}/*/labels", _labels),
    ("POST", f"{_C}/*/assignments", _assign),
    ("POST", f"{_C}/*/toggle_typing_status", _typing),
    ("POST", f"{_C}/*/update_last_seen", _seen),
    ("GET", f"{_C}/*/messages", _list),
    ("POST", f"{_C}/*/messages", _post),
    ("PATCH", f"{_C}/*/messages/*", _status),
    ("PUT", f"{_C}/*/messages/*", _status),
    ("DELETE", f"{_C}/*/messages/*", _delete),
    ("POST", f"{_C}/*/messages/*/retry", _retry),
)
BOTS = frozenset({_create, _show, _toggle_status, _typing, _attributes, _post, _assign, _labels})
"""All that a bot's token may do."""
