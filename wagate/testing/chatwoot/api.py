"""The application API: contacts, inboxes, the account."""

from __future__ import annotations

from uuid import uuid4

from wagate.testing.chatwoot import answers, contacts
from wagate.testing.chatwoot.routes import Ask, Route, needs
from wagate.testing.chatwoot.state import AccountWebhook, Inbox, RefusedError
from wagate.testing.server import Reply

PAGE = 15


def _contacts(ask: Ask) -> Reply:
    page = int(ask.given.get("page", 1))
    rows = [each for each in ask.state.contacts if each.account is ask.account]
    return Reply(json=answers.contacts(ask.state, rows[(page - 1) * PAGE : page * PAGE], page=page))


def _create(ask: Ask) -> Reply:
    state, body = ask.state, ask.given
    inbox = state.inbox(ask.account, body["inbox_id"]) if body.get("inbox_id") else None
    known = state.by_source(inbox, body["source_id"]) if inbox and body.get("source_id") else None
    if known is not None:  # both rows are made in one transaction
        raise RefusedError(500, "<html><body>We're sorry, but something went wrong (500)</body></html>")
    contact = contacts.create(state, ask.account, body)
    source = None if inbox is None else contacts.with_source(state, contact, inbox, body.get("source_id"))
    made = source and {"inbox": answers.slim_inbox(source.inbox), "source_id": source.source_id}
    return Reply(json={"payload": {"contact": answers.contact(state, contact), "contact_inbox": made}})


def _show(ask: Ask) -> Reply:
    return Reply(json={"payload": answers.contact(ask.state, ask.state.contact(ask.account, ask.parts[0]))})


def _update(ask: Ask) -> Reply:
    contact = ask.state.contact(ask.account, ask.parts[0])
    contacts.update(ask.state, contact, ask.given)
    return Reply(json={"payload": answers.contact(ask.state, contact)})


def _delete(ask: Ask) -> Reply:
    contacts.delete(ask.state, ask.state.contact(ask.account, ask.parts[0]))
    return Reply()


def _by_source(ask: Ask) -> Reply:
    needs(ask.given, "inbox_id", "source_id")
    found = ask.state.by_source(ask.state.inbox(ask.account, ask.given["inbox_id"]), ask.given["source_id"])
    return Reply(status=404) if found is None else Reply(json=answers.contact(ask.state, found.contact))


def _search(ask: Ask) -> Reply:
    if not ask.given.get("q"):
        raise RefusedError(422, {"error": "Specify search string with parameter q"})
    page = int(ask.given.get("page", 1))
    rows = contacts.search(ask.state, ask.account, ask.given["q"])
    shown = rows[(page - 1) * PAGE : page * PAGE]
    return Reply(json=answers.contacts(ask.state, shown, page=page, more=len(rows) > page * PAGE))


def _filter(ask: Ask) -> Reply:
    rows = ask.given.get("payload") or []
    if not rows or rows[-1].get("query_operator") is not None:
        raise RefusedError(422, {"error": 'Invalid query operator. Query operator must be either "AND" or "OR".'})
    found = [each for each in ask.state.contacts if each.account is ask.account and contacts.matches(each, rows)]
    return Reply(json=answers.contacts(ask.state, found[:PAGE], page=1))


def _add_source(ask: Ask) -> Reply:
    contact = ask.state.contact(ask.account, ask.parts[0])
    inbox = ask.state.inbox(ask.account, ask.given.get("inbox_id"))
    made = contacts.with_source(ask.state, contact, inbox, ask.given.get("source_id"))
    return Reply(json={"source_id": made.source_id, "inbox": answers.slim_inbox(inbox)})


def _drop_attributes(ask: Ask) -> Reply:
    contact = ask.state.contact(ask.account, ask.parts[0])
    for name in ask.given.get("custom_attributes") or []:
        contact.custom_attributes.pop(name, None)
    return Reply(json={"payload": answers.contact(ask.state, contact)})


def _conversations_of(ask: Ask) -> Reply:
    contact = ask.state.contact(ask.account, ask.parts[0])
    rows = [each for each in ask.state.conversations if each.contact is contact]
    rows.sort(key=lambda each: each.last_activity_at, reverse=True)
    return Reply(json={"payload": [answers.conversation(ask.state, ask.base, each) for each in rows[:20]]})


def _merge(ask: Ask) -> Reply:
    base = ask.state.contact(ask.account, ask.given.get("base_contact_id"))
    mergee = ask.state.contact(ask.account, ask.given.get("mergee_contact_id"))
    if base is not mergee:
        contacts.merge(ask.state, base, mergee)
    return Reply(json=answers.contact(ask.state, base))


def _inboxes(ask: Ask) -> Reply:
    rows = [each for each in ask.state.inboxes if each.account is ask.account and ask.may_see(each)]
    return Reply(json={"payload": [answers.inbox(each, ask.user) for each in rows]})


def _inbox(ask: Ask) -> Reply:
    found = ask.state.inbox(ask.account, ask.parts[0])
    ask.sees(found)
    return Reply(json=answers.inbox(found, ask.user))


def _create_inbox(ask: Ask) -> Reply:
    _administrator(ask)
    channel = ask.given.get("channel") or {}
    contacts.check_length("name", ask.given.get("name"))
    if channel.get("type") != "api":
        raise RefusedError(422, {"error": "this fake makes inboxes of the type api only"})
    inbox = Inbox(
        id=ask.state.next_id("inboxes", first=8),
        account=ask.account,
        name=ask.given.get("name") or "",
        webhook_url=channel.get("webhook_url") or "",
        secret=uuid4().hex[:24],
        identifier=uuid4().hex[:24],
        hmac_mandatory=bool(channel.get("hmac_mandatory")),
        lock_to_single_conversation=bool(ask.given.get("lock_to_single_conversation")),
        additional_attributes=channel.get("additional_attributes") or {},
    )
    ask.state.inboxes.append(inbox)
    return Reply(json=answers.inbox(inbox, ask.user))


def _change_inbox(ask: Ask) -> Reply:
    _administrator(ask)
    inbox, channel = ask.state.inbox(ask.account, ask.parts[0]), ask.given.get("channel") or {}
    inbox.name = ask.given.get("name", inbox.name)
    inbox.webhook_url = channel.get("webhook_url", inbox.webhook_url)
    inbox.additional_attributes |= channel.get("additional_attributes") or {}
    inbox.lock_to_single_conversation = ask.given.get("lock_to_single_conversation", inbox.lock_to_single_conversation)
    return Reply(json=answers.inbox(inbox, ask.user))


def _reset_secret(ask: Ask) -> Reply:
    _administrator(ask)
    inbox = ask.state.inbox(ask.account, ask.parts[0])
    inbox.secret = uuid4().hex[:24]
    return Reply(json=answers.inbox(inbox, ask.user))


def _profile(ask: Ask) -> Reply:
    return Reply(json=answers.profile(ask.state, ask.user))


def _account(ask: Ask) -> Reply:
    return Reply(json={"id": ask.account.id, "name": ask.account.name, "locale": "en", "status": "active"})


def _agents(ask: Ask) -> Reply:
    rows = [each for each in ask.state.users if each.account is ask.account and each.role != "bot"]
    return Reply(json=[answers.agent(each) for each in rows])


def _webhooks(ask: Ask) -> Reply:
    _administrator(ask)
    rows = [each for each in ask.state.webhooks if each.account is ask.account]
    return Reply(json={"payload": {"webhooks": [answers.webhook(each) for each in rows]}})


def _create_webhook(ask: Ask) -> Reply:
    _administrator(ask)
    made = AccountWebhook(
        id=ask.state.next_id("webhooks"),
        account=ask.account,
        url=ask.given.get("url") or "",
        name=ask.given.get("name") or "",
        subscriptions=list(ask.given.get("subscriptions") or []),
        secret=uuid4().hex[:24],
    )
    ask.state.webhooks.append(made)
    return Reply(json={"payload": {"webhook": answers.webhook(made)}})


def _administrator(ask: Ask) -> None:
    if ask.user.role != "administrator":
        raise RefusedError(401, {"error": "You are not authorized to do this action"})


_A = "api/v1/accounts/*/"
ROUTES: tuple[Route, ...] = (
    ("GET", "api/v1/profile", _profile),
    ("GET", "api/v1/accounts/*", _account),
    ("GET", f"{_A}agents", _agents),
    ("GET", f"{_A}contacts", _contacts),
    ("POST", f"{_A}contacts", _create),
    ("GET", f"{_A}contacts/search", _search),
    ("POST", f"{_A}contacts/filter", _filter),
    ("GET", f"{_A}contacts/*", _show),
    ("PUT", f"{_A}contacts/*", _update),
    ("PATCH", f"{_A}contacts/*", _update),
    ("DELETE", f"{_A}contacts/*", _delete),
    ("POST", f"{_A}contacts/*/contact_inboxes", _add_source),
    ("POST", f"{_A}contacts/*/destroy_custom_attributes", _drop_attributes),
    ("GET", f"{_A}contacts/*/conversations", _conversations_of),
    ("POST", f"{_A}contact_inboxes/filter", _by_source),
    ("POST", f"{_A}actions/contact_merge", _merge),
    ("GET", f"{_A}inboxes", _inboxes),
    ("POST", f"{_A}inboxes", _create_inbox),
    ("GET", f"{_A}inboxes/*", _inbox),
    ("PUT", f"{_A}inboxes/*", _change_inbox),
    ("PATCH", f"{_A}inboxes/*", _change_inbox),
    ("POST", f"{_A}inboxes/*/reset_secret", _reset_secret),
    ("GET", f"{_A}webhooks", _webhooks),
    ("POST", f"{_A}webhooks", _create_webhook),
)
"""The first star is always the account; `Ask.parts` begins after it."""
